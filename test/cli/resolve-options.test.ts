import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { inspect } from "node:util";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import type { AnnotateFlags } from "../../src/cli/commands/annotate.js";
import { annotateTable } from "../../src/cli/commands/annotate.js";
import { defineCommand } from "../../src/cli/command.js";
import type { OptionTable } from "../../src/cli/option-table.js";
import { environmentName, flagName } from "../../src/cli/option-table.js";
import { parseArguments } from "../../src/cli/parse-arguments.js";
import { resolveOptions } from "../../src/cli/resolve-options.js";
import { memoryTerminal } from "./memory-terminal.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();

interface Given {
  readonly words?: readonly string[];
  readonly env?: Record<string, string>;
  readonly config?: unknown;
  readonly configText?: string;
}

let files = 0;
async function resolve({ words = [], env = {}, config, configText }: Given): Promise<Readonly<AnnotateFlags>> {
  const help = "polyrnn annotate --help";
  const all = ["images", "--boxes", "boxes.json", ...words];
  if (config !== undefined || configText !== undefined) {
    const file = join(folder, `${++files}.json`);
    writeFileSync(file, configText ?? JSON.stringify(config));
    all.push("--config", file);
  }
  return resolveOptions<AnnotateFlags>(annotateTable, { given: parseArguments(all, annotateTable, help), env, help });
}

async function refusal(given: Given): Promise<PolyrnnError> {
  const error: unknown = await resolve(given).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof PolyrnnError) return error;
  throw new Error(`expected a refusal, not ${String(error)}`);
}

test.each([
  { given: {}, expected: 71, why: "nothing given: the default" },
  { given: { config: { maxSteps: 10 } }, expected: 10, why: "the config file goes before the default" },
  {
    given: { config: { maxSteps: 10 }, env: { POLYRNN_MAX_STEPS: "20" } },
    expected: 20,
    why: "the environment goes before the config file",
  },
  {
    given: { config: { maxSteps: 10 }, env: { POLYRNN_MAX_STEPS: "20" }, words: ["--max-steps", "30"] },
    expected: 30,
    why: "the flag goes before all",
  },
  {
    given: { env: { POLYRNN_MAX_STEPS: "20" }, words: ["--max-steps", "71"] },
    expected: 71,
    why: "a flag that equals the default still counts as given",
  },
  { given: { env: { POLYRNN_MAX_STEPS: "" } }, expected: 71, why: "an empty variable counts as not set" },
])("maxSteps is $expected: $why", async ({ given, expected }) => {
  expect((await resolve(given)).maxSteps).toBe(expected);
});

test("a flag turns off what the environment turned on", async () => {
  expect((await resolve({ env: { POLYRNN_JSON: "1" } })).json).toBe(true);
  expect((await resolve({ env: { POLYRNN_JSON: "1" }, words: ["--no-json"] })).json).toBe(false);
});

test("the defaults of annotate are the documented ones, and what has no default has no key", async () => {
  expect(await resolve({})).toEqual({
    images: "images",
    boxes: "boxes.json",
    out: "polyrnn-out",
    format: ["coco"],
    model: "mobile",
    device: "auto",
    precision: "auto",
    resume: false,
    maxSteps: 71,
    candidates: 4,
    minScore: 0,
    simplify: 0,
    categories: [],
    existing: "predict",
    overlays: "auto",
    force: false,
    json: false,
    quiet: false,
    verbose: false,
    color: "auto",
    attempts: 3,
    priority: 0,
    dryRun: false,
    published: false,
    queueTimeout: 60,
  });
});

test("the result cannot be changed, lists included", async () => {
  const options = await resolve({ words: ["--categories", "a"] });
  expect(Object.isFrozen(options)).toBe(true);
  expect(Object.isFrozen(options.categories)).toBe(true);
});

test.each([
  { words: ["--categories", "cat,dog", "--categories", "7"], why: "commas and repetition mix" },
  { words: ["--categories", "cat, dog,7"], why: "spaces after commas do not count" },
])("lists: $why", async ({ words }) => {
  expect((await resolve({ words })).categories).toEqual(["cat", "dog", "7"]);
});

test("a config file takes both spellings, lists, and category ids as numbers; a name with a comma stays whole there", async () => {
  const options = await resolve({
    config: { "batch-size": 4, minScore: 0.5, categories: ["cup, glass", 7], format: "coco,labelme", resume: true },
  });
  expect(options).toMatchObject({
    batchSize: 4,
    minScore: 0.5,
    categories: ["cup, glass", "7"],
    format: ["coco", "labelme"],
    resume: true,
  });
});

