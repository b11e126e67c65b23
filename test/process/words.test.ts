import { spawnSync } from "node:child_process";
import { cpSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { BIN, runToEnd } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

test.each([
  { words: ["--version"], code: 0 },
  { words: ["annotat"], code: 2 },
  { words: ["annotate", "x", "--boxes", "y", "--batch-size", "0"], code: 2 },
  { words: ["annotate", "x", "--boxes", "y", "--config", "nowhere.json"], code: 66 },
  { words: ["models", "show", "mobil"], code: 69 },
])("polyrnn $words ends with $code", async ({ words, code }) => {
  const ended = await runToEnd(words);
  expect(ended.code).toBe(code);
  expect(ended[code === 0 ? "stderr" : "stdout"]).toBe("");
});

test("without a build the command says what to do, exit code 69", () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  cpSync(dirname(BIN), join(folder, "bin"), { recursive: true });
  const { status, stderr } = spawnSync(process.execPath, [join(folder, "bin", "polyrnn.js"), "--version"], {
    encoding: "utf8",
  });
  expect(status).toBe(69);
  expect(stderr).toContain('Run "npm run build"');
});

test("an error outside any command, here in a timer, is a bug: a stack and exit code 70", async () => {
  const thrower =
    "data:text/javascript,process.stderr.write = ((write) => (text, ...rest) => { if (String(text).includes('drawing with')) setTimeout(() => { throw new Error('late'); }); return write.call(process.stderr, text, ...rest); })(process.stderr.write)";
  const fixtures = join(import.meta.dirname, "..", "..", "fixtures");
  const ended = await runToEnd(
    ["annotate", join(fixtures, "images"), "--boxes", join(fixtures, "boxes.json"), "--out", "-", "--device", "cpu"],
    { nodeOptions: ["--import", thrower] },
  );
  expect(ended.code).toBe(70);
  expect(ended.stderr).toMatch(/polyrnn: a bug: Error: late\n +at /);
});
