import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BIN } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/**
 * Addresses of all scripts a run loaded. V8's coverage report lists every one, whichever module system loaded it.
 */
function scriptsLoadedBy(words: readonly string[]): string[] {
  const folder = temporaryFolder();
  expect(
    spawnSync(process.execPath, [BIN, ...words], { env: { ...process.env, NODE_V8_COVERAGE: folder } }).status,
  ).toBe(0);
  const urls = readdirSync(folder).flatMap((file) => {
    const report = JSON.parse(readFileSync(join(folder, file), "utf8")) as {
      readonly result: readonly { readonly url: string }[];
    };
    return report.result.map(({ url }) => url);
  });
  expect(urls.some((url) => url.endsWith("/dist/cli/run.js"))).toBe(true);
  return urls.filter((url) => url.startsWith("file:"));
}

/** Names of npm packages. */
function packagesOf(scripts: readonly string[]): string[] {
  return [...new Set(scripts.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []))];
}

/** A file takes a millisecond or two to load: help is to be there within 200 ms (`npm run bench -- help` measures it). */
const MOST_SCRIPTS = 60;

test.each([{ words: [] }, { words: ["--help"] }, { words: ["annotate", "--help"] }, { words: ["--version"] }])(
  "polyrnn $words loads no package, and few of our own files",
  ({ words }) => {
    const scripts = scriptsLoadedBy(words);
    expect(packagesOf(scripts)).toEqual([]);
    expect(scripts.length).toBeLessThan(MOST_SCRIPTS);
  },
);

test("the way of looking does see packages: polyrnn models loads the schema checker, and no engine", () => {
  const packages = packagesOf(scriptsLoadedBy(["models"]));
  expect(packages).toContain("ajv");
  expect(packages.filter((name) => /sharp|onnxruntime|tensorflow/.test(name))).toEqual([]);
});

test("an error whose report fails ends the process, with the exit code of a bug", () => {
  const broken = 'data:text/javascript,process.stderr.write = () => { throw new Error("no standard error"); }';
  const { status, signal } = spawnSync(process.execPath, ["--import", broken, BIN, "anotate"], { timeout: 60_000 });
  expect({ status, signal }).toEqual({ status: 70, signal: null });
});
