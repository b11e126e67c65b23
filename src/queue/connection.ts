/**
 * Connections to Redis, and how long anyone waits for an answer. A server that restarts is waited for; one that is
 * silent for the time limit is an error. Only this file and BullMQ's own code speak to the driver.
 */
import { isIP } from "node:net";
import { Redis } from "ioredis";
import type { PolyrnnError } from "../errors.js";
import { unavailable } from "../errors.js";
import type { RedisAddress } from "./address.js";
import { queueReason } from "./address.js";

/** All keys of this program begin with it, BullMQ's too. */
export const KEY_PREFIX = "polyrnn";

/** One queue per model: a worker of another model never sees its jobs. */
export function queueNameOf(modelHash: string): string {
  return `model-${modelHash.slice(0, 16)}`;
}

/** Longest pause between attempts to reach a server that went away. */
const MOST_RECONNECT_MS = 2000;

export interface QueueConnection {
  readonly client: Redis;
  readonly address: RedisAddress;
  /**
   * Waits for an answer, across a restart of the server, but no longer than the time limit.
   * @throws E_UNAVAILABLE when no answer came in time, and for every error the server answers with (password, memory)
   */
  readonly ask: <T>(answer: Promise<T>) => Promise<T>;
  /** Closes without waiting for a server that may be gone. */
  close(): void;
}

export interface QueueConnectionOptions {
  readonly queue: RedisAddress;
  /** Longest wait for an answer, milliseconds. */
  readonly timeoutMs: number;
  /** What to do once the server answers again, one sentence: what follows depends on who asked. */
  readonly afterwards: string;
}

/** @throws E_UNAVAILABLE when no Redis of at least 6.2 answers in time */
export async function connectToQueue({
  queue,
  timeoutMs,
  afterwards,
}: QueueConnectionOptions): Promise<QueueConnection> {
  const address = queue;
  let last: unknown;
  const client = new Redis({
    host: address.host,
    port: address.port,
    db: address.database,
    ...(address.username === undefined ? {} : { username: address.username.open() }),
    ...(address.password === undefined ? {} : { password: address.password.open() }),
    // TLS takes no IP address for a server name (RFC 6066)
    ...(address.isEncrypted ? { tls: isIP(address.host) === 0 ? { servername: address.host } : {} } : {}),
    maxRetriesPerRequest: null, // BullMQ requires it; `ask` has a time limit
    retryStrategy: (times) => Math.min(100 * times, MOST_RECONNECT_MS),
  });
  client.on("error", (error: unknown) => {
    last = error;
  });
  client.on("ready", () => {
    last = undefined;
  });
  const ask = <T>(answer: Promise<T>): Promise<T> =>
    withTimeLimit(
      answer,
      timeoutMs,
      () => silent({ address, afterwards }, timeoutMs, last),
      (error) => refused({ address, afterwards }, error),
    );
  const connection: QueueConnection = {
    client,
    address,
    ask,
    close: () => {
      client.disconnect();
    },
  };
  try {
    const info = await ask(client.info("server"));
    checkVersion(address, info);
  } catch (error) {
    connection.close();
    throw error;
  }
  return connection;
}

/** Settles with the answer, or with an error of ours; a late answer is dropped. */
async function withTimeLimit<T>(
  answer: Promise<T>,
  timeoutMs: number,
  late: () => Error,
  wrong: (thrown: unknown) => Error,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(late());
    }, timeoutMs);
  });
  try {
    return await Promise.race([
      answer.catch((error: unknown) => {
        throw wrong(error);
      }),
      limit,
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** The server, and what follows its return. */
interface Asked {
  readonly address: RedisAddress;
  readonly afterwards: string;
}

function silent({ address, afterwards }: Asked, timeoutMs: number, last: unknown): PolyrnnError {
  const connected = address.isEncrypted
    ? "it is connected but does not answer, or does not speak TLS on this port"
    : "it is connected but does not answer";
  const why = last === undefined ? connected : queueReason(last);
  return unavailable(
    `${address.shown}: expected an answer within ${timeoutMs / 1000} s but received none: ${why}`,
    `Check that the Redis server runs and can be reached. ${afterwards}`,
  );
}

/** The driver's errors carry the command, and so perhaps the password: never passed on as a cause. */
function refused({ address, afterwards }: Asked, error: unknown): PolyrnnError {
  const reason = queueReason(error);
  if (/\bOOM\b/.test(reason)) {
    return unavailable(
      `${address.shown}: expected room for the next job but the server is full: ${reason}`,
      `Raise maxmemory or free memory. ${afterwards}`,
    );
  }
  if (/WRONGPASS|NOAUTH|NOPERM|invalid password|without any password/i.test(reason)) {
    return unavailable(
      `${address.shown}: the server refused user or password`,
      "Correct them in the address; special characters are written as %-escapes.",
    );
  }
  if (reason.startsWith("WRONGTYPE")) {
    return unavailable(
      `${address.shown}: expected our keys (${KEY_PREFIX}:...) but one of them is another program's: ${reason}`,
      `Name another database of the server, such as ${address.shown.replace(/\/\d+$/, "")}/1. ${afterwards}`,
    );
  }
  return unavailable(
    `${address.shown}: the server answered with an error: ${reason}`,
    `Check the Redis server. ${afterwards}`,
  );
}

/** BullMQ uses streams and blocking moves that came with 6.2. */
function checkVersion(address: RedisAddress, info: string): void {
  const version = /redis_version:(\d+)\.(\d+)/.exec(info);
  if (version === null) return; // a server that hides its version
  const [major, minor] = [Number(version[1]), Number(version[2])];
  if (major < 6 || (major === 6 && minor < 2)) {
    throw unavailable(
      `${address.shown}: expected Redis 6.2 or later but received ${major}.${minor}`,
      "Install a newer Redis server.",
    );
  }
}
