/** `polyrnn models` and the commands below it: which models there are, what a card says, whether files are intact. */
import { count } from "../../count.js";
import type { PolyrnnError } from "../../errors.js";
import { EXIT, usageError } from "../../errors.js";
import type { HeadsCard, ModelCard } from "../../model/card.js";
import type { ListedModel } from "../../model/folder.js";
import type { ModelCheck } from "../../model/model.js";
import type { Command } from "../command.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import { wrap } from "../phrases.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow, modelPlaceRow, seedRow } from "../shared-rows.js";
import type { OutputStream, Terminal } from "../terminal.js";
import { printable, writeJsonLine, writeLine } from "../terminal.js";

async function printJson(terminal: Terminal, value: object): Promise<void> {
  await writeJsonLine(terminal.stdout, { version: 1, ...value });
}

async function printLines(terminal: Terminal, lines: readonly string[]): Promise<void> {
  for (const line of lines) await writeLine(terminal.stdout, line);
}

const listCommand = defineCommand<JsonOption>({
  path: ["models"],
  summary: "list the bundled models",
  examples: [
    { why: "which models there are", line: "polyrnn models" },
    { why: "what one was trained on, and its scores", line: "polyrnn models show mobile" },
    { why: "whether all files are intact", line: "polyrnn models verify" },
  ],
  table: { json: jsonRow } as const satisfies OptionTable<JsonOption>,
  async run(options, terminal) {
    const { absentModels, listModels } = await import("../../model/folder.js");
    const [models, absent] = [await listModels(), await absentModels()];
    if (options.json) {
      const listed = models.map((model) =>
        "card" in model ? model : { name: model.name, folder: model.folder, problem: problemJson(model.problem) },
      );
      await printJson(terminal, { type: "models", models: listed, absent });
    } else {
      await printLines(terminal, models.flatMap(listedLines));
      await printLines(
        terminal,
        absent.flatMap(({ name, description, how }) => [`${name}  not here: ${description}`, `  ${how}`]),
      );
    }
    return EXIT.ok;
  },
});

function listedLines(model: ListedModel): string[] {
  if (!("card" in model)) return notUsable(model.name, [model.problem], "  ");
  const { card } = model;
  const bytes = Object.values(card.files).reduce((sum, file) => sum + file.bytes, 0);
  return [`${card.name} ${card.version}  ${(bytes / 2 ** 20).toFixed(1)} MiB`, `  ${printable(card.description)}`];
}

interface ShowFlags extends JsonOption {
  readonly name: string;
}

const showCommand = defineCommand<ShowFlags>({
  path: ["models", "show"],
  summary: "show the card of a model",
  examples: [
    { why: "training data, scores, license, hashes", line: "polyrnn models show mobile" },
    { why: "a model of your own", line: "polyrnn models show ./my-model" },
  ],
  table: { name: { ...modelPlaceRow, required: true }, json: jsonRow } as const satisfies OptionTable<ShowFlags>,
  async run(options, terminal) {
    const { findModelFolder, readAnyCard } = await import("../../model/folder.js");
    const { predictionHash } = await import("../../model/model.js");
    const folder = await findModelFolder(options.name);
    const card = await readAnyCard(folder);
    const hash = predictionHash(card);
    if (options.json) await printJson(terminal, { type: "model", folder, hash, card });
    else await printLines(terminal, cardLines({ card, folder, hash }, lineWidth(terminal.stdout)));
    return EXIT.ok;
  },
});

/** Columns to wrap at: a terminal's own within readable limits, elsewhere the most. */
function lineWidth({ isTTY, columns }: OutputStream): number {
  const [least, most] = [80, 100];
  return isTTY === true && columns !== undefined ? Math.min(most, Math.max(least, columns)) : most;
}

interface ShownModel {
  readonly card: ModelCard | HeadsCard;
  readonly folder: string;
  readonly hash: string;
}

