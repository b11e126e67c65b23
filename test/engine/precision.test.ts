import { describe, expect, test } from "vitest";
import { openEngine } from "../../src/engine/devices.js";
import { choosePrecision, engineText } from "../../src/engine/precision.js";
import { EXIT } from "../../src/errors.js";
import { loadModel } from "../../src/model/model.js";

test.each([
  { float16: "absent", why: "the adapter does not offer shader-f16" },
  { float16: "doubted", why: "Dawn doubts float16 of this driver; --precision float16 takes it all the same" },
  { float16: "offered", why: "float16 was not measured on a graphics card yet; --precision float16 takes it" },
] as const)("--precision auto takes float32 where float16 is $float16, and says why", ({ float16, why }) => {
  const { precision, remark } = choosePrecision("auto", { name: "card", float16 });
  expect(precision).toBe("float32");
  expect(engineText({ version: "kernels 1", remark })).toBe(`kernels 1; float32, because ${why}`);
});

test("--precision float32 is taken without a word", () => {
  expect(choosePrecision("float32", { name: "card", float16: "offered" })).toEqual({ precision: "float32" });
});

describe("--precision float16", () => {
  test.each(["offered", "doubted"] as const)("is taken where it is %s", (float16) => {
    expect(choosePrecision("float16", { name: "card", float16 })).toEqual({ precision: "float16" });
  });

  test("is an error that names the feature where the adapter does not offer it", () => {
    expect(() => choosePrecision("float16", { name: "card", float16: "absent" })).toThrow(
      "--precision float16: expected an adapter with WebGPU's feature shader-f16 but card does not offer it",
    );
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
