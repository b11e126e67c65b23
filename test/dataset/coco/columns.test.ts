/** The index of annotations, against grouping them in a plain way. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { AnnotationIndex } from "../../../src/dataset/coco/columns.js";
import { IdNumbers } from "../../../src/dataset/coco/columns.js";

const id = fc.oneof(fc.integer({ min: 0, max: 4 }), fc.constantFrom("0", "a", "b", 1.5, undefined));
const annotation = fc.record({
  id,
  imageId: fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom("x", undefined)),
});

test("annotations are grouped by image in file order, and repeated ids point to the first", () => {
  fc.assert(
    fc.property(fc.array(annotation, { maxLength: 30 }), (annotations) => {
      const numbers = new IdNumbers();
      const index = new AnnotationIndex(numbers);
      annotations.forEach((one, i) => {
        index.add(i * 2 ** 33, i, one.id, one.imageId);
      });
      const groups = numbers.count + 1;
      const grouped = index.finish(
        Int32Array.from({ length: numbers.count }, (_, i) => i),
        groups,
      );

      expect(grouped.count).toBe(annotations.length);
      for (let group = 0; group < groups; group++) {
        const imageId = group < numbers.count ? numbers.id(group) : undefined;
        expect([...grouped.group(group)]).toEqual(
          annotations.flatMap((one, i) => (one.imageId === imageId ? [i] : [])),
        );
      }
      annotations.forEach((one, i) => {
        const first = annotations.findIndex((other) => other.id === one.id);
        expect(grouped.firstWithSameId(i)).toBe(one.id === undefined || first === i ? undefined : first);
        expect([grouped.offsets[i], grouped.lengths[i]]).toEqual([i * 2 ** 33, i]);
      });
    }),
  );
});

test("an index over more annotations than one block keeps them all", () => {
  const numbers = new IdNumbers();
  const index = new AnnotationIndex(numbers);
  for (let i = 0; i < 5000; i++) index.add(i, 1, i % 4999, "image");
  const grouped = index.finish(Int32Array.of(0), 2);
  expect(grouped.group(0)).toHaveLength(5000);
  expect([grouped.firstWithSameId(4998), grouped.firstWithSameId(4999)]).toEqual([undefined, 0]);
});
