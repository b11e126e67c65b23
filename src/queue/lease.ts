/**
 * One coordinator per run: a key with a time to live that its holder renews. A second coordinator waits for the time
 * the key may still live, because the first may have died, and is refused when it is renewed meanwhile. Times are
 * Redis' own.
 */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { EXIT, PolyrnnError } from "../errors.js";
import { cutText, parseForeignJson } from "../foreign.js";
import type { QueueConnection } from "./connection.js";
import { KEY_PREFIX } from "./connection.js";

const LEASE_LIVES_MS = 10_000;
const RENEW_MS = 2_500;
const POLL_MS = 250;
/** What PTTL answers for a key without a time to live. */
const NEVER_EXPIRES = -1;
/** Bytes of a lease that are read; ours are far shorter. */
const LONGEST_HOLDER = 10_000;

export const LEASE_PATTERN = `${KEY_PREFIX}:run:*`;

/** Renews where the key is ours, or gone because the server restarted without its data. */
const RENEW =
  "local v = redis.call('GET', KEYS[1]) " +
  "if v == false or v == ARGV[1] then redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1 end " +
  "return 0";
const RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";

export class Lease {
  private lost: Error | undefined;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    private readonly connection: QueueConnection,
    private readonly key: string,
    private readonly holder: string,
  ) {
    this.timer = setInterval(() => {
      void this.renew();
    }, RENEW_MS);
  }

  /** @throws E_RUN_IN_USE when another coordinator is at work on this run */
  static async take(connection: QueueConnection, run: string, note: (line: string) => void): Promise<Lease> {
    const key = `${KEY_PREFIX}:run:${run}`;
    const holder = JSON.stringify({ run, host: hostname(), pid: process.pid, token: randomUUID() });
    let last = Infinity;
    // A key of somebody else may live for ever, or for years.
    const until = performance.now() + 2 * LEASE_LIVES_MS;
    for (;;) {
      if ((await connection.ask(connection.client.set(key, holder, "PX", LEASE_LIVES_MS, "NX"))) === "OK")
        return new Lease(connection, key, holder);
      const left = await connection.ask(connection.client.pttl(key));
      const isTooLong = left === NEVER_EXPIRES || left > LEASE_LIVES_MS || performance.now() > until;
      if (left > last || isTooLong)
        throw inUse(run, await connection.ask(connection.client.getrange(key, 0, LONGEST_HOLDER)));
      if (last === Infinity)
        note("another coordinator had this run a moment ago; waiting for at most 10 s to see whether it is alive");
      last = left;
      await wait(POLL_MS);
    }
  }

  /** @throws when another coordinator has taken the run, or Redis was silent for too long */
  check(): void {
    if (this.lost !== undefined) throw this.lost;
  }

  async release(): Promise<void> {
    clearInterval(this.timer);
    await this.connection.ask(this.connection.client.eval(RELEASE, 1, this.key, this.holder));
  }

  private async renew(): Promise<void> {
    try {
      const isHeld = await this.connection.ask(
        this.connection.client.eval(RENEW, 1, this.key, this.holder, LEASE_LIVES_MS),
      );
      if (isHeld !== 1) this.lost ??= inUse(this.key.slice(this.key.lastIndexOf(":") + 1), null);
    } catch (error) {
      this.lost ??= error as Error;
    }
  }
}

function inUse(run: string, holder: string | null): PolyrnnError {
  return new PolyrnnError(
    `run ${run}: expected to be its only coordinator but ${nameOf(holder)} is at work on it`,
    "E_RUN_IN_USE",
    EXIT.unavailable,
    "Wait for that one to end, or stop it and go on with --resume.",
  );
}

/** "process 4711 on box" */
export function nameOf(holder: string | null): string {
  try {
    const { host, pid } = parseForeignJson(holder ?? "") as { host?: unknown; pid?: unknown };
    if (typeof host !== "string" || typeof pid !== "number") return "another process";
    return `process ${pid} on ${cutText(host, 100)}`;
  } catch {
    return "another process";
  }
}
