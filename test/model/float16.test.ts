import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { expect, test } from "vitest";
import { bfloatsToFloats, floatsToHalves, halvesToFloats } from "../../src/model/float16.js";

/** Conversions by NumPy, see fixtures/reference/safetensors-file.py. */
const golden = JSON.parse(readFileSync(new URL("../../fixtures/goldens/float16.json", import.meta.url), "utf8")) as {
  floatBits: number[];
  halfBits: number[];
  sha256OfEveryHalfAsFloat32: string;
};

const isNotANumber = (half: number): boolean => (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
const everyHalf = Uint16Array.from({ length: 65536 }, (_, bits) => bits);

test("every half becomes the float NumPy makes of it", () => {
  const floats = halvesToFloats(everyHalf.filter((half) => !isNotANumber(half)));
  expect(createHash("sha256").update(floats).digest("hex")).toBe(golden.sha256OfEveryHalfAsFloat32);
});

test("a half that is not a number stays one", () => {
  expect(halvesToFloats(everyHalf.filter(isNotANumber)).every(Number.isNaN)).toBe(true);
});

test("floats round to the halves NumPy rounds to: subnormals, ties, overflow, infinity, both zeros", () => {
  const floats = new Float32Array(Uint32Array.from(golden.floatBits).buffer);
  const halves = floatsToHalves(floats);
  const wrong = golden.halfBits.flatMap((half, at) =>
    halves[at] === half ? [] : [`${floats[at]!}: ${halves[at]!} in place of ${half}`],
  );
  expect(wrong).toEqual([]);
});

test("every half survives the way through a float", () => {
  const sound = everyHalf.filter((half) => !isNotANumber(half));
  expect(floatsToHalves(halvesToFloats(sound))).toEqual(sound);
});

test("a float within the range of halves moves by half a unit in the last place at most", () => {
  fc.assert(
    fc.property(fc.float({ min: -65504, max: 65504, noNaN: true }), (value) => {
      const [back] = halvesToFloats(floatsToHalves(Float32Array.of(value)));
      const unit = Math.max(2 ** -24, 2 ** (Math.floor(Math.log2(Math.abs(value) || 1)) - 10));
      expect(Math.abs(back! - value)).toBeLessThanOrEqual(unit / 2);
    }),
  );
});

test("a float that is not a number becomes a half that is none", () => {
  expect(isNotANumber(floatsToHalves(Float32Array.of(NaN))[0]!)).toBe(true);
});

test("a bfloat16 is the upper half of a float", () => {
  fc.assert(
    fc.property(
      fc.nat(65535).filter((bits) => (bits & 0x7f80) !== 0x7f80),
      (bits) => {
        const [value] = bfloatsToFloats(Uint16Array.of(bits));
        expect(new Uint32Array(Float32Array.of(value!).buffer)[0]).toBe(bits * 65536);
      },
    ),
  );
});
