/**
 * cvat.xml: "CVAT for images 1.1", one file for all images.
 *
 * Each image is an element with its name and size, and a polygon per ring, in pixels from the image's corner, cut at
 * its border. Several parts of one instance share a group_id. The attributes are polyrnn_score (0..1) and
 * polyrnn_valid ("false" where the polygon crosses or touches itself); polygons of people have neither. The labels of
 * the meta part declare both, so that readers that go by the declaration know them. CVAT's importer finds images by
 * name and leaves out attributes that its task does not have. Images without a polygon are in the file as well.
 * Source: CVAT's documentation, page "CVAT for image"; the importer's `_import_shape`.
 */
import { join } from "node:path";
import { AtomicFile } from "../files/atomic-file.js";
import { imageName } from "./image-name.js";
import type { Region } from "./labels.js";
import { categoryColor, nameCategories, regionsOf } from "./labels.js";
import { clipRing, roundPixels } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ImageResult, WriteContext } from "./writer.js";
import { escapeXml, toPlainText } from "./xml-text.js";

const FILE_NAME = "cvat.xml";
const FORMAT_VERSION = "1.1";
const SCORE = "polyrnn_score";
const VALID = "polyrnn_valid";

export async function openCvatWriter(context: WriteContext): Promise<AnnotationWriter> {
  const names = nameCategories(context.categories);
  const file = await AtomicFile.open(join(context.out, FILE_NAME));
  let images = 0;
  return {
    async image(result) {
      if (result.isUnknown === true) return; // There is no picture to show.
      if (images === 0) await file.write(head(names));
      await file.write(imageElement(images++, result, { context, regions: regionsOf(result, names) }));
    },
    async finish() {
      if (images === 0) await file.write(head(names));
      await file.write("</annotations>\n");
      await file.commit();
      return [FILE_NAME];
    },
    abort: () => file.abort(),
  };
}

function head(names: CategoryNames): string {
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    "<annotations>",
    `  <version>${FORMAT_VERSION}</version>`,
    "  <meta>",
    "    <task>",
    "      <labels>",
    ...[...new Set([...names.values()].map(toPlainText))].map(labelElement),
    "      </labels>",
    "    </task>",
    "  </meta>",
    "",
  ].join("\n");
}

function labelElement(name: string, index: number): string {
  return [
    "        <label>",
    `          <name>${escapeXml(name)}</name>`,
    `          <color>${categoryColor(index)}</color>`,
    "          <type>any</type>",
    "          <attributes>",
    attributeDeclaration(SCORE, "text", ""),
    attributeDeclaration(VALID, "select", "true\nfalse"),
    "          </attributes>",
    "        </label>",
  ].join("\n");
}

/** @param values one a line; the first is the default */
function attributeDeclaration(name: string, input: "text" | "select", values: string): string {
  const initial = values.split("\n")[0]!;
  return (
    `            <attribute><name>${name}</name><mutable>False</mutable><input_type>${input}</input_type>` +
    `<default_value>${initial}</default_value><values>${values}</values></attribute>`
  );
}

function imageElement(
  id: number,
  result: ImageResult,
  { context, regions }: { readonly context: WriteContext; readonly regions: readonly Region[] },
): string {
  const { size } = result;
  const sized = size === undefined ? "" : ` width="${size.width}" height="${size.height}"`;
  return [
    `  <image id="${id}" name="${escapeXml(imageName(result, context))}"${sized}>`,
    ...regions.flatMap((region) => polygonElements(region, size)),
    "  </image>",
    "",
  ].join("\n");
}

function polygonElements({ ordinal, label, polygon, score, isInvalid }: Region, size: ImageResult["size"]): string[] {
  // CVAT takes 0 for "in no group".
  const group = polygon.length > 1 ? ` group_id="${ordinal + 1}"` : "";
  return polygon.flatMap((whole) => {
    const ring = size === undefined ? whole : clipRing(whole, size.width, size.height);
    if (ring === undefined) return [];
    const points = ring.map(({ x, y }) => `${roundPixels(x)},${roundPixels(y)}`).join(";");
    const source = score === undefined ? "manual" : "auto";
    const opening = `    <polygon label="${escapeXml(label)}" source="${source}" occluded="0" points="${points}" z_order="0"${group}>`;
    if (score === undefined) return [opening, "    </polygon>"];
    return [
      opening,
      `      <attribute name="${SCORE}">${score}</attribute>`,
      `      <attribute name="${VALID}">${isInvalid !== true}</attribute>`,
      "    </polygon>",
    ];
  });
}
