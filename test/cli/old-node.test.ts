/** What someone with an old Node sees: which one is needed, before anything is imported that it cannot load. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Script } from "node:vm";
import ts from "typescript";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "..", "..");
const BIN = join(ROOT, "bin", "polyrnn.js");
const text = readFileSync(BIN, "utf8");

/** Runs the first file in a Node that says it is another version. */
function startAs(version: string, words: readonly string[]): { status: number | null; stdout: string; stderr: string } {
  const disguise = `Object.defineProperty(process, "versions", { value: { ...process.versions, node: "${version}" } })`;
  const preload = `data:text/javascript,${encodeURIComponent(disguise)}`;
  return spawnSync(process.execPath, ["--import", preload, BIN, ...words], { encoding: "utf8" });
}

test.each(["18.20.8", "20.18.3", "22.11.0"])("Node %s is told which Node the command needs", (version) => {
  const { status, stdout, stderr } = startAs(version, ["annotate", "--json"]);
  expect(status).toBe(69);
  expect(stderr).toContain(`expected Node 20.19 or later, or 22.12 or later, but this is Node ${version}`);
  expect(JSON.parse(stdout)).toMatchObject({ type: "error", code: "E_UNAVAILABLE" });
});

test("what is said about Node is what package.json asks for", () => {
  const { engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { engines: { node: string } };
  expect(engines.node).toBe("^20.19.0 || >=22.12.0");
});

test("the first file has nothing that an old Node cannot parse", () => {
  // A script, not a module: import statements, import.meta and await at the top are syntax errors.
  expect(() => new Script(text)).not.toThrow();
  const written = (target: ts.ScriptTarget): string =>
    ts.transpileModule(text, { compilerOptions: { target, module: ts.ModuleKind.ESNext } }).outputText;
  expect(written(ts.ScriptTarget.ES2018)).toBe(written(ts.ScriptTarget.ESNext));
});
