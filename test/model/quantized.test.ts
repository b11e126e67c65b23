/** Kernels of int8 with a scale for each output channel become float32, or the file is refused. */
import { expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { widenTensors } from "../../src/model/quantized.js";
import type { StoredTensor } from "../../src/model/safetensors.js";

function floats(...values: number[]): StoredTensor {
  return { dtype: "F32", shape: [values.length], bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

const kernel: StoredTensor = {
  dtype: "I8",
  shape: [2, 1, 1, 2],
  bytes: new Uint8Array(Int8Array.of(-128, 127, 3, -1).buffer),
};

test("every channel is multiplied with its own scale, and the rest stays as it is", () => {
  const weights = widenTensors(
    new Map([
      ["a.weight", kernel],
      ["a.weight|scale", floats(0.5, 2)],
      ["a.bias", floats(7, 8)],
    ]),
    "file",
  );
  expect([...weights.keys()]).toEqual(["a.weight", "a.bias"]);
  expect(weights.get("a.weight")).toEqual({ shape: [2, 1, 1, 2], values: Float32Array.of(-64, 63.5, 6, -2) });
  expect(weights.get("a.bias")!.values).toEqual(Float32Array.of(7, 8));
});

test.each([
  { why: "no scales", scale: undefined, says: "a.weight: expected |scale beside it" },
  { why: "a scale of zero", scale: floats(1, 0), says: "received 0 for output channel 1" },
  { why: "a scale below zero", scale: floats(-1, 1), says: "received -1 for output channel 0" },
  { why: "a scale that is no number", scale: floats(1, NaN), says: "received NaN for output channel 1" },
  { why: "an infinite scale", scale: floats(Infinity, 1), says: "received Infinity for output channel 0" },
  { why: "a scale beyond float32 when multiplied", scale: floats(1, 3e38), says: "for output channel 1" },
  { why: "one scale for two channels", scale: floats(1), says: "expected scales of shape [2] but received [1]" },
  { why: "scales of another type", scale: { ...kernel, shape: [4] }, says: "expected scales of F32, F16 or BF16" },
])("int8 with $why is refused", ({ scale, says }) => {
  const tensors = new Map([["a.weight", kernel]]);
  if (scale !== undefined) tensors.set("a.weight|scale", scale);
  expect(() => widenTensors(tensors, "file")).toThrow(PolyrnnError);
  expect(() => widenTensors(tensors, "file")).toThrow(says);
});

test("scales without int8, and a single number of int8, are refused", () => {
  expect(() => widenTensors(new Map([["a.weight|scale", floats(1)]]), "file")).toThrow("a tensor of I8");
  const both = new Map([
    ["a.weight", floats(1)],
    ["a.weight|scale", floats(1)],
  ]);
  expect(() => widenTensors(both, "file")).toThrow("received F32");
  const single = { dtype: "I8", shape: [], bytes: new Uint8Array(1) };
  expect(() => widenTensors(new Map([["a.weight", single]]), "file")).toThrow("a single number of I8");
});
