/**
 * label-studio.json: tasks with pre-annotations for Label Studio, and label-studio-config.xml: the labelling set-up to
 * paste.
 *
 * A task has data.image and one prediction: model_version, score (mean over its polygons), and a result per polygon.
 * Its points are per cent of the image's width and height, cut at the border. A result is one outline: the parts of a
 * polygon that people made are joined by bridges of no width. Images without a polygon are tasks as well, so that
 * people find them. data.image is an address in Label Studio's local file storage, with
 * LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the images' folder, or whatever prefix the user gives ("s3://bucket/");
 * a file name that is an address already (http, s3, gs, azure-blob) stays. The set-up lists the labels that are used,
 * or all where none is. A result has `meta` where its polygon crosses or touches itself. Source: Label Studio's documentation, pages "Import pre-annotated data", "PolygonLabels" and
 * "Local storage".
 */
import { join } from "node:path";
import { AtomicFile, writeAtomic } from "../files/atomic-file.js";
import type { JsonObject } from "../types.js";
import type { Region } from "./labels.js";
import { categoryColor, nameCategories, regionsOf } from "./labels.js";
import { clipRing, joinRings } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ImageResult, WriteContext } from "./writer.js";
import { imageName } from "./writer.js";
import { escapeXml, toPlainText } from "./xml-text.js";

const FILE_NAME = "label-studio.json";
const CONFIG_NAME = "label-studio-config.xml";
/** Names that tie a result to the controls of the set-up. */
const FROM_NAME = "label";
const TO_NAME = "image";

export async function openLabelStudioWriter(context: WriteContext): Promise<AnnotationWriter> {
  const names = nameCategories(context.categories);
  const file = await AtomicFile.open(join(context.out, FILE_NAME));
  const used = new Set<string>();
  let separator = "[\n";
  return {
    async image(result) {
      if (result.isUnknown === true) return; // There is no picture to show.
      const regions = regionsOf(result, names);
      for (const { label } of regions) used.add(toPlainText(label));
      await file.write(separator + JSON.stringify(toTask(result, regions, context)));
      separator = ",\n";
    },
    async finish() {
      await file.write(separator === "[\n" ? "[]\n" : "\n]\n");
      await file.commit();
      await writeAtomic(join(context.out, CONFIG_NAME), labelConfig(names, used));
      return [FILE_NAME, CONFIG_NAME];
    },
    abort: () => file.abort(),
  };
}

function toTask(result: ImageResult, regions: readonly Region[], context: WriteContext): JsonObject {
  const results = regions.flatMap((region) => toResult(region, result) ?? []);
  const scores = regions.flatMap(({ score }) => score ?? []);
  const prediction = {
    model_version: context.generator,
    ...(scores.length === 0 ? {} : { score: Number((scores.reduce((a, b) => a + b) / scores.length).toFixed(4)) }),
    result: results,
  };
  return {
    data: { image: imageAddress(result, context), file_name: result.image.fileName, image_id: result.image.id },
    predictions: results.length === 0 ? [] : [prediction],
  };
}

function toResult(region: Region, { size }: ImageResult): JsonObject | undefined {
  const { ordinal, label, polygon, score, isInvalid } = region;
  const ring = size && clipRing(joinRings(polygon), size.width, size.height);
  if (size === undefined || ring === undefined) return undefined;
  return {
    id: `polyrnn-${ordinal}`,
    type: "polygonlabels",
    from_name: FROM_NAME,
    to_name: TO_NAME,
    original_width: size.width,
    original_height: size.height,
    image_rotation: 0,
    value: {
      points: ring.map(({ x, y }) => [toPercent(x / size.width), toPercent(y / size.height)]),
      polygonlabels: [toPlainText(label)],
      closed: true,
    },
    ...(score === undefined ? {} : { score }),
    // The tool shows `text` beside the region.
    ...(isInvalid === true && { meta: { polyrnn_valid: false, text: ["polyrnn_valid: false"] } }),
  };
}

/** 0..100, ten-thousandths: 0.002 pixels in 2048. */
function toPercent(share: number): number {
  return Number((share * 100).toFixed(4));
}

const LOCAL_FILES = "/data/local-files/?d=";

function imageAddress(result: ImageResult, context: WriteContext): string {
  if (isAddress(result.image.fileName)) return result.image.fileName;
  const prefix = context.formatOptions?.labelStudioPrefix ?? LOCAL_FILES;
  const name = imageName(result, context);
  // Label Studio takes the key of a bucket as it stands.
  if (/^(s3|gs|azure-blob):/u.test(prefix)) return prefix + name;
  // Half a surrogate pair has no percent form.
  return (
    prefix +
    name
      .replace(/\p{Cs}/gu, "\ufffd")
      .split("/")
      .map(encodeURIComponent)
      .join("/")
  );
}

function isAddress(name: string): boolean {
  return /^(https?|s3|gs|azure-blob):\/\//u.test(name);
}

/** In the order of the categories; then labels that the data set does not list. Colors stay with the categories. */
function labelConfig(names: CategoryNames, used: ReadonlySet<string>): string {
  const all = [...new Set([...names.values()].map(toPlainText).concat([...used]))];
  const labels = all.flatMap((name, index) =>
    used.size === 0 || used.has(name)
      ? [`    <Label value="${escapeXml(name)}" background="${categoryColor(index)}"/>`]
      : [],
  );
  return [
    "<View>",
    `  <Image name="${TO_NAME}" value="$image" zoom="true"/>`,
    `  <PolygonLabels name="${FROM_NAME}" toName="${TO_NAME}" strokeWidth="2" pointSize="small" opacity="0.3">`,
    ...labels,
    "  </PolygonLabels>",
    "</View>",
    "",
  ].join("\n");
}
