import { readFile, writeFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { EXIT, PolyrnnError } from "../../src/errors.js";
import { parseSafetensors, readSafetensors, serializeSafetensors, tensorValues } from "../../src/model/safetensors.js";
import type { WeightTensor } from "../../src/model/safetensors.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
});

/** A file with this header text and this many data bytes. */
function fileOf(header: string, dataBytes: number, claimedLength?: bigint): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimedLength ?? BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

function messageOf(run: () => unknown): PolyrnnError {
  try {
    run();
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
  throw new Error("expected a PolyrnnError");
}

/** A copy: the values may be a view of the whole file. */
const bitsOf = (values: Float32Array): Uint32Array => new Uint32Array(values.slice().buffer);

const anyShape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const anyTensor = anyShape.chain((shape) => {
  const length = shape.reduce((a, b) => a * b, 1);
  return fc.float32Array({ minLength: length, maxLength: length }).map((values): WeightTensor => ({ shape, values }));
});
const anyName = fc.string({ unit: "grapheme", maxLength: 12 }).filter((name) => name !== "__metadata__");
const anyTensors = fc
  .array(fc.tuple(fc.oneof(anyName, fc.constant("__proto__")), anyTensor), { maxLength: 6 })
  .map((pairs) => new Map(pairs));

describe("round trip", () => {
  test("F32 tensors of any name and shape come back with the same bits", () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const file = parseSafetensors(serializeSafetensors(tensors, { dtype: "F32" }), "memory");
        expect([...file.tensors.keys()].sort()).toEqual([...tensors.keys()].sort());
        for (const [name, tensor] of tensors) {
          const stored = file.tensors.get(name)!;
          expect(stored.shape).toEqual(tensor.shape);
          expect(bitsOf(tensorValues(stored, name))).toEqual(bitsOf(tensor.values));
        }
      }),
    );
  });

  test("the order in which tensors are handed over does not change a byte", () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const reversed = new Map([...tensors].reverse());
        expect(serializeSafetensors(reversed, { dtype: "F32" })).toEqual(
          serializeSafetensors(tensors, { dtype: "F32" }),
        );
      }),
    );
  });

  test("metadata comes back", () => {
    const bytes = serializeSafetensors(new Map(), { dtype: "F32", metadata: { made: "by hand" } });
    expect([...parseSafetensors(bytes, "memory").metadata]).toEqual([["made", "by hand"]]);
  });

  test("a file is read with the sha256 of its bytes", async () => {
    const path = join(folder, "sound.safetensors");
    const bytes = serializeSafetensors(new Map([["a", { shape: [2], values: Float32Array.of(1, -0) }]]), {
      dtype: "F16",
    });
    await writeFile(path, bytes);
    const file = await readSafetensors(path);
    expect(file.sha256).toBe(
      createHash("sha256")
        .update(await readFile(path))
        .digest("hex"),
    );
    expect(file.byteLength).toBe(bytes.length);
    expect(Object.is(tensorValues(file.tensors.get("a")!, "a")[1], -0)).toBe(true);
  });

  test("a tensor at an odd byte of the file is read", () => {
    const header = JSON.stringify({
      a: { dtype: "U8", shape: [1], data_offsets: [0, 1] },
      b: { dtype: "F32", shape: [1], data_offsets: [1, 5] },
    });
    const bytes = fileOf(header, 5);
    new DataView(bytes.buffer).setFloat32(bytes.length - 4, 0.5, true);
    expect([...tensorValues(parseSafetensors(bytes, "memory").tensors.get("b")!, "b")]).toEqual([0.5]);
  });
});