function cardLines({ card, folder, hash }: ShownModel, lineWidth: number): string[] {
  const { name: architecture, ...options } = card.architecture;
  const { channelOrder, mean, std } = card.normalization;
  const settings = Object.entries(options).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
  const facts: [string, string][] = [
    ["Folder", folder],
    ["Hash", `${hash} (what --resume compares)`],
    ["Architecture", `${architecture}; ${settings.join(", ")}`],
    [
      "Input",
      `${card.cropSize} x ${card.cropSize} px ${channelOrder}, ` +
        `mean ${mean.join(" ")}, standard deviation ${std.join(" ")}`,
    ],
    ["Grid", `${card.grid} x ${card.grid} cells`],
    ["Context", `${card.context} of the long side of the box`],
    ["Training data", card.trainingData],
    ["Recipe", card.recipe],
    ["License", card.license],
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  return [
    ...wrap(`${card.name} ${card.version} - ${printable(card.description)}`, 0, lineWidth),
    "",
    ...facts.flatMap(([label, text]) => {
      const [first = "", ...more] = wrap(printable(text), width + 2, lineWidth);
      return [label.padEnd(width + 2) + first.trimStart(), ...more];
    }),
    "",
    "Scores",
    ...scoreLines(card.scores, lineWidth),
    "",
    "Files",
    ...Object.entries(card.files).map(
      ([file, { bytes, sha256 }]) => `  ${file}  ${count(bytes, "byte")}  sha256 ${sha256}`,
    ),
  ];
}

/** Scores that one command measured stand together, followed by that command. */
function scoreLines(scores: ModelCard["scores"], lineWidth: number): string[] {
  const byCommand = new Map<string, string[]>();
  for (const { dataset, split, source, meanIoU, instances, boxIoU, command } of scores) {
    const alone = boxIoU === undefined ? "" : `, the box alone ${boxIoU}`;
    const line = `${dataset}, ${split}, ${source}: mean IoU ${meanIoU} on ${count(instances, "instance")}${alone}`;
    byCommand.set(command, [...(byCommand.get(command) ?? []), line]);
  }
  return [...byCommand].flatMap(([command, lines]) => [
    ...lines.flatMap((line) => wrap(printable(line), 2, lineWidth)),
    ...wrap(`measured with: ${printable(command)}`, 4, lineWidth),
  ]);
}

interface VerifyFlags extends JsonOption {
  readonly name?: string;
}

const verifyCommand = defineCommand<VerifyFlags>({
  path: ["models", "verify"],
  summary: "compare the files of a model with its card",
  examples: [
    { why: "all bundled models", line: "polyrnn models verify" },
    { why: "a model of your own", line: "polyrnn models verify ./my-model" },
  ],
  table: {
    name: { ...modelPlaceRow, whenAbsent: "all bundled models" },
    json: jsonRow,
  } as const satisfies OptionTable<VerifyFlags>,
  /** Reads every byte. @returns 69 when any model cannot be used */
  async run(options, terminal) {
    const { listModels } = await import("../../model/folder.js");
    const { verifyModel } = await import("../../model/model.js");
    const models = options.name === undefined ? await listModels() : [{ name: options.name }];
    const reports: VerifyReport[] = [];
    for (const model of models) {
      const report =
        "problem" in model
          ? { name: model.name, folder: model.folder, problems: [model.problem], files: 0 }
          : toReport(await verifyModel("folder" in model ? model.folder : model.name));
      reports.push(report);
      if (!options.json) await printLines(terminal, reportLines(report));
    }
    if (options.json) {
      const json = reports.map((report) => ({
        ...report,
        sound: report.problems.length === 0,
        problems: report.problems.map(problemJson),
      }));
      await printJson(terminal, { type: "verification", models: json });
    }
    return reports.every((report) => report.problems.length === 0) ? EXIT.ok : EXIT.unavailable;
  },
});

interface VerifyReport {
  readonly name: string;
  readonly folder: string;
  readonly files: number;
  readonly problems: readonly PolyrnnError[];
}

function toReport(check: ModelCheck): VerifyReport {
  const problems = [...check.files.map((file) => file.problem), check.weightsProblem].filter(
    (problem) => problem !== undefined,
  );
  return { name: check.card.name, folder: check.folder, files: check.files.length, problems };
}

function reportLines({ name, folder, files, problems }: VerifyReport): string[] {
  if (problems.length > 0) return notUsable(name, problems, ": ");
  return [`${name}: sound, ${count(files, "file")} in ${printable(folder)}`];
}

function notUsable(name: string, problems: readonly PolyrnnError[], separator: string): string[] {
  return [
    `${printable(name)}${separator}not usable`,
    ...problems.flatMap(({ message, hint }) => [`  ${printable(message)}`, `  ${printable(hint)}`]),
  ];
}

function problemJson(problem: PolyrnnError): { code: string; message: string; hint: string } {
  return { code: problem.code, message: problem.message, hint: problem.hint };
}

interface ImportFlags extends JsonOption {
  readonly architecture: "vgg16";
  readonly file: string;
  readonly out: string;
  readonly name: string;
  readonly peepholes: boolean;
  readonly seed: number;
}

const importTable = {
  architecture: {
    type: "text",
    position: 0,
    choices: ["vgg16"],
    group: "common",
    required: true,
    describe: "Network the weights belong to",
  },
  file: {
    type: "text",
    position: 1,
    placeholder: "FILE",
    group: "common",
    required: true,
    describe: "Safetensors file with ImageNet weights, named as in torchvision or Keras",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    required: true,
    describe: "Folder of the new model; empty or absent",
  },
  name: {
    type: "text",
    placeholder: "NAME",
    group: "advanced",
    default: "vgg16-imagenet",
    describe: "Name on the card: lower case letters, digits, dots and dashes",
  },
  peepholes: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Give the ConvLSTM the optional peephole terms",
  },
  seed: { ...seedRow, describe: "Seed of the weights that the file does not hold" },
  json: jsonRow,
} as const satisfies OptionTable<ImportFlags>;

