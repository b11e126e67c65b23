/**
 * Who is there: each worker keeps a card in Redis that expires when it is not renewed. Times are Redis' own (PX), so
 * that no clock of another machine matters. The models that have a queue are kept in a hash beside the cards.
 */
import { cutText, parseForeignJson } from "../foreign.js";
import type { QueueConnection } from "./connection.js";
import { readFields, readValues } from "./bounded-reads.js";
import { KEY_PREFIX } from "./connection.js";
import type { WorkerCard } from "./job.js";
import { checkWorkerCard } from "./job.js";

const CARD_LIVES_MS = 15_000;
export const RENEW_CARD_MS = 5_000;
const MODELS_KEY = `${KEY_PREFIX}:models`;
const cardKey = (id: string): string => `${KEY_PREFIX}:worker:${id}`;

/** Renews the card and names the model, so that its queue is found. */
export async function showWorker(connection: QueueConnection, card: WorkerCard): Promise<void> {
  const { client } = connection;
  await connection.ask(
    Promise.all([
      client.set(cardKey(card.id), JSON.stringify(card), "PX", CARD_LIVES_MS),
      client.hset(MODELS_KEY, card.model, card.modelName),
    ]),
  );
}

export async function hideWorker(connection: QueueConnection, id: string): Promise<void> {
  await connection.ask(connection.client.del(cardKey(id)));
}

/** Makes a model's queue known before any worker of it is there. */
export async function nameModel(connection: QueueConnection, model: string, modelName: string): Promise<void> {
  await connection.ask(connection.client.hset(MODELS_KEY, model, modelName));
}

export interface NamedModel {
  readonly model: string;
  readonly modelName: string;
}

/** More than any server of ours has: each model ever used there has one line. */
const MOST_MODELS = 1000;
const LONGEST_MODEL_NAME = 200;
/** Hex digits of a model's hash. */
const HASH_DIGITS = 64;

/**
 * Models that ever had a job or a worker on this server, by name.
 * @returns isWhole: false when there are more than are read
 */
export async function listModels(
  connection: QueueConnection,
): Promise<{ readonly models: readonly NamedModel[]; readonly isWhole: boolean }> {
  const limits = { name: HASH_DIGITS, longest: 4 * LONGEST_MODEL_NAME, most: MOST_MODELS };
  const { fields, isWhole } = await readFields(connection, MODELS_KEY, limits);
  const models = [...fields]
    .filter(([model]) => /^[0-9a-f]{64}$/.test(model))
    .map(([model, modelName]) => ({ model, modelName: cutText(modelName, LONGEST_MODEL_NAME) }))
    .sort((a, b) => (a.modelName < b.modelName ? -1 : 1));
  return { models, isWhole };
}

/** Workers alive now. Cards that are not ours are left out. */
export async function listWorkers(connection: QueueConnection): Promise<readonly WorkerCard[]> {
  const texts = await valuesOf(connection, `${KEY_PREFIX}:worker:*`);
  return texts.flatMap((text) => parseCard(text)).sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Bytes of a value that are read: cards and leases of ours are far shorter. */
const LONGEST_VALUE = 10_000;
/** Keys that are looked at; the server may be anyone's, and hold any number. */
const MOST_KEYS = 10_000;

/** Values of all keys of a pattern; longer ones are cut, and so damaged. */
export async function valuesOf(connection: QueueConnection, pattern: string): Promise<readonly string[]> {
  return readValues(connection, pattern, { longest: LONGEST_VALUE + 1, most: MOST_KEYS });
}

function parseCard(text: string): WorkerCard[] {
  if (text.length > LONGEST_VALUE) return [];
  try {
    const card = parseForeignJson(text);
    return checkWorkerCard(card) === undefined ? [card as WorkerCard] : [];
  } catch {
    return []; // a foreign key
  }
}
