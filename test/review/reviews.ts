/** A finished run with the tiny model, copied per test, and a session or server on it. Shared by the tests of review/. */
import { cp, readFile } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { DecisionRequest, InstanceView, QueuePage } from "../../src/review/api.js";
import type { ReviewServer } from "../../src/review/server.js";
import type { StaticFiles } from "../../src/review/static-files.js";
import type { ReviewOptions } from "../../src/review/session.js";
import { ReviewSession } from "../../src/review/session.js";
import { runAnnotate } from "../annotate/runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { NO_CLICKS } from "../../src/review/statistics.js";

let finished: Promise<string> | undefined;

async function makeRun(): Promise<string> {
  const out = join(temporaryFolder(), "run");
  await runAnnotate({ out, candidates: 1 });
  return out;
}

/** A run folder of its own. */
export async function newRun(): Promise<string> {
  finished ??= makeRun();
  const copy = join(temporaryFolder(), "polyrnn-out");
  await cp(await finished, copy, { recursive: true });
  return copy;
}

/** The caller closes it. */
export function openReview(folder: string, options: Partial<ReviewOptions> = {}): Promise<ReviewSession> {
  return ReviewSession.open(
    { folder, order: "score", categories: [], seed: 0, arm: "assist", keepRejected: false, threads: 1, ...options },
    () => undefined,
  );
}

export async function openSession(folder: string, options: Partial<ReviewOptions> = {}): Promise<ReviewSession> {
  const session = await openReview(folder, options);
  let isOpen = true;
  const close = session.close.bind(session);
  session.close = async () => {
    if (isOpen) await close();
    isOpen = false;
  };
  onTestFinished(() => session.close());
  return session;
}

/** In the place of the built page. */
export const ONE_PAGE: StaticFiles = new Map([
  ["/", { type: "text/html; charset=utf-8", bytes: Buffer.from("<!doctype html>") }],
]);

/** The instance as it is, accepted. */
export function accept(view: InstanceView, change: Partial<DecisionRequest> = {}): DecisionRequest {
  const { revision, rings, box, categoryId } = view;
  const times = { activeMs: 4000, openMs: 5000, networkMs: 20 };
  return { revision, status: "accepted", rings, box, categoryId, counts: NO_CLICKS, ...times, ...change };
}

export interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** A raw request: nothing is added that a browser or a client library would add. */
export function send(
  server: ReviewServer,
  path: string,
  options: {
    readonly method?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: string;
    readonly withToken?: boolean;
  } = {},
): Promise<Received> {
  const { method = "GET", headers = {}, body, withToken = true } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: "127.0.0.1",
        port: server.port,
        path,
        method,
        headers: {
          ...(withToken && { "x-polyrnn-token": server.token }),
          ...(body !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(body) }),
          ...headers,
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("end", () => {
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) });
        });
      },
    );
    sent.on("error", reject);
    sent.end(body);
  });
}

export const firstOf = ({ rows }: QueuePage): number => rows[0]!.ordinal;

export async function linesOf(folder: string): Promise<string[]> {
  return (await readFile(join(folder, "review.ndjson"), "utf8")).trimEnd().split("\n");
}