describe("hostile headers", () => {
  const entry = (dtype: unknown, shape: unknown, offsets: unknown): string =>
    JSON.stringify({ t: { dtype, shape, data_offsets: offsets } });
  const cases: { why: string; bytes: Uint8Array; says: RegExp }[] = [
    { why: "an empty file", bytes: new Uint8Array(0), says: /expected a safetensors file but received an empty file/ },
    {
      why: "a text file",
      bytes: new TextEncoder().encode("this is not a model, sorry"),
      says: /a header of at most 18 bytes/,
    },
    {
      why: "a header longer than the file",
      bytes: fileOf("{}", 0, 2n ** 63n),
      says: /a header of at most 2 bytes but received a header length of 9223372036854775808/,
    },
    {
      why: "a header longer than any model needs",
      bytes: fileOf(" ".repeat(10_000_001), 0),
      says: /a header of at most 10000000 bytes/,
    },
    { why: "a header that is not JSON", bytes: fileOf("{nope", 0), says: /expected a JSON header/ },
    {
      why: "a header that is not UTF-8",
      bytes: Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0xff),
      says: /expected a JSON header/,
    },
    { why: "a list as header", bytes: fileOf("[]", 0), says: /JSON object as header/ },
    {
      why: "metadata that is not text",
      bytes: fileOf('{"__metadata__":{"a":1}}', 0),
      says: /"a" to be a string but received 1/,
    },
    { why: "metadata that is a number", bytes: fileOf('{"__metadata__":7}', 0), says: /__metadata__ to be an object/ },
    { why: "a tensor that is a number", bytes: fileOf('{"t":7}', 0), says: /tensor "t": expected an object/ },
    {
      why: "an unknown dtype",
      bytes: fileOf(entry("F12", [1], [0, 4]), 4),
      says: /dtype to be one of .* but received "F12"/,
    },
    {
      why: "a dtype named like a method",
      bytes: fileOf(entry("constructor", [1], [0, 4]), 4),
      says: /dtype to be one of/,
    },
    { why: "no dtype", bytes: fileOf('{"t":{"shape":[1],"data_offsets":[0,4]}}', 4), says: /but received nothing/ },
    {
      why: "a negative length",
      bytes: fileOf(entry("F32", [-1], [0, 4]), 4),
      says: /shape to be a list of whole numbers/,
    },
    {
      why: "a fractional length",
      bytes: fileOf(entry("F32", [0.5, 2], [0, 4]), 4),
      says: /shape to be a list of whole numbers/,
    },
    {
      why: "a shape whose product overflows",
      bytes: fileOf(entry("F32", [2 ** 52, 2 ** 52, 2 ** 52], [0, 4]), 4),
      says: /expected 3\.6\d+e\+47 bytes for F32/,
    },
    {
      why: "a shape that hides an overflow behind a zero",
      bytes: fileOf(entry("F32", [...Array<number>(40).fill(2 ** 52), 0], [0, 0]), 0),
      says: /expected NaN bytes/,
    },
    { why: "offsets beyond the file", bytes: fileOf(entry("F32", [2], [0, 8]), 4), says: /data_offsets within 0\.\.4/ },
    {
      why: "offsets in the wrong order",
      bytes: fileOf(entry("F32", [1], [4, 0]), 4),
      says: /data_offsets within 0\.\.4/,
    },
    { why: "three offsets", bytes: fileOf(entry("F32", [1], [0, 4, 4]), 4), says: /data_offsets to be two/ },
    {
      why: "a shape that disagrees with its bytes",
      bytes: fileOf(entry("F32", [2], [0, 4]), 4),
      says: /expected 8 bytes for F32 \[2\] but received 4/,
    },
    {
      why: "bytes that belong to no tensor",
      bytes: fileOf(entry("F32", [1], [0, 4]), 5),
      says: /expected 4 bytes of tensors but received 5/,
    },
    {
      why: "tensors that overlap",
      bytes: fileOf(
        JSON.stringify({
          a: { dtype: "F32", shape: [1], data_offsets: [0, 4] },
          b: { dtype: "F32", shape: [1], data_offsets: [2, 6] },
        }),
        6,
      ),
      says: /tensor "b": expected to start at byte 4.*overlap/,
    },
    {
      why: "a name given twice",
      bytes: fileOf(
        '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}',
        8,
      ),
      says: /tensor "a": expected to start at byte 0.*belong to no tensor/,
    },
  ];
  test.each(cases)("$why is refused", ({ bytes, says }) => {
    const error = messageOf(() => parseSafetensors(bytes, "model.safetensors"));
    expect(error.message).toMatch(says);
    expect(error.message).toMatch(/^model\.safetensors/);
    expect(error.message.length).toBeLessThan(300);
    expect(error.exitCode).toBe(EXIT.unavailable);
    expect(error.hint).not.toBe("");
  });

  test("no byte changed at random brings anything but tensors or a PolyrnnError", () => {
    const sound = serializeSafetensors(
      new Map([
        ["a", { shape: [2, 3], values: new Float32Array(6) }],
        ["b", { shape: [], values: new Float32Array(1) }],
      ]),
      { dtype: "F16" },
    );
    fc.assert(
      fc.property(fc.nat(sound.length - 1), fc.nat(255), fc.nat(sound.length), (at, value, length) => {
        const bytes = sound.slice(0, Math.max(length, at + 1));
        bytes[at] = value;
        try {
          for (const [name, tensor] of parseSafetensors(bytes, "memory").tensors) {
            if (tensor.dtype === "F16") expect(tensorValues(tensor, name).length).toBe(tensor.bytes.length / 2);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(PolyrnnError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test("a missing file says so", async () => {
  await expect(readSafetensors(join(folder, "none.safetensors"))).rejects.toMatchObject({
    code: "E_MISSING",
    exitCode: EXIT.inputMissing,
  });
});

test("a folder in place of a file says so", async () => {
  await expect(readSafetensors(folder)).rejects.toMatchObject({ code: "E_MISSING", exitCode: EXIT.inputMissing });
});

describe("writing", () => {
  test("a value F16 cannot hold is refused, not turned into infinity", () => {
    const tensors = new Map([["big", { shape: [1], values: Float32Array.of(65520) }]]);
    expect(messageOf(() => serializeSafetensors(tensors, { dtype: "F16" })).message).toMatch(
      /"big".*F16 can hold but received 65520/,
    );
    expect(() => serializeSafetensors(tensors, { dtype: "F32" })).not.toThrow();
  });
  test("a shape that does not fit its values is refused", () => {
    expect(() =>
      serializeSafetensors(new Map([["a", { shape: [3], values: new Float32Array(2) }]]), { dtype: "F32" }),
    ).toThrow(/expected 3 values/);
  });
});

test("integers are read while float32 holds them exactly", () => {
  const stored = (value: bigint) => ({
    dtype: "I64",
    shape: [1],
    bytes: new Uint8Array(BigInt64Array.of(value).buffer),
  });
  expect([...tensorValues(stored(784n), "cells")]).toEqual([784]);
  expect(() => tensorValues(stored(2n ** 24n + 1n), "cells")).toThrow(/integers up to 2\^24 but received 16777217/);
  expect(() => tensorValues({ ...stored(1n), dtype: "F64" }, "cells")).toThrow(/dtype F32, F16 or BF16/);
});

test("a file by the Python library is read as it was written", async () => {
  const file = await readSafetensors(
    fileURLToPath(new URL("../../fixtures/goldens/python.safetensors", import.meta.url)),
  );
  const read = Object.fromEntries(
    [...file.tensors].map(([name, tensor]) => [name, { shape: tensor.shape, values: [...tensorValues(tensor, name)] }]),
  );
  const float32 = (...values: number[]): number[] => [...Float32Array.from(values)];
  expect(read).toEqual({
    float32: { shape: [2, 2], values: float32(1.1, -2.2, 3.3e-40, 4.4e30) },
    float16: { shape: [2, 3], values: [0, -1.5, 3.140625, 65504, 2 ** -14, 2 ** -24] },
    bfloat16: { shape: [3], values: [1, -3.140625, 1.0002555517425873e30] }, // 1e30 in bfloat16, as PyTorch prints it
    uint8: { shape: [2, 1], values: [0, 255] },
    int64: { shape: [2], values: [784, -1] },
    scalar: { shape: [], values: [2.5] },
    empty: { shape: [0, 3], values: [] },
  });
  expect([...file.metadata].sort()).toEqual([
    ["made by", "safetensors 0.8.0"],
    ["unicode", "Größe"],
  ]);
});