test.each([
  {
    given: { words: ["--batch-size", "x"] },
    message: '--batch-size: expected a whole number from 1 to 256 but received "x"',
  },
  {
    given: { words: ["--batch-size", "0"] },
    message: '--batch-size: expected a whole number from 1 to 256 but received "0"',
  },
  { given: { words: ["--batch-size", "257"] }, message: 'received "257"' },
  { given: { words: ["--batch-size", "1.5"] }, message: 'received "1.5"' },
  { given: { words: ["--batch-size", "0x10"] }, message: 'received "0x10"' },
  { given: { words: ["--batch-size", " 8"] }, message: 'received " 8"' },
  { given: { words: ["--batch-size="] }, message: 'received ""' },
  {
    given: { words: ["--simplify", "Infinity"] },
    message: '--simplify: expected a number of 0 or more but received "Infinity"',
  },
  { given: { words: ["--simplify", "NaN"] }, message: 'received "NaN"' },
  { given: { words: ["--simplify", "1e999"] }, message: 'received "1e999"' },
  { given: { words: ["--context", "1.01"] }, message: "--context: expected a number from 0 to 1" },
  { given: { words: ["--limit", "0"] }, message: "--limit: expected a whole number of 1 or more" },
  { given: { words: ["--limit", "1e300"] }, message: "--limit" },
  {
    given: { words: ["--device", "gpu"] },
    message: '--device: expected one of auto, cuda, webgpu, cpu but received "gpu"',
  },
  {
    given: { words: ["--format", "coco,yolo"] },
    message:
      '--format: expected one or more of coco, cityscapes, labelme, yolo-seg, label-studio, cvat, via, masks but received "yolo"',
  },
  {
    given: { words: ["--categories", "a,,b"] },
    message: "--categories: expected a list of NAME|ID but received nothing",
  },
  { given: { words: ["--out", "a", "--out", "b"] }, message: "--out: expected once but received 2 times" },
  { given: { words: ["more"] }, message: 'unexpected argument "more"' },
  {
    given: { env: { POLYRNN_BATCH_SIZE: "many" } },
    message: 'POLYRNN_BATCH_SIZE (environment): expected a whole number from 1 to 256 but received "many"',
  },
  {
    given: { env: { POLYRNN_RESUME: "yes" } },
    message: 'POLYRNN_RESUME (environment): expected true or false but received "yes"',
  },
  {
    given: { config: { batchSize: "8" } },
    message: '.json:1: batchSize: expected a whole number from 1 to 256 but received "8"',
  },
  {
    given: { config: { batchSize: null } },
    message: ".json:1: batchSize: expected a whole number from 1 to 256 but received null",
  },
  { given: { config: { batchSize: 8, "batch-size": 9 } }, message: "batchSize is given twice" },
  { given: { config: { model: 7 } }, message: ".json:1: model: expected NAME|DIR but received 7" },
  { given: { config: { resume: "true" } }, message: '.json:1: resume: expected true or false but received "true"' },
  {
    given: { config: { categories: [null] } },
    message: ".json:1: categories: expected a list of NAME|ID but received [null]",
  },
  { given: { config: { batchsize: 8 } }, message: '"batchsize" is not an option' },
  { given: { config: { config: "other.json" } }, message: '"config" is not an option' },
  { given: { configText: '{"__proto__": {"batchSize": 8}}' }, message: '"__proto__" is not an option' },
  { given: { configText: '{"constructor": 1}' }, message: '"constructor" is not an option' },
])("wrong usage names its source: $message", async ({ given, message }) => {
  const error = await refusal(given);
  expect(error.message).toContain(message);
  expect(error.exitCode).toBe(2);
  expect(error.hint).not.toBe("");
});

test("a wrong value is found even where a stronger source hides it", async () => {
  expect((await refusal({ env: { POLYRNN_BATCH_SIZE: "many" }, words: ["--batch-size", "8"] })).message).toContain(
    "POLYRNN_BATCH_SIZE",
  );
  expect((await refusal({ config: { batchSize: "many" }, words: ["--batch-size", "8"] })).message).toContain(
    "batchSize",
  );
});

test("an unknown key of the config file suggests the nearest", async () => {
  expect((await refusal({ config: { batchsize: 8 } })).hint).toMatch(/batchSize|batch-size/);
});

test.each([
  { given: { configText: "{" }, exitCode: 65, message: "expected JSON" },
  { given: { configText: "[1]" }, exitCode: 65, message: "expected a JSON object but received a list" },
  { given: { configText: "null" }, exitCode: 65, message: "expected a JSON object but received null" },
  {
    given: { words: ["--config", join(folder, "nowhere.json")] },
    exitCode: 66,
    message: "nowhere.json: expected a config file that can be read, received no such file",
  },
  {
    given: { words: ["--config", folder] },
    exitCode: 66,
    message: "expected a config file that can be read, received EISDIR",
  },
])("a config file that cannot be used ends with $exitCode: $message", async ({ given, exitCode, message }) => {
  const error = await refusal(given);
  expect(error.exitCode).toBe(exitCode);
  expect(error.message).toContain(message);
});

