import { expect, test } from "vitest";
import type { Engine } from "../../src/engine/engine.js";
import { openOnnxEngine } from "../../src/engine/onnx/models.js";
import type { Reference } from "../../src/engine/self-check.js";
import { checkAgainst, referenceOf } from "../../src/engine/self-check.js";
import { loadModel } from "../../src/model/model.js";

const model = await loadModel("tiny-random");
const reference = await referenceOf(model);

/** The CPU, told to be another device; says whether it was disposed. */
async function engine(): Promise<{ engine: Engine; disposed: () => boolean }> {
  const cpu = await openOnnxEngine(model, { device: "cpu", threads: 1 });
  let isDisposed = false;
  const dispose = (): Promise<void> => {
    isDisposed = true;
    return cpu.dispose();
  };
  return { engine: { ...cpu, dispose }, disposed: () => isDisposed };
}

const changed = (name: string, at: number, value: number): Reference => {
  const values = reference[name]!.slice();
  values[at] = value;
  return { ...reference, [name]: values };
};

test("an engine with the CPU's numbers is taken", async () => {
  const { engine: opened, disposed } = await engine();
  expect(await checkAgainst(opened, Promise.resolve(reference))).toBe(opened);
  expect(disposed()).toBe(false);
  await opened.dispose();
});

test.each([
  { what: "another number", wrong: changed("logits of step 2", 7, 1e3), message: /logits of step 2, 1000 at 7, but/ },
  { what: "no number", wrong: changed("mask logits", 783, NaN), message: /mask logits, NaN at 783, but received/ },
  {
    what: "another size",
    wrong: { ...reference, "first-vertex logits": new Float32Array(3) },
    message: /expected 3 first-vertex logits but received 784/,
  },
])("an engine with $what is refused with the place, and disposed", async ({ wrong, message }) => {
  const { engine: opened, disposed } = await engine();
  await expect(checkAgainst(opened, wrong)).rejects.toThrow(message);
  expect(disposed()).toBe(true);
});
