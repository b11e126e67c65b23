/**
 * One pass over a COCO file or results list: what is in it and where. Keeps a few numbers per record, the categories,
 * and the other top-level fields.
 */
import { invalidData } from "../../errors.js";
import { receivedIn, setField } from "../../json-text.js";
import type { Category, Id, JsonObject } from "../../types.js";
import { describeViolation } from "../../validate.js";
import type { ByteFile } from "../json/byte-file.js";
import type { JsonOutline, ListElement, ListHandler } from "../json/elements.js";
import { IGNORE, walkJson } from "../json/elements.js";
import { describeProblem, parseJsonBytes } from "../json/value.js";
import { BoxCounter } from "../relative-boxes.js";
import { AnnotationIndex, IdNumbers, ImageTableBuilder } from "./columns.js";
import { checkCocoCategory } from "./schema.js";

export interface CocoIndex {
  readonly file: ByteFile;
  readonly outline: JsonOutline;
  /** Ids of images, from `images` and from annotations. */
  readonly imageIds: IdNumbers;
  /** Category ids the annotations name, in order of first appearance. */
  readonly categoryIds: IdNumbers;
  readonly images: ImageTableBuilder;
  readonly annotations: AnnotationIndex;
  /** What the boxes of the annotations look like. */
  readonly boxes: BoxCounter;
  /** Annotations with a field that says what the file is instead: panoptic segments, captions. */
  readonly foreign: { segments_info: number; caption: number };
  /** @throws E_DATA for a category without id or name, or an id that stands twice */
  categories(): readonly Category[];
  /** Top-level fields other than images, annotations and categories. */
  readonly header: JsonObject;
}

/** @param parts "images" skips the annotations, where a file only names images and categories */
export async function indexCoco(file: ByteFile, parts: "all" | "images" = "all"): Promise<CocoIndex> {
  const imageIds = new IdNumbers();
  const categoryIds = new IdNumbers();
  const images = new ImageTableBuilder(imageIds);
  const annotations = new AnnotationIndex(imageIds);
  const categories = new CategoryReader(file.path);
  const boxes = new BoxCounter();
  const foreign = { segments_info: 0, caption: 0 };
  const header: JsonObject = {};

  /** @param hasIds whether `id` is the annotation's id: in a results list it is a field like any other */
  const annotationHandler = (hasIds: boolean): ListHandler =>
    parts === "images"
      ? IGNORE
      : {
          fields: ["id", "image_id", "category_id", "bbox", "segments_info", "caption"],
          element({ offset, length, fields, bytes }) {
            const imageId = fields.id(1, bytes);
            annotations.add(offset, length, hasIds ? fields.id(0, bytes) : undefined, imageId);
            if (imageId === undefined && annotations.unusableImageId === undefined && fields.has(1))
              annotations.noteUnusableImageId(fields.received(1, bytes));
            const category = fields.id(2, bytes);
            if (category !== undefined) categoryIds.of(category);
            if (!boxes.isSettled()) boxes.noteText(fields.text(3, bytes));
            if (fields.has(3)) return;
            if (fields.has(4)) foreign.segments_info++;
            else if (fields.has(5)) foreign.caption++;
          },
        };
  const imageHandler: ListHandler = {
    fields: ["id"],
    element({ offset, length, fields, bytes }) {
      images.add(offset, length, fields.id(0, bytes), () => fields.received(0, bytes));
    },
  };
  const outline = await walkJson(file, {
    lists: new Map([
      ["images", imageHandler],
      ["annotations", annotationHandler(true)],
      ["categories", categories],
    ]),
    root: annotationHandler(false),
    value(key, value, text) {
      setField(header, key, value, text);
    },
  });
  return {
    file,
    outline,
    imageIds,
    categoryIds,
    images,
    annotations,
    boxes,
    foreign,
    categories: () => categories.finish(),
    header,
  };
}

/** Keeps a problem until the file is known to be COCO: in another format, "categories" may be anything. */
class CategoryReader implements ListHandler {
  readonly fields = [];
  private readonly categories = new Map<Id, Category>();
  private problem: string | undefined;

  constructor(private readonly file: string) {}

  element({ index, offset, length, bytes, start }: ListElement): void {
    if (this.problem !== undefined) return;
    const parsed = parseJsonBytes(bytes.subarray(start, start + length), offset);
    const where = `categories[${index}]`;
    if (parsed.kind === "problem") {
      this.problem = `${where}, ${describeProblem(parsed)}`;
      return;
    }
    const violation = checkCocoCategory(parsed.value);
    if (violation !== undefined) {
      this.problem = `${where}: ${describeViolation(violation)}`;
      return;
    }
    const raw = parsed.value as JsonObject;
    const { id, name } = raw as { id: Id; name: string };
    if (this.categories.has(id))
      this.problem = `${where}: expected every category id once, received ${receivedIn(raw, "id")} a second time`;
    this.categories.set(id, { id, name, raw });
  }

  finish(): readonly Category[] {
    if (this.problem !== undefined)
      throw invalidData(`${this.file}: ${this.problem}`, "Correct this category, then run again.");
    return [...this.categories.values()];
  }
}
