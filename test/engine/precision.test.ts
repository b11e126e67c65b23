import { describe, expect, test } from "vitest";
import { openEngine } from "../../src/engine/devices.js";
import type { Precision } from "../../src/engine/engine.js";
import { engineText, openInPrecision } from "../../src/engine/precision.js";
import { EXIT } from "../../src/errors.js";
import { loadModel } from "../../src/model/model.js";

const card = { name: "card", driver: "1", isSoftware: false, float16: "offered" } as const;
/** Opens in all but one precision. */
const opening =
  (failing?: Precision) =>
  (precision: Precision): Promise<string> =>
    precision === failing ? Promise.reject(new Error("other numbers")) : Promise.resolve(`engine in ${precision}`);

describe("--precision auto", () => {
  test("takes float16 where a card offers it and the engine opens in it", async () => {
    const taken = await openInPrecision("auto", card, opening());
    expect(taken).toEqual({ opened: "engine in float16", precision: "float16", remark: "float16" });
  });

  test.each([
    { what: "it does not open", adapter: card, why: "float16 failed (other numbers)" },
    { what: "no feature", adapter: { ...card, float16: "absent" }, why: "the adapter does not offer shader-f16" },
    { what: "no card", adapter: { ...card, isSoftware: true }, why: "float16 gains nothing on a CPU" },
    {
      what: "a driver that Dawn doubts",
      adapter: { ...card, float16: "doubted" },
      why: "Dawn doubts float16 of this driver; --precision float16 takes it all the same",
    },
  ] as const)("takes float32 and says why: $what", async ({ adapter, why }) => {
    const { opened, remark } = await openInPrecision("auto", adapter, opening("float16"));
    expect({ opened, remark }).toEqual({ opened: "engine in float32", remark: `float32, because ${why}` });
    expect(engineText({ version: "kernels 1", remark })).toBe(`kernels 1; float32, because ${why}`);
  });
});

describe("--precision float16", () => {
  test("is taken at its word on an adapter that offers it, be it doubted", async () => {
    const taken = await openInPrecision("float16", { ...card, float16: "doubted" }, opening());
    expect(taken).toEqual({ opened: "engine in float16", precision: "float16" });
    await expect(openInPrecision("float16", card, opening("float16"))).rejects.toThrow("other numbers");
  });

  test("is an error that names the feature where the adapter does not offer it", async () => {
    await expect(openInPrecision("float16", { ...card, float16: "absent" }, opening())).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: "--precision float16: expected an adapter with WebGPU's feature shader-f16 but card does not offer it",
    });
  });

  test("is refused by engines that know float32 only", async () => {
    const model = await loadModel("tiny-random");
    await expect(openEngine(model, { device: "cpu", precision: "float16" })).rejects.toMatchObject({
      exitCode: EXIT.unavailable,
      message: expect.stringContaining("onnxruntime on cpu: it computes in float32 only") as string,
      hint: "Use --precision auto, or --device webgpu on a graphics card that offers float16.",
    });
  });
});

test("--precision float32 is taken without a word", async () => {
  const taken = await openInPrecision("float32", card, opening("float16"));
  expect(taken).toEqual({ opened: "engine in float32", precision: "float32" });
});
