import { mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

test("export writes three ONNX files that draw what the model draws", async () => {
  const terminal = memoryTerminal();
  expect(await run(["export", "tiny-random", "--out", join(folder, "onnx"), "--json"], terminal)).toBe(0);
  expect((await readdir(join(folder, "onnx"))).sort()).toEqual(["encoder.onnx", "polyrnn.onnx", "step.onnx"]);
  const result = JSON.parse(terminal.stdout.text) as {
    opset: number;
    check: { sequences: number; sameSequences: number; vertexDifference: number };
  };
  expect(result).toMatchObject({ type: "export", opset: 17, check: { sequences: 3, sameSequences: 3 } });
  expect(result.check.vertexDifference).toBeLessThan(1e-4);
});

test("what a killed export has left is replaced by the same command; a whole export and files of people are not", async () => {
  const out = join(folder, "onnx");
  await mkdir(out);
  for (const name of ["encoder.onnx", "polyrnn.onnx.partial"]) await writeFile(join(out, name), "half");
  const again = async (): Promise<number> => run(["export", "tiny-random", "--out", out], memoryTerminal());
  expect(await again()).toBe(73);
  await writeFile(join(out, "export.unfinished"), "");
  expect(await again()).toBe(0);
  expect((await readdir(out)).sort()).toEqual(["encoder.onnx", "polyrnn.onnx", "step.onnx"]);
  expect(await again()).toBe(73);
});

test("export says which models there are when the name is mistyped", async () => {
  const terminal = memoryTerminal();
  expect(await run(["export", "tiny-randon", "--out", folder], terminal)).toBe(69);
  expect(terminal.stderr.text).toContain("tiny-random");
});

test.skipIf(process.platform !== "linux")(
  "export into a place that takes no new folders (/proc) is refused at once instead of trying for ever",
  async () => {
    const terminal = memoryTerminal();
    expect(await run(["export", "tiny-random", "--out", "/proc/polyrnn/onnx"], terminal)).toBe(73);
    expect(terminal.stderr.text).toContain("/proc/polyrnn: expected to make a folder here, but /proc takes none");
  },
);
