/** The options of `polyrnn models` and the commands below it. */
import type { ExitCode, PolyrnnError } from "../../errors.js";
import { EXIT, usageError } from "../../errors.js";
import { makeFolder } from "../../files/atomic-file.js";
import type { ModelCard } from "../../model/card.js";
import type { ListedModel } from "../../model/folder.js";
import { findModelFolder, listModels, readCard } from "../../model/folder.js";
import { importVgg16, writeModelFolder } from "../../model/import-vgg16.js";
import type { ModelCheck } from "../../model/model.js";
import { predictionHash, verifyModel } from "../../model/model.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";

export const modelsTable = { json: jsonRow } as const satisfies OptionTable<JsonOption>;

export interface ShowFlags extends JsonOption {
  readonly name: string;
}

export const modelsShowTable = {
  name: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    required: true,
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<ShowFlags>;

export interface VerifyFlags extends JsonOption {
  readonly name?: string;
}

export const modelsVerifyTable = {
  name: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    whenAbsent: "all bundled models",
    describe: "Bundled model or folder of a model",
  },
  json: jsonRow,
} as const satisfies OptionTable<VerifyFlags>;

export interface ImportFlags extends JsonOption {
  readonly architecture: "vgg16";
  readonly file: string;
  readonly out: string;
  readonly name: string;
  readonly peepholes: boolean;
  readonly seed: number;
}

export const modelsImportTable = {
  architecture: {
    type: "text",
    position: 0,
    choices: ["vgg16"],
    group: "common",
    required: true,
    describe: "What the weights are of",
  },
  file: {
    type: "text",
    position: 1,
    placeholder: "FILE",
    group: "common",
    required: true,
    describe: "Safetensors file with the ImageNet weights, in torchvision's or Keras' names",
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
    describe: "Name on the card: lower case letters, digits, dots, dashes",
  },
  peepholes: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Give the ConvLSTM the optional peephole terms",
  },
  seed: {
    type: "number",
    integer: true,
    min: 0,
    max: 4294967295,
    group: "advanced",
    default: 1,
    describe: "Seed of the weights that ImageNet does not have",
  },
  json: jsonRow,
} as const satisfies OptionTable<ImportFlags>;

/* `polyrnn models`: which models there are, what a card says, whether the files are whole. */

/** `polyrnn models` */
export async function listCommand(options: JsonOption, terminal: Terminal): Promise<ExitCode> {
  const models = await listModels();
  if (options.json) {
    const listed = models.map((model) =>
      "card" in model ? model : { name: model.name, folder: model.folder, problem: problemJson(model.problem) },
    );
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "models", models: listed }));
  } else {
    for (const line of models.flatMap(listedLines)) await writeLine(terminal.stdout, line);
  }
  return EXIT.ok;
}

/** `polyrnn models show NAME` */
export async function showCommand(options: ShowFlags, terminal: Terminal): Promise<ExitCode> {
  const folder = await findModelFolder(options.name);
  const card = await readCard(folder);
  if (options.json) {
    await writeLine(
      terminal.stdout,
      JSON.stringify({ version: 1, type: "model", folder, hash: predictionHash(card), card }),
    );
  } else {
    for (const line of cardLines(card, folder)) await writeLine(terminal.stdout, line);
  }
  return EXIT.ok;
}

/** `polyrnn models verify [NAME]`: reads every byte. @returns 69 when any model cannot be used */
export async function verifyCommand(options: VerifyFlags, terminal: Terminal): Promise<ExitCode> {
  const models = options.name === undefined ? await listModels() : [{ name: options.name }];
  const reports: VerifyReport[] = [];
  for (const model of models) {
    const report =
      "problem" in model
        ? { name: model.name, folder: model.folder, problems: [model.problem], files: 0 }
        : toReport(await verifyModel("folder" in model ? model.folder : model.name));
    reports.push(report);
    if (!options.json) for (const line of reportLines(report)) await writeLine(terminal.stdout, line);
  }
  if (options.json) {
    const json = reports.map((report) => ({
      ...report,
      sound: report.problems.length === 0,
      problems: report.problems.map(problemJson),
    }));
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "verification", models: json }));
  }
  return reports.every((report) => report.problems.length === 0) ? EXIT.ok : EXIT.unavailable;
}

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

