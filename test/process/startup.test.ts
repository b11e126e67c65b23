import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BIN } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/**
 * Names of the npm packages a run loaded. V8's coverage report lists every script, whichever module system loaded it.
 */
function packagesLoadedBy(words: readonly string[]): string[] {
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
  return [...new Set(urls.flatMap((url) => /\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1] ?? []))];
}

test.each([{ words: [] }, { words: ["--help"] }, { words: ["annotate", "--help"] }, { words: ["--version"] }])(
  "polyrnn $words loads no package",
  ({ words }) => {
    expect(packagesLoadedBy(words)).toEqual([]);
  },
);

test("the way of looking does see packages: polyrnn models loads the schema checker, and no engine", () => {
  const packages = packagesLoadedBy(["models"]);
  expect(packages).toContain("ajv");
  expect(packages.filter((name) => /sharp|onnxruntime|tensorflow/.test(name))).toEqual([]);
});

/** Best of several runs: what else the machine does only ever adds. */
function milliseconds(words: readonly string[]): number {
  return Math.min(
    ...Array.from({ length: 7 }, () => {
      const start = performance.now();
      spawnSync(process.execPath, words);
      return performance.now() - start;
    }),
  );
}

test("help is there within 200 ms of node's own start", () => {
  const bare = milliseconds(["-e", "0"]);
  const help = milliseconds([BIN, "--help"]);
  const annotateHelp = milliseconds([BIN, "annotate", "--help"]);
  console.log(
    `node alone ${bare.toFixed(0)} ms, polyrnn --help ${help.toFixed(0)} ms, polyrnn annotate --help ${annotateHelp.toFixed(0)} ms`,
  );
  expect(Math.max(help, annotateHelp) - bare).toBeLessThan(200);
});
