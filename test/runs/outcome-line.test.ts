import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sealLine, toOutcome, unsealLine } from "../../src/runs/journal.js";
import { headOf, readDoneLine } from "../../src/runs/outcome-line.js";

const coordinate = fc.integer({ min: -1e6, max: 1e6 }).map((hundredths) => hundredths / 100);
const id = fc.oneof(fc.integer(), fc.string());
const outcome = fc.record({
  type: fc.constant("outcome"),
  ordinal: fc.nat(),
  annotationId: id,
  imageId: id,
  status: fc.constant("done"),
  ring: fc.array(fc.record({ x: coordinate, y: coordinate }), { minLength: 3, maxLength: 12 }),
  score: fc.integer({ min: 0, max: 10_000 }).map((part) => part / 10_000),
  ended: fc.boolean(),
  clipped: fc.boolean(),
  imageWidth: fc.nat(),
  imageHeight: fc.nat(),
});

/** What the whole line says, parsed. */
function parsed(line: string): unknown {
  const value = unsealLine(line);
  const whole = value === undefined ? undefined : toOutcome(value);
  return whole?.status === "done" ? headOf(whole) : undefined;
}

describe("a line of a polygon", () => {
  test("is known from its bytes as the writer writes it", () => {
    const line = sealLine({
      ...{ type: "outcome", ordinal: 7, annotationId: 8, imageId: "a/b.jpg", status: "done" },
      ring: [
        { x: 0, y: 1.25 },
        { x: 10, y: 0.5 },
        { x: 5.01, y: 33 },
      ],
      ...{ score: 0.4014, ended: true, clipped: false, imageWidth: 640, imageHeight: 480 },
    });
    expect(readDoneLine(Buffer.from(line))).toEqual({ ordinal: 7, status: "done", score: 0.4014 });
  });

  test("says the same as when it is parsed, or nothing", () => {
    fc.assert(
      fc.property(outcome, (value) => {
        const line = sealLine(value);
        const found = readDoneLine(Buffer.from(line));
        if (found !== undefined) expect(found).toEqual(parsed(line));
      }),
    );
  });

  test("with any one byte changed is not known", () => {
    fc.assert(
      fc.property(outcome, fc.nat(), fc.integer({ min: 1, max: 255 }), (value, place, change) => {
        const bytes = Buffer.from(sealLine(value));
        const at = place % bytes.length;
        bytes[at] = bytes[at]! ^ change;
        expect(readDoneLine(bytes)).toBeUndefined();
      }),
    );
  });
});

test.each([
  ["a number with an exponent", { score: 1e-9 }],
  ["two vertices", { ring: [0, 1].map((x) => ({ x, y: x })) }],
  ["a vertex with more than its place", { ring: [0, 1, 2].map((x) => ({ x, y: x, z: 0 })) }],
  ["a negative ordinal", { ordinal: -1 }],
  ["half an ordinal", { ordinal: 0.5 }],
  ["a field more", { more: 1 }],
  ["an id with an escape", { imageId: 'a"b' }],
  ["an id that is not ASCII", { imageId: "ä" }],
  ["a failure", { status: "failed" }],
  ["a ring that fills a megabyte", { ring: Array.from({ length: 100_000 }, (_, x) => ({ x, y: 0 })) }],
])("%s is left to the parser", (_, change) => {
  const ring = [0, 1, 2].map((x) => ({ x, y: x }));
  const known = { type: "outcome", ordinal: 0, annotationId: 1, imageId: 1, status: "done", ring, score: 0.5 };
  const sizes = { ended: true, clipped: false, imageWidth: 9, imageHeight: 9 };
  expect(readDoneLine(Buffer.from(sealLine({ ...known, ...sizes })))).toBeDefined();
  expect(readDoneLine(Buffer.from(sealLine({ ...known, ...sizes, ...change })))).toBeUndefined();
});
