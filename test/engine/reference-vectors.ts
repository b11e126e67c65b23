/** What PyTorch computed for models/mobile, and the comparison with it; used by both engines' tests. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "vitest";
import type { PolygonRnn } from "../../src/network/polygon-rnn.js";
import { readSafetensors, tensorValues } from "../../src/model/safetensors.js";
import { distance, syntheticCrops } from "./network-runner.js";
import type { NetworkRunner, Weights } from "./network-runner.js";
import { bestOf, zeroState } from "./parity-cases.js";

const CHECKED_IN = fileURLToPath(new URL("../../fixtures/goldens/mobile.reference.safetensors", import.meta.url));
/** Weights that `mobile` was made from, and the vectors that came with them, beside the checkout where they exist. */
const BESIDE = fileURLToPath(new URL("../../../shared/weights/", import.meta.url));
/** As the files call what the networks call otherwise. */
const OTHER_NAMES = new Map([["fine", "fineMask"]]);

/** Of the range (largest minus smallest value) of the whole tensor. */
const TOLERANCE = 1e-3;

export interface Reference {
  /** [count, 224, 224, 3] */
  readonly crops: Uint8Array;
  readonly count: number;
  /** [count][steps + 1], the first vertex first, 784 from the end on. */
  readonly cells: readonly (readonly number[])[];
  /** Names of the tensors there are vectors for. */
  readonly names: ReadonlySet<string>;
  /**
   * @param whole the tensor, [B, C, H, W] flattened @returns the part that was kept, what PyTorch has for it, and the
   *   tensor's range
   */
  compare(
    name: string,
    whole: Float32Array,
  ): { readonly actual: Float32Array; readonly expected: Float32Array; readonly range: number };
}

/** fixtures/goldens/mobile.reference.safetensors: three synthetic crops, large tensors sampled with a stride. */
export async function checkedInReference(): Promise<Reference> {
  const file = await readSafetensors(CHECKED_IN);
  const values = (name: string): Float32Array => tensorValues(file.tensors.get(name)!, name);
  const strides = JSON.parse(file.metadata.get("strides")!) as Record<string, number>;
  const [count, length] = file.tensors.get("cells")!.shape as [number, number];
  const crops = syntheticCrops(count);
  const cropBytes = crops.length / count;
  const sums = Array.from({ length: count }, (_, at) =>
    crops.subarray(at * cropBytes, (at + 1) * cropBytes).reduce((sum, value) => sum + value, 0),
  );
  expect(sums, "sums of the pixels: the crops are drawn as in fixtures/reference/mobile.py").toEqual(
    JSON.parse(file.metadata.get("cropSums")!),
  );
  return {
    crops,
    count,
    cells: rowsOf(values("cells"), length),
    names: new Set(file.tensors.keys()),
    compare(name, whole) {
      const [low, high] = values(`${name}.range`);
      return {
        actual: whole.filter((_, at) => at % strides[name]! === 0),
        expected: values(name),
        range: high! - low!,
      };
    },
  };
}

/** @returns undefined when the folder beside the checkout is not there; the reason is printed */
export async function referenceBesideCheckout(
  which: "first" | "refined",
): Promise<(Reference & { readonly weights: Weights }) | undefined> {
  const weightsFile = `${BESIDE}polyrnn_mobile_${which}.safetensors`;
  const referenceFile = `${BESIDE}polyrnn_mobile_${which}.reference.safetensors`;
  if (!existsSync(referenceFile)) {
    console.log("reference vectors beside the checkout skipped: ../shared/weights is not there");
    return undefined;
  }
  const file = await readSafetensors(referenceFile);
  const tensors = new Map([...file.tensors].map(([name, tensor]) => [OTHER_NAMES.get(name) ?? name, tensor]));
  const values = (name: string): Float32Array => tensorValues(tensors.get(name)!, name);
  const [count, length] = file.tensors.get("cells")!.shape as [number, number];
  const first = await readSafetensors(weightsFile);
  return {
    weights: new Map(
      Array.from(first.tensors, ([name, tensor]) => [
        name,
        { shape: tensor.shape, values: tensorValues(tensor, name) },
      ]),
    ),
    crops:
      file.tensors.get("crops")!.dtype === "U8"
        ? file.tensors.get("crops")!.bytes.slice()
        : Uint8Array.from(values("crops")),
    names: new Set(tensors.keys()),
    count,
    cells: rowsOf(values("cells"), length),
    compare(name, actual) {
      const expected = values(name);
      return {
        actual,
        expected,
        range: expected.reduce((a, b) => Math.max(a, b)) - expected.reduce((a, b) => Math.min(a, b)),
      };
    },
  };
}

/** Tensors of the image side and of two steps within 1e-3 of their range; every cell of every sequence the same. */
export async function expectReference(reference: Reference, runner: NetworkRunner, network: PolygonRnn): Promise<void> {
  const expectNear = (name: string, whole: Float32Array): void => {
    if (!reference.names.has(name)) return;
    const { actual, expected, range } = reference.compare(name, whole);
    expect(
      distance(actual, expected) / range,
      `${name}: largest difference, as a part of the range`,
    ).toBeLessThanOrEqual(TOLERANCE);
  };
  const { count, cells } = reference;
  const encoded = await runner.encode(reference.crops, count);
  expectNear("features", encoded.get("features")!);
  expectNear("hoisted", encoded.get("hoisted")!);
  expectNear(
    "maps",
    interleave(
      ["edge", "vertex", "mask"].map((name) => encoded.get(name)!),
      count,
    ),
  );
  if (encoded.has("fineMask")) expectNear("fineMask", encoded.get("fineMask")!);
  const column = (step: number): Int32Array => Int32Array.from(cells, (row) => (step < 0 ? 784 : row[step]!));
  expect(bestOf(encoded.get("vertex")!, count), "first vertices").toEqual(column(0));
  let state = zeroState(network, count);
  for (let step = 1; step < cells[0]!.length; step++) {
    const next = await runner.step(
      encoded.get("hoisted")!,
      { first: column(0), previous: column(step - 1), beforePrevious: column(step - 2) },
      state,
    );
    if (step <= 2) expectNear(`logits_${step}`, next.logits);
    if (step === 2) expectNear("h2_2", next.state[2]);
    const best = bestOf(next.logits, count);
    cells.forEach((row, at) => {
      if (row[step - 1] !== 784) expect(best[at], `cell ${step} of crop ${at}`).toBe(row[step]);
    });
    state = next.state;
  }
}

/** Maps of one channel each, [B, 1, H, W], as channels of one tensor. */
function interleave(maps: readonly Float32Array[], count: number): Float32Array {
  const joined = new Float32Array(maps.length * maps[0]!.length);
  const cells = maps[0]!.length / count;
  for (let row = 0; row < count; row++) {
    maps.forEach((map, channel) => {
      joined.set(map.subarray(row * cells, (row + 1) * cells), (row * maps.length + channel) * cells);
    });
  }
  return joined;
}

function rowsOf(values: Float32Array, length: number): number[][] {
  return Array.from({ length: values.length / length }, (_, row) => [
    ...values.subarray(row * length, (row + 1) * length),
  ]);
}