test("required options may come from the config file, and are named when they come from nowhere", async () => {
  const file = join(folder, "all.json");
  writeFileSync(file, JSON.stringify({ images: "photos", boxes: "b.json" }));
  const sources = (words: string[]) => ({ given: parseArguments(words, annotateTable, "h"), env: {}, help: "h" });
  expect(await resolveOptions<AnnotateFlags>(annotateTable, sources(["--config", file]))).toMatchObject({
    images: "photos",
    boxes: "b.json",
  });
  await expect(resolveOptions<AnnotateFlags>(annotateTable, sources([]))).rejects.toThrow("IMAGES is missing");
  await expect(resolveOptions<AnnotateFlags>(annotateTable, sources(["x"]))).rejects.toThrow(
    "--boxes FILE|DIR|- is missing",
  );
});

test("any number in range comes through every source unchanged", async () => {
  await fc.assert(
    fc.asyncProperty(fc.double({ min: 0, max: 1, noNaN: true }), async (value) => {
      const text = String(value);
      expect((await resolve({ words: [`--min-score=${text}`] })).minScore).toBe(value);
      expect((await resolve({ env: { POLYRNN_MIN_SCORE: text } })).minScore).toBe(value);
      expect((await resolve({ config: { minScore: value } })).minScore).toBe(value === 0 ? 0 : value);
    }),
    { numRuns: 30, examples: [[0.1], [5e-324], [1]] },
  );
});

test("any text for a number is either refused or a number in range", async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(fc.string(), fc.double().map(String), fc.integer().map(String)), async (text) => {
      const options = await resolve({ words: [`--batch-size=${text}`] }).catch((error: unknown) => {
        expect(error).toBeInstanceOf(PolyrnnError);
        return undefined;
      });
      if (options !== undefined)
        expect(options.batchSize).toSatisfy((n: number) => Number.isInteger(n) && n >= 1 && n <= 256);
    }),
    { numRuns: 100 },
  );
});

test("names change their spelling by place", () => {
  expect(flagName("batchSize")).toBe("batch-size");
  expect(environmentName("batchSize")).toBe("POLYRNN_BATCH_SIZE");
});

test("a table that does not fit its options does not compile", () => {
  interface Options {
    readonly size: number;
    readonly name?: string;
  }
  const size = { type: "number", group: "common", describe: "Size", min: 0, default: 1 } as const;
  const name = { type: "text", group: "common", describe: "Name" } as const;
  const fits = { size, name } as const satisfies OptionTable<Options>;
  // @ts-expect-error a row is missing
  const missing = { size } as const satisfies OptionTable<Options>;
  // @ts-expect-error the default has another type than the option
  const wrongDefault = { size: { ...size, default: "1" }, name } as const satisfies OptionTable<Options>;
  const bare = { type: "number", group: "common", describe: "Size", min: 0 } as const;
  // @ts-expect-error an option that is always there needs a default or must be required
  const noDefault = { size: bare, name } as const satisfies OptionTable<Options>;
  expect([fits, missing, wrongDefault, noDefault]).toHaveLength(4);
});

test.each([
  {
    given: { words: ["--queue", "rediss://u:HUSH@h/1", "--image-address", "http://u:HUSH@h/x?sig=HUSH"] },
    why: "flags",
  },
  {
    given: { env: { POLYRNN_QUEUE: "rediss://u:HUSH@h/1", POLYRNN_IMAGE_ADDRESS: "http://u:HUSH@h/x?sig=HUSH" } },
    why: "environment",
  },
  {
    given: { config: { queue: "rediss://u:HUSH@h/1", "image-address": "http://u:HUSH@h/x?sig=HUSH" } },
    why: "config file",
  },
])("addresses are secrets as soon as they are options, from $why", async ({ given }) => {
  const options = await resolve(given);
  expect(options.queue?.open()).toBe("rediss://u:HUSH@h/1");
  expect(options.imageAddress?.open()).toBe("http://u:HUSH@h/x?sig=HUSH");
  const shown = [JSON.stringify(options), inspect(options, { depth: 9, showHidden: true }), String(options.queue)];
  expect(shown.join("\n")).not.toContain("HUSH");
  expect(shown[2]).toBe("rediss://***@h/1");
});

test("a password in the place of an address is not shown", async () => {
  expect(String((await resolve({ words: ["--queue", "HUSH"] })).queue)).toBe("***");
  const error = await refusal({ config: { queue: ["redis://u:HUSH@h"] } });
  expect(error.message).toMatch(/queue: expected ADDRESS but received another kind of value$/);
});

test("a command sees what was typed without the secrets of addresses", async () => {
  let seen: readonly string[] = [];
  const command = defineCommand<Readonly<AnnotateFlags>>({
    path: ["annotate"],
    summary: "",
    examples: [],
    table: annotateTable,
    run: (_options, _terminal, args) => {
      seen = args;
      return Promise.resolve(0);
    },
  });
  const words = ["images", "--boxes", "b.json", "--queue", "redis://u:HUSH@h", "--image-address=http://h/x?sig=HUSH"];
  await (await command.resolve(words, {})).run(memoryTerminal());
  expect(seen.slice(-2)).toEqual(["redis://***@h", "--image-address=http://h/x?***"]);
});
