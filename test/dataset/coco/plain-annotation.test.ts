import fc from "fast-check";
import { expect, test } from "vitest";
import { readAnnotation } from "../../../src/dataset/coco/annotation.js";
import { readPlainAnnotation } from "../../../src/dataset/coco/plain-annotation.js";

/** What the whole annotation is, parsed and judged. */
function judged(text: string): unknown {
  const entry = readAnnotation(
    Buffer.from(text),
    {
      ...{ ordinal: 0, offset: 0, scale: undefined, hasImageId: true, firstWithSameId: undefined },
      image: { id: 1, fileName: "a.jpg", raw: {} },
    },
    { file: "boxes.json", format: "coco", categories: new Set([0, 1, 2, 3]) },
  );
  if (entry.kind !== "instance") return entry.kind;
  const { annotationId, categoryId, box } = entry.instance;
  return { id: annotationId, categoryId, box };
}

test.each([
  '{"id":5,"image_id":1,"category_id":2,"bbox":[1,2.5,3,4.25],"area":7.75,"iscrowd":0}',
  '{"iscrowd": 0, "bbox": [1, 2.5, 3, 4.25], "category_id": 2, "image_id": 1, "id": 5}',
  '{\n  "id" : 5,\r\n\t"image_id":1,"category_id":2,"score":0.125,"bbox" : [ 1 , 2.5 , 3 , 4.25 ]\n}',
  '{"id":4,"id":5,"image_id":1,"category_id":2,"bbox":[0,0,9,9],"bbox":[1,2.5,3,4.25]}',
])("a plain annotation is known from its bytes: %s", (text) => {
  const expected = { id: 5, categoryId: 2, box: { left: 1, top: 2.5, width: 3, height: 4.25 } };
  expect(readPlainAnnotation(Buffer.from(text))).toEqual(expected);
  expect(judged(text)).toEqual(expected);
});

const number = fc.oneof(
  fc.integer().map(String),
  fc.double().map((value) => JSON.stringify(value)),
  fc.integer({ min: -1e9, max: 1e9 }).map((value) => String(value / 1000)),
  fc.constantFrom("-0", "0.0", "1.50", "01", "1.", ".5", "-", "1e5", "NaN", "null", '"1"', "true", "9007199254740993"),
);
const field = fc.oneof(
  fc.tuple(fc.constantFrom("id", "image_id", "category_id", "iscrowd", "area", "score", "more"), number),
  fc.tuple(
    fc.constant("bbox"),
    fc.array(number, { minLength: 3, maxLength: 5 }).map((parts) => `[${parts.join(",")}]`),
  ),
  fc.tuple(fc.constantFrom("segmentation", "bbox"), fc.constantFrom("[]", "null", "[[1,1,5,1,5,5]]")),
);
const whole = ['"id":1', '"image_id":1', '"category_id":1', '"bbox":[1,1,9,9]'];

test("of any annotation it says what its parser says, or nothing", () => {
  let known = 0;
  fc.assert(
    fc.property(fc.subarray(whole), fc.array(field, { maxLength: 3 }), fc.boolean(), (some, more, isFirst) => {
      const others = more.map(([name, value]) => `"${name}":${value}`);
      const text = `{${(isFirst ? [...others, ...some] : [...some, ...others]).join(",")}}`;
      const found = readPlainAnnotation(Buffer.from(text));
      if (found === undefined || ![0, 1, 2, 3].includes(found.categoryId)) return;
      known++;
      expect(found).toEqual(judged(text));
    }),
    { numRuns: 2000 },
  );
  expect(known).toBeGreaterThan(20);
});

test("cut at any byte, or with anything behind it, it is not known", () => {
  const text = `{${whole.join(",")}}`;
  for (let length = 0; length < text.length; length++)
    expect(readPlainAnnotation(Buffer.from(text.slice(0, length)))).toBeUndefined();
  expect(readPlainAnnotation(Buffer.from(`${text} `))).toBeUndefined();
});
