/** The library and the command line are one program: the same defaults, the same ranges. */
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import type { NumberRow } from "../../src/cli/option-table.js";
import { ANNOTATE_DEFAULTS } from "../../src/library/annotate.js";
import { EVALUATE_DEFAULTS } from "../../src/library/evaluate.js";
import { SIMULATE_DEFAULTS } from "../../src/library/simulate-clicks.js";
import { PolyrnnError } from "../../src/errors.js";
import { annotate, evaluate, openModel, predict, readDataset, simulateClicks } from "../../src/index.js";

const FUNCTIONS = { annotate, evaluate, "simulate-clicks": simulateClicks } as const;
type CommandName = keyof typeof FUNCTIONS;
const REQUIRED: Readonly<Record<CommandName, object>> = {
  annotate: { images: "nowhere", boxes: "nowhere.json", out: "nowhere" },
  evaluate: { predictions: "nowhere.json", truth: "nowhere.json" },
  "simulate-clicks": { images: "nowhere", truth: "nowhere.json" },
};

/** What a function throws, the rest of its options being fine but for files that are not there. */
async function thrownBy(command: CommandName, options: object): Promise<unknown> {
  const call: (options: never) => Promise<unknown> = FUNCTIONS[command];
  return call({ ...REQUIRED[command], ...options } as never).then(
    () => undefined,
    (error: unknown) => error,
  );
}

const NAMES: Readonly<Record<string, string>> = { bootstrap: "resamples" };
const numbers: readonly { readonly command: CommandName; readonly name: string; readonly row: NumberRow }[] = (
  Object.keys(FUNCTIONS) as CommandName[]
).flatMap((command) => {
  const { table } = COMMANDS.find(({ path }) => path.join(" ") === command)!;
  return Object.entries(table).flatMap(([name, row]) =>
    row.type === "number" && !["failUnder", "failOverClicks", "attempts", "priority", "queueTimeout"].includes(name)
      ? [{ command, name: NAMES[name] ?? name, row }]
      : [],
  );
});

test.each(numbers)("$command: $name has the range of the command line", async ({ command, name, row }) => {
  const { min, max, integer } = row;
  for (const value of [min, max])
    if (value !== undefined) expect(await thrownBy(command, { [name]: value })).toMatchObject({ code: "E_MISSING" });
  const wrong = [[min - 1], max === undefined ? [] : [max + 1], integer ? [min + 0.5] : []];
  for (const value of [...wrong.flat(), NaN, Infinity, "1", null])
    expect(await thrownBy(command, { [name]: value }), String(value)).toMatchObject({ code: "E_USAGE" });
});

/** Under its name here, with the value as it is here; undefined for what only a command has. */
function defaultOf(name: string, value: unknown): readonly [string, unknown] {
  if (name === "threshold") return ["thresholds", (value as readonly string[]).map(Number)];
  return [{ bootstrap: "resamples", format: "formats" }[name] ?? name, value];
}

test.each([
  {
    command: "annotate",
    defaults: { ...ANNOTATE_DEFAULTS, overlays: "auto" },
    less: ["out", "attempts", "priority", "dryRun", "published"],
  },
  { command: "evaluate", defaults: EVALUATE_DEFAULTS, less: ["published", "force"] },
  { command: "simulate-clicks", defaults: SIMULATE_DEFAULTS, less: ["published", "force", "run", "compare"] },
])("$command has the defaults of the command line, but for pictures", ({ command, defaults, less }) => {
  const { table } = COMMANDS.find(({ path }) => path.join(" ") === command)!;
  const rows = Object.entries(table).filter(
    ([name, { group }]) => !less.includes(name) && (group !== "output" || name === "overlays" || name === "force"),
  );
  const own = rows.flatMap(([name, row]) =>
    row.default === undefined || name === "queueTimeout" ? [] : [defaultOf(name, row.default)],
  );
  expect(own.length).toBeGreaterThan(4);
  expect(defaults).toMatchObject(Object.fromEntries(own));
});

const choices = (Object.keys(FUNCTIONS) as CommandName[]).flatMap((command) =>
  Object.entries(COMMANDS.find(({ path }) => path.join(" ") === command)!.table).flatMap(([name, row]) =>
    row.type === "text" && row.choices !== undefined && !["color", "segmentation", "link"].includes(name)
      ? [{ command, name, words: row.choices }]
      : [],
  ),
);

test.each(choices)("$command: $name takes the words of the command line", async ({ command, name, words }) => {
  const more = name === "choice" ? { match: "worst" } : {};
  for (const word of words)
    expect(await thrownBy(command, { ...more, [name]: word }), word).toMatchObject({ code: "E_MISSING" });
  expect(await thrownBy(command, { ...more, [name]: "nonsense" })).toMatchObject({ code: "E_USAGE" });
});

test("numbers of the command line were found", () => {
  expect(numbers.length).toBeGreaterThan(20);
  expect(choices.length).toBeGreaterThan(8);
});

test.each([
  { why: "a name that is misspelt", call: () => thrownBy("annotate", { overlay: "none" }), hint: "overlays" },
  { why: "a signal that is none", call: () => thrownBy("evaluate", { signal: {} }), hint: "library.md" },
  { why: "a callback that is none", call: () => thrownBy("evaluate", { onRow: 1 }), hint: "library.md" },
  { why: "part 3 of 2", call: () => thrownBy("annotate", { shard: { index: 3, count: 2 } }), hint: "from 1" },
  { why: "lines that nobody takes", call: () => thrownBy("annotate", { out: "-" }), hint: "onLine" },
  {
    why: "no options",
    call: () => readDataset(undefined as never).catch((error: unknown) => error),
    hint: "library.md",
  },
  { why: "no model", call: () => openModel("").catch((error: unknown) => error), hint: "folder of a model" },
  {
    why: "a model that was not opened",
    call: () => predict({} as never, { image: new Uint8Array(1), boxes: [] }).catch((error: unknown) => error),
    hint: "openModel",
  },
])("$why is refused with what to do", async ({ call, hint }) => {
  const error = await call();
  expect(error).toBeInstanceOf(PolyrnnError);
  expect(error).toMatchObject({ code: "E_USAGE", exitCode: 2 });
  expect((error as PolyrnnError).hint).toContain(hint);
});

test("options that are undefined count as absent", async () => {
  expect(await thrownBy("annotate", { maxSteps: undefined, device: undefined })).toMatchObject({ code: "E_MISSING" });
});
