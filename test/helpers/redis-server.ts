/** A real Redis server of the test's own, on a free port of this machine, in a folder of its own. */
import type { ChildProcess } from "node:child_process";
import { spawn, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { Redis } from "ioredis";
import { temporaryFolder } from "./temporary-folder.js";

/** Tests skip, and say why, where this is false. */
export const HAS_REDIS = spawnSync("redis-server", ["--version"]).status === 0;
if (!HAS_REDIS) console.log("skipped: redis-server is not installed (apt-get install redis-server)");

export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** Plain commands: configuration, memory, keys. */
  readonly client: Redis;
  signal(name: NodeJS.Signals): void;
  /** kill -9, then a new server on the same port and folder. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** @param settings more of redis-server's command line, for example --appendonly yes */
export async function startRedis(...settings: string[]): Promise<RedisServer> {
  const folder = temporaryFolder();
  const port = await freePort();
  const begin = (): ChildProcess =>
    spawn("redis-server", ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", "", ...settings], {
      stdio: "ignore",
    });
  let child = begin();
  const password = settings.includes("--requirepass") ? settings[settings.indexOf("--requirepass") + 1]! : undefined;
  const client = new Redis({
    port,
    ...(password === undefined ? {} : { password }),
    maxRetriesPerRequest: null,
    retryStrategy: () => 50,
  });
  client.on("error", () => undefined);
  await client.ping();
  const kill = async (): Promise<void> => {
    child.kill("SIGCONT");
    child.kill("SIGKILL");
    while (child.exitCode === null && child.signalCode === null) await wait(20);
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    client,
    signal: (name) => {
      child.kill(name);
    },
    async restart() {
      await kill();
      child = begin();
      await client.ping();
    },
    async stop() {
      client.disconnect();
      await kill();
    },
  };
}

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}
