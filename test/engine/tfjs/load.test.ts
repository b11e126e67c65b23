import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { loadTfjs } from "../../../src/engine/tfjs/load.js";
import { temporaryFolder } from "../../helpers/temporary-folder.js";

let folder: string;
beforeAll(() => {
  folder = temporaryFolder();
});
afterEach(() => {
  vi.unstubAllEnvs();
});

/** A package folder with these files; a native library that is only text. */
async function makePackage(name: string, files: Record<string, string>): Promise<string> {
  const path = join(folder, name);
  await mkdir(join(path, "lib", "napi-v8"), { recursive: true });
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text);
  return path;
}

const card = (main: string): string => JSON.stringify({ name: "@tensorflow/tfjs-node", version: "4.22.0", main });

test.each([
  {
    why: "nothing there",
    files: undefined,
    reason: /^it is not installed$/,
    fix: /^Run: npm install @tensorflow\/tfjs-node@4\.22\.0$/,
  },
  {
    why: "no native library",
    files: { "package.json": card("index.js"), "index.js": "" },
    reason: /native library is not there/,
    fix: /npm rebuild/,
  },
  {
    why: "a native library that does not load",
    files: {
      "package.json": card("index.js"),
      "index.js": "require('./lib/napi-v8/tfjs_binding.node')",
      "lib/napi-v8/tfjs_binding.node": "text",
    },
    reason: /^it does not load \(.*(file too short|invalid ELF|not a valid|slice is not valid).*\)$/,
    fix: /build it again/,
  },
  {
    why: "another package",
    files: {
      "package.json": card("index.js"),
      "index.js": "module.exports = { name: 'other' }",
      "lib/napi-v8/tfjs_binding.node": "",
    },
    reason: /^it is not TensorFlow\.js$/,
    fix: /npm install/,
  },
])("$why: the reason is reported and nothing is thrown", async ({ why, files, reason, fix }) => {
  const path = files === undefined ? join(folder, "nowhere") : await makePackage(why.replaceAll(" ", "-"), files);
  vi.stubEnv("POLYRNN_TFJS_NODE", path);
  const outcome = loadTfjs("cpu");
  expect(outcome).toEqual({
    obstacles: [
      { packageName: path, reason: expect.stringMatching(reason) as string, fix: expect.stringMatching(fix) as string },
    ],
  });
});

test("without the variable, the packages are tried in order and each has its obstacle or one loads", () => {
  vi.stubEnv("POLYRNN_TFJS_NODE", "");
  const outcome = loadTfjs("cuda");
  if ("tf" in outcome) expect(outcome.device).toBe("cuda");
  else expect(outcome.obstacles.map(({ packageName }) => packageName)).toEqual(["@tensorflow/tfjs-node-gpu"]);
});

test("util.isNullOrUndefined is there for tfjs-node, on Node 23 and later as well", async () => {
  const util = (await import("node:util")).default as unknown as { isNullOrUndefined: (value: unknown) => boolean };
  expect([null, undefined, 0, ""].map((value) => util.isNullOrUndefined(value))).toEqual([true, true, false, false]);
});
