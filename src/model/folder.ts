/** Where models are: the folders that come with the program, and the card in each. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { isAbsent, PolyrnnError, unavailable } from "../errors.js";
import { whyNotJson } from "../files/recognize.js";
import { readRegularFile } from "../files/regular-file.js";
import { describeValue, parseForeignJson } from "../foreign.js";
import { nearestName } from "../nearest.js";
import { describeViolation } from "../validate.js";
import type { HeadsCard, ModelCard } from "./card.js";
import { CARD_VERSION, checkModelCard } from "./card.js";

export const CARD_FILE = "model.json";
const MAX_CARD_BYTES = 1_000_000;

/** The package's own folder: two above src/model and dist/model alike. */
const PACKAGE_ROOT = fileURLToPath(new URL("../../", import.meta.url));
/** Models for use, then the ones for tests. */
const MODEL_FOLDERS = [join(PACKAGE_ROOT, "models"), join(PACKAGE_ROOT, "fixtures", "models")];

/** A model that comes with the program; `problem` in place of a card that cannot be used. */
export type ListedModel =
  | { readonly name: string; readonly folder: string; readonly card: ModelCard | HeadsCard }
  | { readonly name: string; readonly folder: string; readonly problem: PolyrnnError };

/** Every model that comes with the program, cards read, weights not. */
export async function listModels(): Promise<readonly ListedModel[]> {
  const models: ListedModel[] = [];
  for (const folder of await bundledFolders()) {
    try {
      models.push({ name: basename(folder), folder, card: await readAnyCard(folder) });
    } catch (error) {
      if (!(error instanceof PolyrnnError)) throw error;
      models.push({ name: basename(folder), folder, problem: error });
    }
  }
  return models;
}

/** The heads of other systems (network/mask-heads.ts); no network to predict with. */
export const HEADS_MODEL = "baselines";

/** Models that the repository holds and the npm package does not: they are large. */
const IN_THE_REPOSITORY: Readonly<Record<string, { readonly description: string; readonly how: string }>> = {
  vgg16: {
    description: "the network of the paper with trained weights, 42 MiB",
    how:
      "Its weights are in the repository and not in the npm package. Copy models/vgg16 from a checkout of the " +
      "repository, and name that folder with --model DIR.",
  },
  [HEADS_MODEL]: {
    description: "heads of DeepMask and Dilation for evaluate --compare deepmask,dilation, 8 MiB",
    how:
      "Its weights are in the repository and not in the npm package. Copy models/baselines from a checkout of the " +
      "repository into the folder models of this installation, or leave deepmask and dilation out of --compare.",
  },
};

/** A model that could be here and is not. */
export interface AbsentModel {
  readonly name: string;
  readonly description: string;
  /** How to get it, in sentences. */
  readonly how: string;
}

/** Models of the repository that this installation lacks. */
export async function absentModels(): Promise<readonly AbsentModel[]> {
  const present = new Set((await bundledFolders()).map((folder) => basename(folder)));
  return Object.entries(IN_THE_REPOSITORY)
    .filter(([name]) => !present.has(name))
    .map(([name, model]) => ({ name, ...model }));
}

/** @returns what to say where a model that the repository has is not here; undefined for any other name */
export function whyAbsent(name: string): PolyrnnError | undefined {
  const model = Object.hasOwn(IN_THE_REPOSITORY, name) ? IN_THE_REPOSITORY[name] : undefined;
  if (model === undefined) return undefined;
  return unavailable(
    `model ${JSON.stringify(name)}: expected its folder with ${CARD_FILE} in this installation but there is none`,
    model.how,
  );
}

/** Networks that `polyrnn train --model` knows and that have no weights of their own: how to come by a model of one. */
const WITHOUT_WEIGHTS: Readonly<Record<string, string>> = {
  tiny: "It is for trying out `polyrnn train --model tiny`; name the folder of such a run. `mobile` comes with weights.",
};

/**
 * @param nameOrPath a bundled model's name, a folder, or a model.json; a name wins over a folder called so, which then
 *   is ./name
 * @param extra names that the caller takes besides, for the message
 * @returns the model's folder, absolute; it holds a model.json
 * @throws E_UNAVAILABLE when there is no such model
 */