/** ImageNet weights in, a model folder out. */
const importCommand = defineCommand<ImportFlags>({
  path: ["models", "import"],
  summary: "make a model to train from ImageNet weights of VGG-16",
  examples: [
    {
      why: "weights of torchvision, saved as safetensors",
      line: "polyrnn models import vgg16 vgg16.safetensors --out ./my-model",
    },
    {
      why: "the same network with peephole terms",
      line: "polyrnn models import vgg16 vgg16.safetensors --out ./my-model --peepholes",
    },
  ],
  table: importTable,
  async run({ file, out, name, peepholes, seed, json }, terminal) {
    // The form that model/card.ts asks of a name; checked now rather than when the model is next opened.
    if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
      const received = JSON.stringify(name);
      throw usageError(
        `--name: expected lower case letters, digits, dots and dashes, 64 at most, but received ${received}`,
        "Choose a name like vgg16-imagenet.",
      );
    }
    const { makeFolder } = await import("../../files/atomic-file.js");
    const { importVgg16, writeModelFolder } = await import("../../model/import-vgg16.js");
    const { card, naming, weights } = await importVgg16(file, { name, peepholes, seed });
    const { withFolderLock } = await import("../../runs/lock.js");
    const note = (line: string): void => {
      terminal.stderr.write(`${printable(line)}\n`);
    };
    await makeFolder(out);
    await withFolderLock(out, note, () => writeModelFolder(out, { card, weights }));
    if (json) {
      await printJson(terminal, { type: "imported", folder: out, naming, card });
    } else {
      const from = `both trunks from ${file} (${naming} names), the rest random (seed ${seed})`;
      terminal.stderr.write(`${printable(`wrote ${out}: model ${card.name}, ${from}`)}\n`);
      terminal.stderr.write("next: train it; as it is, its polygons mean nothing\n");
    }
    return EXIT.ok;
  },
});

export const modelsCommands: readonly Command[] = [listCommand, showCommand, verifyCommand, importCommand];
