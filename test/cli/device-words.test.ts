import { expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";

test.each([
  { device: "gpu", hint: "Use cuda for an NVIDIA GPU, or webgpu for any GPU" },
  { device: "GPU", hint: "Use cuda for an NVIDIA GPU, or webgpu for any GPU" },
  { device: "mps", hint: "Use webgpu: it reaches GPUs through Metal" },
  { device: "cuda:0", hint: "Use cuda; which of several GPUs is decided by CUDA_VISIBLE_DEVICES." },
  { device: "tpu", hint: "There is no engine for it; leave it out for the default, auto." },
  { device: "cudaa", hint: "Did you mean cuda?" },
  { device: "toString", hint: "Leave it out for the default, auto." },
])("--device $device is never answered with the CPU", async ({ device, hint }) => {
  const words = ["annotate", "x", "--boxes", "y"];
  for (const { args, env } of [
    { args: [...words, "--device", device], env: {} },
    { args: words, env: { POLYRNN_DEVICE: device } },
    { args: ["worker", "--queue", "redis://h", "--device", device], env: {} },
  ]) {
    const terminal = memoryTerminal({ env });
    expect(await run(args, terminal)).toBe(2);
    expect(terminal.stderr.text.split("\n")[1]).toContain(hint);
  }
});

test("training has no GPU but CUDA", async () => {
  const terminal = memoryTerminal();
  expect(await run(["train", "--device", "gpu"], terminal)).toBe(2);
  expect(terminal.stderr.text).toContain("Use cuda for an NVIDIA GPU; training has no other.");
});

test.each([
  { more: ["--precision", "fp16"], says: "Use float16." },
  { more: ["--precision", "int8"], says: "Leave it out for the default, auto." },
  { more: ["--precision", "float16", "--queue", "redis://h"], says: "Give it to polyrnn worker, or leave it out." },
])("$more is wrong usage, and what to do stands below", async ({ more, says }) => {
  const terminal = memoryTerminal();
  expect(await run(["annotate", "x", "--boxes", "y", ...more], terminal)).toBe(2);
  expect(terminal.stderr.text).toContain(says);
});
