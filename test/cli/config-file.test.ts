import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readConfigFile } from "../../src/cli/config-file.js";
import { annotateTable } from "../../src/cli/commands/annotate.js";
import type { OptionRow } from "../../src/cli/option-table.js";
import { valueFromJson } from "../../src/cli/option-values.js";
import { EXIT, PolyrnnError } from "../../src/errors.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();
let written = 0;

function fileWith(text: string | Uint8Array, ending = "yaml"): string {
  const path = join(folder, `${written++}.${ending}`);
  writeFileSync(path, text);
  return path;
}

async function read(text: string | Uint8Array, ending?: string): Promise<Record<string, unknown>> {
  const found = await readConfigFile(fileWith(text, ending), annotateTable);
  return Object.fromEntries([...found].map(([name, { value }]) => [name, value]));
}

async function refusal(text: string | Uint8Array, ending?: string): Promise<PolyrnnError> {
  const error: unknown = await read(text, ending).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof PolyrnnError) return error;
  throw new Error(`not refused with an expected error: ${String(error)}`);
}

const OPTIONS = {
  batchSize: 8,
  minScore: 0.5,
  format: ["coco", "labelme"],
  resume: true,
  device: "cpu",
  maxFailed: "5%",
};

test.each([
  {
    why: "block YAML",
    ending: "yaml",
    text: "# options\nbatch-size: 8\nmin-score: 0.5\nformat:\n  - coco\n  - labelme\nresume: true\ndevice: cpu\nmax-failed: 5%\n",
  },
  {
    why: "flow YAML under another name",
    ending: "conf",
    text: "---\nbatchSize: 8\nminScore: 0.5\nformat: [coco, labelme]\nresume: true\ndevice: 'cpu'\nmaxFailed: \"5%\"\n",
  },
  { why: "JSON", ending: "json", text: JSON.stringify(OPTIONS) },
  { why: "JSON under another name", ending: "conf", text: JSON.stringify(OPTIONS, null, 2) },
  { why: "JSON is YAML", ending: "yml", text: JSON.stringify(OPTIONS, null, 2) },
])("the same options come from $why", async ({ ending, text }) => {
  expect(await read(text, ending)).toEqual(OPTIONS);
});

test.each(["", "# nothing but comments\n", "---\n", "~\n"])("a YAML file of %j gives no options", async (text) => {
  expect(await read(text)).toEqual({});
});

test("words that YAML 1.1 takes for true or false stay text, and << is a key like any other", async () => {
  expect(await read("device: no\nmodel: on\n")).toEqual({ device: "no", model: "on" });
  expect((await refusal("<<: {device: cpu}\n")).message).toContain('"<<" is not an option');
});

