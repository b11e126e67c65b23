/**
 * The folder table: which part may import which, and where each npm package has its home. The design's table, held by reading every
 * import of src.
 */
import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "..", "..", "src");
const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".ts"))
  .map((file) => file.replaceAll("\\", "/"))
  .sort();
const textOf = (file: string): string => readFileSync(join(SRC, file), "utf8");

/** Rows of the design from the bottom up; a part may import its own folder and, where named, others. */
const GROUND = ["types", "errors", "random", "geometry", "schema"];
const STAGES = [...GROUND, "dataset", "crop", "network", "write"];
const MAIN = [...STAGES, "runtime", "predict"];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  types: [],
  errors: ["types"],
  random: ["types", "errors"],
  geometry: GROUND,
  schema: GROUND,
  dataset: GROUND,
  crop: GROUND,
  network: GROUND,
  write: GROUND,
  runtime: [...GROUND, "network"],
  predict: [...STAGES, "runtime"],
  annotate: MAIN,
  evaluate: MAIN,
  train: MAIN,
  queue: [...MAIN, "annotate"],
  cli: [...MAIN, "annotate", "evaluate", "train", "queue"],
};

const HOMES: Readonly<Record<string, RegExp>> = {
  yargs: /^cli\//,
  "cli-progress": /^cli\//,
  sharp: /^(crop|write)\//,
  "fast-glob": /^dataset\//,
  ajv: /^schema\//,
  "@tensorflow/tfjs": /^runtime\/tfjs/,
  "@tensorflow/tfjs-node": /^runtime\/tfjs/,
  "@tensorflow/tfjs-node-gpu": /^runtime\/tfjs/,
  "@tensorflow/tfjs-core": /^runtime\/tfjs/,
  "onnxruntime-node": /^runtime\/onnx/,
  protobufjs: /^runtime\/onnx/,
  bullmq: /^queue\//,
  ioredis: /^queue\//,
  "prom-client": /^queue\//,
  echarts: /^write\/html\//,
  "@techstark/opencv-js": /^evaluate\//,
};

interface Import {
  readonly file: string;
  readonly target: string;
}

/** Static, dynamic, re-exporting and type imports, as the compiler sees them. */
const imports: Import[] = files.flatMap((file) =>
  ts.preProcessFile(textOf(file)).importedFiles.map(({ fileName }) => ({ file, target: fileName })),
);

const partOf = (path: string): string => path.split("/")[0]!.replace(/\.(ts|js)$/, "");
const packageOf = (target: string): string =>
  target
    .split("/")
    .slice(0, target.startsWith("@") ? 2 : 1)
    .join("/");

test("imports were found, so that the tests below look at something", () => {
  expect(imports.length).toBeGreaterThan(files.length);
});

test("a part imports only what stands above it in the table", () => {
  const wrong = imports
    .filter(({ target }) => target.startsWith("."))
    .flatMap(({ file, target }) => {
      const from = partOf(file);
      const to = partOf(relative(SRC, join(SRC, dirname(file), target)).replaceAll("\\", "/"));
      return from === to || MAY_IMPORT[from]?.includes(to) === true
        ? []
        : [`${file} imports ${target}: ${from} may not import ${to}`];
    });
  expect(wrong).toEqual([]);
});

test("an npm package is imported only where it has its home", () => {
  const wrong = imports
    .filter(({ target }) => !target.startsWith(".") && !target.startsWith("node:"))
    .filter(({ file, target }) => HOMES[packageOf(target)]?.test(file) !== true)
    .map(({ file, target }) => `${file} imports ${target}`);
  expect(wrong).toEqual([]);
});

test("Node's own modules are imported with node: in front", () => {
  expect(imports.filter(({ target }) => builtinModules.includes(target))).toEqual([]);
});
