/**
 * The examples of docs/library.md, as a program that installed the package runs them: one process for all, in the order
 * of the document, with what each prints beside it.
 */
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const ROOT = join(import.meta.dirname, "..", "..");
const text = readFileSync(join(ROOT, "docs", "library.md"), "utf8");
const examples = [...text.matchAll(/^```js\n([\s\S]*?)^```\n\n```text\n([\s\S]*?)^```$/gm)].map(([, code, output]) => ({
  code: code!,
  output: output!,
}));

test("every example of docs/library.md runs and prints what stands below it, and nothing else is printed", () => {
  expect(examples).toHaveLength(text.match(/^```js$/gm)!.length);
  expect(examples.length).toBeGreaterThan(4);
  const cwd = temporaryFolder();
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(ROOT, join(cwd, "node_modules", "polyrnn"), "junction");
  symlinkSync(join(ROOT, "fixtures"), join(cwd, "fixtures"), "junction");
  examples.forEach(({ code }, at) => {
    writeFileSync(join(cwd, `example-${at}.mjs`), code);
  });
  const steps = examples.map((_, at) => `await import("./example-${at}.mjs");\nconsole.log("-- ${at}");\n`);
  writeFileSync(join(cwd, "all.mjs"), steps.join(""));
  const { status, stdout, stderr } = spawnSync(process.execPath, ["all.mjs"], { cwd, encoding: "utf8" });
  expect(stderr).toBe("");
  expect(stdout).toBe(examples.map(({ output }, at) => `${output}-- ${at}\n`).join(""));
  expect(status).toBe(0);
});
