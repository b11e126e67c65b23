import fc from "fast-check";
import { expect, test } from "vitest";
import type { ArchitectureOptions } from "../../../src/network/polygon-rnn.js";
import { describeNetwork } from "../../../src/network/build.js";
import { permute, toFileLayout, toTfjsLayout, weightRoles } from "../../../src/engine/tfjs/layout.js";
import type { WeightRole } from "../../../src/engine/tfjs/layout.js";

const NETWORKS: readonly ArchitectureOptions[] = [
  { name: "mobile", widths: [24, 16], features: 128, skip: 64, rank: 128, peepholes: true },
  { name: "vgg16", widths: [16, 16], peepholes: true },
  { name: "tiny", widths: [5, 3], features: 7, rank: 4, peepholes: false },
];

test.each(NETWORKS)("every weight of $name has a role", (options) => {
  const network = describeNetwork(options);
  const roles = weightRoles(network);
  expect([...roles.keys()].sort()).toEqual([...network.weightShapes.keys()].sort());
});

test("the role comes from the use, not from the shape", () => {
  const roles = weightRoles(describeNetwork(NETWORKS[0]!));
  expect(roles.get("encoder.block_1.depthwise.weight")).toEqual({ kind: "depthwise" });
  expect(roles.get("encoder.block_1.expand.weight")).toEqual({ kind: "kernel" });
  expect(roles.get("decoder.global_1.weight")).toEqual({ kind: "rows", input: [16, 28, 28] });
  expect(roles.get("decoder.global_2.weight")).toEqual({ kind: "rows" });
  expect(roles.get("decoder.peephole_1.forget.weight")).toEqual({ kind: "map" });
});

/** A role with a shape that fits it. */
const anyWeight: fc.Arbitrary<{ role: WeightRole; shape: number[] }> = fc.oneof(
  fc.tuple(size(), size(), size()).map(([o, i, k]) => ({ role: { kind: "kernel" } as const, shape: [o, i, k, k] })),
  fc.tuple(size(), size()).map(([c, k]) => ({ role: { kind: "depthwise" } as const, shape: [c, 1, k, k] })),
  size().map((o) => ({ role: { kind: "bias" } as const, shape: [o] })),
  fc.tuple(size(), size(), size()).map(([c, h, w]) => ({ role: { kind: "map" } as const, shape: [c, h, w] })),
  fc.tuple(size(), size()).map(([o, n]) => ({ role: { kind: "rows" } as const, shape: [o, n] })),
  fc
    .tuple(size(), size(), size(), size())
    .map(([o, c, h, w]) => ({ role: { kind: "rows", input: [c, h, w] } as const, shape: [o, c * h * w] })),
);

test("a weight comes back from the layout of TensorFlow.js as it was", () => {
  fc.assert(
    fc.property(anyWeight, ({ role, shape }) => {
      const weight = { shape, values: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, at) => at) };
      expect(toFileLayout(toTfjsLayout(weight, role), role)).toEqual(weight);
    }),
  );
});

test("permuting moves the value at [a, b, c] to [c, a, b]", () => {
  fc.assert(
    fc.property(size(), size(), size(), (a, b, c) => {
      const values = Float32Array.from({ length: a * b * c }, (_, at) => at);
      const moved = permute(values, [a, b, c], [2, 0, 1]);
      expect(moved.shape).toEqual([c, a, b]);
      for (let i = 0; i < a; i++)
        for (let j = 0; j < b; j++)
          for (let k = 0; k < c; k++) {
            expect(moved.values[(k * a + i) * b + j]).toBe(values[(i * b + j) * c + k]);
          }
    }),
  );
});

test("a depthwise kernel keeps each channel's own values", () => {
  const values = Float32Array.from({ length: 2 * 3 * 3 }, (_, at) => at);
  const { shape, values: moved } = toTfjsLayout({ shape: [2, 1, 3, 3], values }, { kind: "depthwise" });
  expect(shape).toEqual([3, 3, 2, 1]);
  expect([...moved].filter((_, at) => at % 2 === 1)).toEqual([9, 10, 11, 12, 13, 14, 15, 16, 17]);
});

function size(): fc.Arbitrary<number> {
  return fc.integer({ min: 1, max: 4 });
}