function reportLines(report: VerifyReport): string[] {
  if (report.problems.length === 0) {
    return [
      `${report.name}: sound, ${report.files === 1 ? "1 file" : `${report.files} files`} in ${printable(report.folder)}`,
    ];
  }
  return [
    `${printable(report.name)}: not usable`,
    ...report.problems.flatMap((problem) => [`  ${printable(problem.message)}`, `  ${printable(problem.hint)}`]),
  ];
}

function problemJson(problem: PolyrnnError): { code: string; message: string; hint: string } {
  return { code: problem.code, message: problem.message, hint: problem.hint };
}

function listedLines(model: ListedModel): string[] {
  if (!("card" in model))
    return [
      `${printable(model.name)}  not usable`,
      `  ${printable(model.problem.message)}`,
      `  ${printable(model.problem.hint)}`,
    ];
  const { card } = model;
  return [`${card.name} ${card.version}  ${mebibytes(card)} MiB`, `  ${printable(card.description)}`];
}

function cardLines(card: ModelCard, folder: string): string[] {
  const { name: architecture, ...options } = card.architecture;
  const { channelOrder, mean, std } = card.normalization;
  const facts: [string, string][] = [
    ["Folder", folder],
    ["Hash", `${predictionHash(card)} (what --resume compares)`],
    [
      "Architecture",
      `${architecture}; ${Object.entries(options)
        .map(([key, value]) => `${key} ${JSON.stringify(value)}`)
        .join(", ")}`,
    ],
    [
      "Input",
      `${card.cropSize} x ${card.cropSize} px ${channelOrder}, mean ${mean.join(" ")}, standard deviation ${std.join(" ")}`,
    ],
    ["Grid", `${card.grid} x ${card.grid} cells`],
    ["Context", `${card.context} of the long side of the box`],
    ["Training data", card.trainingData],
    ["Recipe", card.recipe],
    ["License", card.license],
  ];
  const width = Math.max(...facts.map(([label]) => label.length));
  return [
    `${card.name} ${card.version} - ${printable(card.description)}`,
    "",
    ...facts.map(([label, text]) => `${label.padEnd(width)}  ${printable(text)}`),
    "",
    "Scores",
    ...card.scores.flatMap((score) => [
      `  ${printable(`${score.dataset}, ${score.split}, ${score.source}`)}: mean IoU ${score.meanIoU} on ${score.instances} instances` +
        (score.boxIoU === undefined ? "" : `, the box alone ${score.boxIoU}`),
      `    ${printable(score.command)}`,
    ]),
    "",
    "Files",
    ...Object.entries(card.files).map(([file, { bytes, sha256 }]) => `  ${file}  ${bytes} bytes  sha256 ${sha256}`),
  ];
}

function mebibytes(card: ModelCard): string {
  return (Object.values(card.files).reduce((sum, file) => sum + file.bytes, 0) / 2 ** 20).toFixed(1);
}

/* `polyrnn models import vgg16 FILE --out DIR`: ImageNet weights in, a model folder out. */

export async function importCommand(options: ImportFlags, terminal: Terminal): Promise<ExitCode> {
  const { file, out, name, peepholes, seed } = options;
  // The form a card's name must have (model/card.ts); checked before the work instead of when the model is next opened.
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
    throw usageError(
      `--name: expected lower case letters, digits, dots and dashes, 64 at most, but received ${JSON.stringify(name)}`,
      "Choose a name like vgg16-imagenet.",
    );
  }
  const { card, naming, weights } = await importVgg16(file, { name, peepholes, seed });
  await makeFolder(out);
  await writeModelFolder(out, { card, weights });
  if (options.json) {
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "imported", folder: out, naming, card }));
  } else {
    terminal.stderr.write(
      `${printable(`wrote ${out}: model ${card.name}, both trunks from ${file} (${naming} names), the rest random (seed ${seed})`)}\n`,
    );
    terminal.stderr.write("next: train it; as it is, its polygons mean nothing\n");
  }
  return EXIT.ok;
}
