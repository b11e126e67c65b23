import fc from "fast-check";
import { expect, test } from "vitest";
import { LARGEST_FLOAT16, toFloat16 } from "../../src/engine/webgpu/float16.js";

/** A finite half's value. */
function valueOf(half: number): number {
  const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
  const magnitude = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return half >= 0x8000 ? -magnitude : magnitude;
}
const halfOf = (value: number): number => toFloat16(Float32Array.of(value))[0]!;

test("every finite half stays what it is", () => {
  const halves = Uint16Array.from({ length: 2 ** 16 }, (_, at) => at).filter((half) => ((half >> 10) & 31) < 31);
  const same = toFloat16(Float32Array.from(halves, valueOf));
  expect(halves.find((half, at) => same[at] !== half)).toBe(undefined);
});

test("any number becomes the nearest half, in the middle the even one", () => {
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -65504, max: 65504 }), (value) => {
      const half = halfOf(value);
      const off = Math.abs(value - valueOf(half));
      for (const other of [half - 1, half + 1]) {
        if (((other >> 10) & 31) === 31 || (other & 0x8000) !== (half & 0x8000)) continue;
        const there = Math.abs(value - valueOf(other));
        expect(there > off || (there === off && half % 2 === 0)).toBe(true);
      }
    }),
  );
});

test.each([
  { value: 1e9, half: 0x7bff, what: "beyond the largest half: that one" },
  { value: -Infinity, half: 0xfbff, what: "negative infinity: the lowest half" },
  { value: 65519, half: 0x7bff, what: "just beyond it" },
  { value: 2047.5, half: 0x67ff + 1, what: "rounded up to the next power of two" },
  { value: 2 ** -14 - 2 ** -26, half: 0x0400, what: "rounded up to the smallest normal half" },
  { value: 1e-30, half: 0, what: "zero" },
  { value: NaN, half: 0x7e00, what: "not a number" },
])("$value becomes $what", ({ value, half }) => {
  expect(halfOf(value)).toBe(half);
  expect(LARGEST_FLOAT16).toBe(valueOf(0x7bff));
});