export async function findModelFolder(nameOrPath: string, extra: readonly string[] = []): Promise<string> {
  const bundled = await bundledFolders();
  const named = bundled.find((folder) => basename(folder) === nameOrPath);
  if (named !== undefined) return named;
  const path = resolve(basename(nameOrPath) === CARD_FILE ? dirname(nameOrPath) : nameOrPath);
  if (await isFile(join(path, CARD_FILE))) return path;
  if (isAbsolute(nameOrPath) || /[\\/]/.test(nameOrPath)) {
    throw unavailable(
      `${path}: expected a model's folder with ${CARD_FILE} in it but there is none`,
      "Check the path; `polyrnn models` lists the models that need none.",
    );
  }
  const networks = bundled.map((folder) => basename(folder)).filter((name) => name !== HEADS_MODEL);
  const names = [...new Set([...networks, ...extra])];
  const absent = whyAbsent(nameOrPath);
  if (absent !== undefined) throw absent;
  const withoutWeights = Object.hasOwn(WITHOUT_WEIGHTS, nameOrPath) ? WITHOUT_WEIGHTS[nameOrPath] : undefined;
  if (withoutWeights !== undefined) {
    throw unavailable(
      `model ${JSON.stringify(nameOrPath)}: expected a model with weights, received a network that comes without`,
      withoutWeights,
    );
  }
  const nearest = nearestName(nameOrPath, names);
  throw unavailable(
    `model ${JSON.stringify(nameOrPath)}: expected one of ${names.join(", ")}, or a folder with ${CARD_FILE} in it`,
    nearest === undefined ? "Run `polyrnn models` to see the models there are." : `Did you mean ${nearest}?`,
  );
}

async function bundledFolders(): Promise<string[]> {
  const folders: string[] = [];
  for (const parent of MODEL_FOLDERS) {
    const names = await readdir(parent).catch((error: unknown) => {
      // fixtures/ may be left out of an installed package
      if (isAbsent(error)) return [];
      throw error;
    });
    for (const name of names.sort()) {
      if (await isFile(join(parent, name, CARD_FILE))) folders.push(join(parent, name));
    }
  }
  return folders;
}

async function isFile(path: string): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  return found?.isFile() ?? false;
}

/** As `readAnyCard`. @throws E_UNAVAILABLE also for heads, which predict no polygons */
export async function readCard(folder: string): Promise<ModelCard> {
  const card = await readAnyCard(folder);
  if (isHeadsCard(card)) {
    throw unavailable(
      `${join(folder, CARD_FILE)}: expected a network that predicts polygons but received mask-heads`,
      "Heads only serve polyrnn evaluate --compare deepmask,dilation. Name a model such as mobile.",
    );
  }
  return card;
}

export function isHeadsCard(card: ModelCard | HeadsCard): card is HeadsCard {
  return card.architecture.name === "mask-heads";
}

/** @throws E_UNAVAILABLE for a card that cannot be read, is of another version, or breaks the schema */
export async function readAnyCard(folder: string): Promise<ModelCard | HeadsCard> {
  const path = join(folder, CARD_FILE);
  let card: unknown;
  let bytes: Uint8Array = Buffer.from("{");
  try {
    const read = await readRegularFile(path, MAX_CARD_BYTES);
    bytes = read;
    card = parseForeignJson(read.toString("utf8"));
  } catch (error) {
    const { why, hint } = whyNotJson(bytes, error, "The card is damaged. Fetch the model again.");
    throw unavailable(`${path}: expected a model card in JSON (${why})`, hint, error);
  }
  const version = typeof card === "object" && card !== null && "formatVersion" in card ? card.formatVersion : undefined;
  if (version !== CARD_VERSION) {
    throw unavailable(
      `${path}: expected formatVersion ${CARD_VERSION} ` +
        `but received ${version === undefined ? "none" : describeValue(version)}`,
      "The card was written for another version of polyrnn. Update polyrnn or the model.",
    );
  }
  const violation = checkModelCard(card);
  if (violation)
    throw unavailable(`${path}: ${describeViolation(violation)}`, "Correct the card or fetch the model again.");
  const checked = card as ModelCard | HeadsCard;
  if (!isHeadsCard(checked)) checkPeepholes(checked, path);
  return checked;
}

/** Only an LSTM has peepholes. */
function checkPeepholes({ architecture }: ModelCard, path: string): void {
  const { cell = "convlstm" } = architecture.name === "vgg16" ? {} : architecture;
  if (architecture.peepholes && cell !== "convlstm") {
    throw unavailable(
      `${path}: architecture: expected peepholes false for cell ${cell} but received true`,
      "Peepholes look at the cell state, which only convlstm has. Correct the card or fetch the model again.",
    );
  }
}
