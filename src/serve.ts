/** What the servers of this program share: how they listen, what a request may cost, and what its target is. */
import type { Server } from "node:http";

/** Milliseconds that a client may take for a request; all of ours are short. For `createServer`. */
export const REQUEST_LIMITS = {
  headersTimeout: 5_000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 1_000,
} as const;

/** A browser takes six, and a scrape one. */
const MOST_CONNECTIONS = 64;

/** @throws Error of the platform when the port cannot be listened on */
export function listen(server: Server, host: string, port: number): Promise<void> {
  server.maxConnections = MOST_CONNECTIONS;
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      // Later trouble, such as too many open files, costs a connection and not the process.
      server.off("error", reject).on("error", () => undefined);
      resolve();
    });
  });
}

/**
 * @param target of the request line, which may hold anything
 * @returns undefined for what is no path: the answer is 400
 */
export function targetOf(target: string | undefined): URL | undefined {
  const base = "http://server";
  return URL.canParse(target ?? "", base) ? new URL(target ?? "", base) : undefined;
}
