/**
 * The folder table: which part may import which, and where each npm package has its home. The design's table, held by
 * reading every import of src.
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

/** The ground floor: each may import what stands before it. */
const GROUND = [
  "count",
  "types",
  "foreign",
  "secret",
  "errors",
  "random",
  "nearest",
  "turns",
  "asking",
  "json-text",
  "validate",
  "version",
  "serve",
  "geometry",
  "files",
];
/** One floor up; its rooms do not know each other. */
const STAGES = ["dataset", "crop", "network", "write", "page"];
const RUNNING = [...GROUND, ...STAGES, "model", "engine", "predict", "runs"];
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  count: [],
  types: [],
  foreign: ["types"],
  secret: [],
  errors: ["types", "foreign"],
  random: ["types", "errors"],
  nearest: [],
  turns: [],
  asking: ["errors"],
  "json-text": ["types", "foreign", "errors"],
  validate: ["types", "foreign", "errors", "json-text"],
  version: [],
  serve: [],
  geometry: ["types", "foreign", "errors", "random"],
  files: ["count", "types", "foreign", "errors"],
  dataset: GROUND,
  crop: GROUND,
  network: GROUND,
  write: GROUND,
  page: GROUND,
  model: [...GROUND, "network"],
  engine: [...GROUND, "network", "model"],
  predict: [...GROUND, "dataset", "crop", "network", "write", "model", "engine"],
  runs: [...GROUND, "dataset", "write", "model", "engine"],
  report: [...GROUND, "crop", "page"],
  annotate: RUNNING,
  evaluate: [...RUNNING, "report"],
  train: RUNNING,
  merge: [...RUNNING, "annotate", "review"],
  clicks: [...RUNNING, "report", "evaluate"],
  queue: [...RUNNING, "annotate"],
  review: [...RUNNING, "annotate"],
  library: [...RUNNING, "report", "annotate", "evaluate", "clicks", "review"],
  // The door of the package: it passes on the library and the types of what it takes and gives.
  index: ["library", "annotate", "clicks", "crop", "dataset", "errors", "report", "types", "write"],
  cli: [...RUNNING, "report", "annotate", "evaluate", "train", "merge", "clicks", "queue", "review"],
};

const HOMES: Readonly<Record<string, RegExp>> = {
  yargs: /^cli\//,
  "cli-progress": /^cli\//,
  sharp: /^(crop|write)\//,
  "fast-glob": /^dataset\//,
  yauzl: /^files\//,
  "csv-parse": /^dataset\/foreign\//,
  saxes: /^dataset\/foreign\//,
  yaml: /^(cli|dataset\/foreign)\//,
  ajv: /^validate\.ts$/,
  "@tensorflow/tfjs": /^engine\/tfjs\//,
  "@tensorflow/tfjs-node": /^engine\/tfjs\//,
  "@tensorflow/tfjs-node-gpu": /^engine\/tfjs\//,
  "@tensorflow/tfjs-core": /^engine\/tfjs\//,
  "onnxruntime-node": /^engine\/onnx\//,
  protobufjs: /^engine\/onnx\//,
  webgpu: /^engine\/webgpu\//,
  bullmq: /^queue\//,
  ioredis: /^queue\//,
  "prom-client": /^queue\//,
  echarts: /^page\//,
  "@techstark/opencv-js": /^evaluate\/methods\//,
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

test("the page of review imports its own modules, the API's types and turns.ts alone, for a browser has nothing else", () => {
  const page = imports.filter(({ file }) => file.startsWith("review/page/"));
  expect(page.length).toBeGreaterThan(10);
  const isServed = (target: string): boolean => /^(?:\.\.\/api|\.\.\/\.\.\/turns|\.\/[a-z]+)\.js$/.test(target);
  expect(page.filter(({ target }) => !isServed(target))).toEqual([]);
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