test.each([
  { text: "device: cpu\n\nbatch_size: 8\n", message: '.yaml:3: "batch_size" is not an option', exitCode: EXIT.usage },
  { text: "device: cpu\nmodel: a\ndevice: cuda\n", message: ".yaml:3: device is given twice", exitCode: EXIT.usage },
  {
    text: '{\n"batchSize": 8,\n"batch-size": 9}',
    ending: "json",
    message: ".json:3: batchSize is given twice, as batchSize in line 2 and as batch-size here",
    exitCode: EXIT.usage,
  },
  {
    text: '{"model": "a\\"}:", "format": ["x:", {"y": 1}],\n"model": "b"}',
    ending: "json",
    message: ".json:2: model is given twice",
    exitCode: EXIT.usage,
  },
  { text: "device: cpu\n\tmodel: a\n", message: ".yaml:2: expected options in YAML", exitCode: EXIT.dataInvalid },
  { text: "device: [cpu\n", message: ": expected options in YAML", exitCode: EXIT.dataInvalid },
  { text: "- device\n", message: "received a list", exitCode: EXIT.dataInvalid },
  { text: "device\n", message: "received a single value", exitCode: EXIT.dataInvalid },
  { text: "device: cpu\n---\nmodel: a\n", message: "a second document", exitCode: EXIT.dataInvalid },
  { text: "device: !!binary aGk=\n", message: "received a tag", exitCode: EXIT.dataInvalid },
  { text: "model: &m mobile\ninit: 1\n", message: "received an anchor", exitCode: EXIT.dataInvalid },
  {
    text: "device: cpu\nformat: [*a, *a]\n",
    message: ".yaml:2: expected options in YAML, received an alias",
    exitCode: EXIT.dataInvalid,
  },
  { text: "? [device]\n: cpu\n", message: "a key that is a list or an object", exitCode: EXIT.dataInvalid },
  { text: `format: ${"[".repeat(15_000)}`, message: "more than 4 levels", exitCode: EXIT.dataInvalid },
  { text: `format:\n  ${"- ".repeat(15_000)}x`, message: "more than 4 levels", exitCode: EXIT.dataInvalid },
  {
    text: `{"format": ${"[".repeat(600)}${"]".repeat(600)}}`,
    ending: "json",
    message: "deeper than 512 levels",
    exitCode: EXIT.dataInvalid,
  },
  { text: "#".repeat(2 ** 16 + 1), message: "at most 65536 bytes", exitCode: EXIT.dataInvalid },
  { text: Uint8Array.of(0x64, 0xff, 0xfe), message: "expected text in UTF-8", exitCode: EXIT.dataInvalid },
])("a file that cannot be used says where and why: $message", async ({ text, ending, message, exitCode }) => {
  const error = await refusal(text, ending);
  expect(error.message).toContain(message);
  expect(error.exitCode).toBe(exitCode);
  expect(error.message.length).toBeLessThan(600);
});

describe("numbers that a double rounds", () => {
  const table: Record<string, OptionRow> = annotateTable;
  const resolved = async (text: string, ending: string): Promise<unknown[]> => {
    const found = await readConfigFile(fileWith(text, ending), annotateTable);
    return [...found].map(([name, { value, place }]) => valueFromJson(table[name]!, value, place));
  };

  test.each(["9007199254740993", "1e400", "-0.50", "100000000000000000000000", "257.0"])(
    "%s is refused as it is written, in JSON and in YAML",
    async (number) => {
      for (const [ending, text] of [
        ["json", `{"batchSize": ${number}}`],
        ["yaml", `batch-size: ${number}\n`],
      ] as const) {
        const expected = `expected a whole number from 1 to 256 but received ${number}`;
        await expect(resolved(text, ending)).rejects.toThrow(expected);
      }
    },
  );

  test("a list shows them as they are written, and a category keeps every digit of its id", async () => {
    await expect(resolved('{"format": [9007199254740993]}', "json")).rejects.toThrow("received [9007199254740993]");
    await expect(resolved("format: [1.10]\n", "yaml")).rejects.toThrow("received [1.10]");
    for (const [ending, text] of [
      ["json", '{"categories": [9007199254740993, 7, 1.0]}'],
      ["yaml", "categories:\n  - 9007199254740993\n  - 7\n  - 0x1\n"],
    ] as const)
      expect(await resolved(text, ending)).toEqual([["9007199254740993", "7", "1"]]);
  });

  test("other spellings of a number that fits are that number", async () => {
    expect(await resolved("batch-size: 0x10\nmin-score: 5e-1\nmax-failed: 1e1\n", "yaml")).toEqual([16, 0.5, "10"]);
    expect(await resolved('{"batchSize": 8.0, "minScore": 0.50}', "json")).toEqual([8, 0.5]);
  });
});

test("whatever the file holds, options come out or an expected error", async () => {
  const piece = fc.constantFrom(
    ..."{}[]:,&*!|>-?#'\"\n\t ".split(""),
    ..."device|model|<<|- |: |1e999|.nan|0x1|~|\u0000|\u202e|&a |*a|!!js/function |---\n|...\n|%YAML 9.9\n".split("|"),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 30 }),
      fc.constantFrom("yaml", "json", "conf"),
      async (pieces, ending) => {
        await read(pieces.join(""), ending).catch((error: unknown) => {
          if (!(error instanceof PolyrnnError)) throw error;
        });
      },
    ),
    { numRuns: 150 },
  );
});
