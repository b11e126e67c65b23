/**
 * annotations.json: a COCO instances file that pycocotools loads.
 *
 * Images and annotations are two lists of one document and arrive together, image by image. Images go straight into the
 * file; annotations go into a second file beside it, which is appended at the end. Nothing is kept in memory.
 * Annotations come in the order of their images, also where the input mixes annotations of different images. See
 * coco-annotation.ts for what an annotation holds.
 *
 * The header (info, licenses, ...), the categories and the images go out as they came in, every number as it was
 * written. Readers stop where `info` or `licenses` is missing or null: these are an object and a list then. An image
 * gets width and height where the input has none, because pycocotools needs them; an image that the input does not list
 * gets no record. Format: COCO, "Data format" page of the COCO dataset's site, and pycocotools 2.
 */
import { join } from "node:path";
import { abortAll, AtomicFile } from "../files/atomic-file.js";
import { fieldTexts, toJsonText } from "../json-text.js";
import type { ImageRecord, JsonObject } from "../types.js";
import { toCocoAnnotation } from "./coco-annotation.js";
import { nameCategories } from "./labels.js";
import type { AnnotationWriter, ImageResult, WriteContext } from "./writer.js";

const FILE_NAME = "annotations.json";
/** Fields of the header that are never passed through. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["images", "annotations", "categories"]);

/** What stands for null, where readers need the field. */
const EMPTY: ReadonlyMap<string, string> = new Map([
  ["info", "{}"],
  ["licenses", "[]"],
]);

export async function openCocoWriter(context: WriteContext): Promise<AnnotationWriter> {
  const names = nameCategories(context.categories);
  const file = await AtomicFile.open(join(context.out, FILE_NAME));
  const side = await AtomicFile.open(join(context.out, `${FILE_NAME}.list`)).catch(async (error: unknown) => {
    await file.abort();
    throw error;
  });
  await file.write(openingText(context));
  const images = new ListWriter(file);
  const annotations = new ListWriter(side);
  return {
    async image(result) {
      if (result.isUnknown !== true) await images.add(imageObject(result));
      for (const item of result.items) {
        const annotation = toCocoAnnotation(item, result, names, context.formatOptions?.segmentation);
        if (annotation !== undefined) await annotations.add(annotation);
      }
    },
    async finish() {
      await file.write('],\n"annotations":[');
      await file.writeContentOf(side);
      await file.write("]}\n");
      await file.commit();
      await side.abort();
      return [FILE_NAME];
    },
    abort: () => abortAll([file, side]),
  };
}

/** One value per line, so that the file can be read and compared line by line. */
class ListWriter {
  #isEmpty = true;
  constructor(private readonly file: AtomicFile) {}

  async add(value: JsonObject): Promise<void> {
    await this.file.write(`${this.#isEmpty ? "" : ","}\n${toJsonText(value)}`);
    this.#isEmpty = false;
  }
}

function openingText({ header, categories, generator }: WriteContext): string {
  const fields = fieldTexts(header).filter(([key]) => !OWN_FIELDS.has(key));
  if (!Object.hasOwn(header, "info")) fields.unshift(["info", JSON.stringify({ description: generator })]);
  const afterInfo = fields.findIndex(([key]) => key === "info") + 1;
  if (!Object.hasOwn(header, "licenses")) fields.splice(afterInfo, 0, ["licenses", "[]"]);
  fields.push(["categories", toJsonText(categories.map(({ id, name, raw }) => ({ ...raw, id, name })))]);
  const lines = fields.map(
    ([key, text]) => `${JSON.stringify(key)}:${text === "null" ? (EMPTY.get(key) ?? text) : text}`,
  );
  return `{${lines.join(",\n")},\n"images":[`;
}

/** A record that could not be used stays as it is: a name that was never there would be looked for. */
function imageObject({ image, size }: ImageResult): JsonObject {
  return { ...image.raw, id: image.id, ...missingSize(image, size) };
}

function missingSize({ raw }: ImageRecord, size: ImageResult["size"]): JsonObject {
  if (size === undefined || (typeof raw["width"] === "number" && typeof raw["height"] === "number")) return {};
  return { width: size.width, height: size.height };
}
