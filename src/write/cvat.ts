/**
 * cvat.xml: "CVAT for images 1.1", one file for all images.
 *
 * Each image is an element with its name and size, and a polygon per ring, in pixels from the image's corner, cut at
 * its border. Several parts of one instance share a group_id; else the instance keeps the one it came with. It keeps
 * z_order, occlusion and those attributes that are text, numbers, true or false; an image keeps its tags. Attributes of
 * this program are polyrnn_score (0..1) and polyrnn_valid ("false" where the polygon crosses or touches itself); polygons of people have neither. The labels of
 * the meta part declare both, so that readers that go by the declaration know them. CVAT's importer finds images by
 * name and leaves out attributes that its task does not have. Images without a polygon are in the file as well.
 * Source: CVAT's documentation, page "CVAT for image"; the importer's `_import_shape`.
 */
import { join } from "node:path";
import { AtomicFile } from "../files/atomic-file.js";
import { isJsonObject } from "../foreign.js";
import { numberText } from "../json-text.js";
import type { JsonObject, JsonValue } from "../types.js";
import type { Region } from "./labels.js";
import { categoryColor, groupsOf, nameCategories, regionsOf, wholeText } from "./labels.js";
import { clipRing, roundPixels } from "./rings.js";
import type { AnnotationWriter, CategoryNames, ImageResult, WriteContext } from "./writer.js";
import { imageName } from "./writer.js";
import { escapeXmlData } from "./xml-text.js";

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
    ...[...new Set([...names.values()].map(escapeXmlData))].map(labelElement),
    "      </labels>",
    "    </task>",
    "  </meta>",
    "",
  ].join("\n");
}

/** @param name escaped */
function labelElement(name: string, index: number): string {
  return [
    "        <label>",
    `          <name>${name}</name>`,
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
  const groupFor = groupsOf(regions);
  const sized = size === undefined ? "" : ` width="${size.width}" height="${size.height}"`;
  return [
    `  <image id="${id}" name="${escapeXmlData(imageName(result, context))}"${sized}>`,
    ...regions.flatMap((region) => polygonElements(region, size, groupFor(region))),
    ...tagElements(result.image.raw["tags"]),
    "  </image>",
    "",
  ].join("\n");
}

/** @param groupNumber CVAT takes 0 for "in no group" */
function polygonElements(region: Region, size: ImageResult["size"], groupNumber = "0"): string[] {
  const { label, polygon, score, isInvalid } = region;
  const { occluded, z_order: ___, group_id: _, rotation: __, ...attributes } = region.attributes;
  const place = `occluded="${isTrue(occluded) ? 1 : 0}"`;
  const group = groupNumber === "0" ? "" : ` group_id="${groupNumber}"`;
  const depth = `z_order="${wholeText(region.attributes, "z_order") ?? 0}"${group}`;
  return polygon.flatMap((whole) => {
    const ring = size === undefined ? whole : clipRing(whole, size.width, size.height);
    if (ring === undefined) return [];
    const points = ring.map(({ x, y }) => `${roundPixels(x)},${roundPixels(y)}`).join(";");
    const source = score === undefined ? "manual" : "auto";
    const opening = `    <polygon label="${escapeXmlData(label)}" source="${source}" ${place} points="${points}" ${depth}>`;
    const own = attributeElements(attributes);
    if (score === undefined) return [opening, ...own, "    </polygon>"];
    return [
      opening,
      ...own,
      `      <attribute name="${SCORE}">${score}</attribute>`,
      `      <attribute name="${VALID}">${isInvalid !== true}</attribute>`,
      "    </polygon>",
    ];
  });
}

function isTrue(value: JsonValue | undefined): boolean {
  return value === true || value === 1;
}

/** What a line of text can hold; lists and objects are left out, as CVAT has none. */
function attributeElements(attributes: JsonObject): string[] {
  return Object.entries(attributes).flatMap(([name, value]) =>
    name === SCORE || name === VALID || name === "" || value === null || typeof value === "object"
      ? []
      : [
          `      <attribute name="${escapeXmlData(name)}">${escapeXmlData(numberText(attributes, name) ?? String(value))}</attribute>`,
        ],
  );
}

/** @param tags as the CVAT reader keeps them: `label`, and the tag's attributes beside it */
function tagElements(tags: JsonValue | undefined): string[] {
  return (Array.isArray(tags) ? tags : []).flatMap((tag) => {
    if (!isJsonObject(tag)) return [];
    const { label, ...attributes } = tag;
    if (typeof label !== "string") return [];
    return [
      `    <tag label="${escapeXmlData(label)}" source="manual">`,
      ...attributeElements(attributes),
      "    </tag>",
    ];
  });
}
