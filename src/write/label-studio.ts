/**
 * label-studio.json: tasks with pre-annotations for Label Studio, and label-studio-config.xml: the labelling set-up to
 * paste.
 *
 * A task has data.image and one prediction: model_version, score (mean over its polygons), and a result per polygon.
 * Its points are per cent of the image's width and height, cut at the border. A result is one outline: the parts of a
 * polygon that people made are joined by bridges of no width. Images without a polygon are tasks as well, so that
 * people find them. data.image is an address in Label Studio's local file storage, with
 * LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT set to the images' folder; a file name that is an address already (http, s3,
 * gs, azure-blob) stays. Source: Label Studio's documentation, pages "Import pre-annotated data", "PolygonLabels" and
 * "Local storage".
 */
import { join } from "node:path";
import { AtomicFile, writeAtomic } from "../files/atomic-file.js";
import type { JsonObject } from "../types.js";
import { imageName } from "./image-name.js";
import type { Region } from "./labels.js";
import { categoryColor, nameCategories, regionsOf } from "./labels.js";
import { clipRing, joinRings } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ImageResult, WriteContext } from "./writer.js";
import { escapeXml, toPlainText } from "./xml-text.js";

const FILE_NAME = "label-studio.json";
const CONFIG_NAME = "label-studio-config.xml";
/** Names that tie a result to the controls of the set-up. */
const FROM_NAME = "label";
const TO_NAME = "image";

export async function openLabelStudioWriter(context: WriteContext): Promise<AnnotationWriter> {
  const names = nameCategories(context.categories);
  const file = await AtomicFile.open(join(context.out, FILE_NAME));
  let separator = "[\n";
  return {
    async image(result) {
      if (result.isUnknown === true) return; // There is no picture to show.
      await file.write(separator + JSON.stringify(toTask(result, regionsOf(result, names), context)));
      separator = ",\n";
    },
    async finish() {
      await file.write(separator === "[\n" ? "[]\n" : "\n]\n");
      await file.commit();
      await writeAtomic(join(context.out, CONFIG_NAME), labelConfig(names));
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

function toResult({ ordinal, label, polygon, score }: Region, { size }: ImageResult): JsonObject | undefined {
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
  };
}

/** 0..100, ten-thousandths: 0.002 pixels in 2048. */
function toPercent(share: number): number {
  return Number((share * 100).toFixed(4));
}

function imageAddress(result: ImageResult, context: WriteContext): string {
  if (/^(https?|s3|gs|azure-blob):\/\//u.test(result.image.fileName)) return result.image.fileName;
  // Half a surrogate pair has no percent form.
  return `/data/local-files/?d=${imageName(result, context)
    .replace(/\p{Cs}/gu, "\ufffd")
    .split("/")
    .map(encodeURIComponent)
    .join("/")}`;
}

function labelConfig(names: CategoryNames): string {
  const labels = [...new Set([...names.values()].map(toPlainText))].map(
    (name, index) => `    <Label value="${escapeXml(name)}" background="${categoryColor(index)}"/>`,
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
