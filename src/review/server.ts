/**
 * The review as HTTP on this machine alone. A web site that the browser has open is hostile: it may send requests here,
 * and by DNS rebinding read answers. So the Host is checked on every request, every call of the API needs a token that
 * only the opened address holds, there is no CORS, writes are JSON with a small body, and images go by ordinal. The
 * pages hold no data; nothing that comes from outside becomes a path.
 */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { PolyrnnError, reasonOf, receivedOf, usageError } from "../errors.js";
import { parseForeignJson } from "../foreign.js";
import { listen, REQUEST_LIMITS, targetOf } from "../serve.js";
import { TOKEN_HEADER } from "./api.js";
import { checkDecision, checkRedraw, checkUndo } from "./decision.js";
import { DEFAULT_VIEW } from "./pictures.js";
import { Superseded } from "./redraw.js";
import type { ReviewSession } from "./session.js";
import { NotFound, Stale } from "./refusals.js";
import type { StaticFiles } from "./static-files.js";

const ADDRESS = "127.0.0.1";
/** A ring of 500 vertices has 20 KB. */
export const MOST_BODY_BYTES = 64 * 1024;
const TOKEN_BYTES = 16;
const JSON_LEVELS = 16;
const MOST_ROWS = 200;

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src 'self'; " +
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cache-control": "no-store",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
};

export interface ReviewServer {
  readonly port: number;
  readonly token: string;
  /** With the token in its fragment, which browsers do not send. */
  readonly address: string;
  close(): Promise<void>;
}

/** @throws E_USAGE when the port is taken */
export async function startServer(
  session: ReviewSession,
  options: { readonly port: number; readonly files: StaticFiles; readonly note: (line: string) => void },
): Promise<ReviewServer> {
  const token = randomBytes(TOKEN_BYTES).toString("hex");
  const site: Site = { session, token, ...options };
  const server = createServer(REQUEST_LIMITS, (request, response) => {
    void answer(site, request, response);
  });
  await listen(server, ADDRESS, options.port).catch((error: unknown) => {
    throw usageError(
      `--port ${options.port}: expected a free port on this machine, received ${reasonOf(error)}`,
      "Name another port, or leave --port out.",
    );
  });
  const { port } = server.address() as AddressInfo;
  site.port = port;
  return {
    port,
    token,
    address: `http://${ADDRESS}:${port}/#t=${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeIdleConnections();
        // A browser keeps its connections; what is in work has a moment to end.
        setTimeout(() => {
          server.closeAllConnections();
        }, 1000).unref();
      }),
  };
}

interface Site {
  readonly session: ReviewSession;
  readonly token: string;
  readonly files: StaticFiles;
  readonly note: (line: string) => void;
  port: number;
}

/** A request that is refused before the review sees it. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: `E_${string}`,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}

type Answer =
  | { readonly kind: "json"; readonly value: object }
  | { readonly kind: "bytes"; readonly type: string; readonly bytes: Uint8Array };

async function answer(site: Site, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const found = await route(site, request, response);
    if (found.kind === "json") send(response, 200, "application/json", Buffer.from(JSON.stringify(found.value)));
    else send(response, 200, found.type, found.bytes);
  } catch (error) {
    const { status, body } = failureOf(error);
    if (status === 500) site.note(`review: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    // What was not read of a body cannot be told from the next request.
    if (!request.complete) response.setHeader("connection", "close");
    send(response, status, "application/json", Buffer.from(JSON.stringify(body)));
  }
}

function send(response: ServerResponse, status: number, type: string, bytes: Uint8Array): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, { ...HEADERS, "content-type": type, "content-length": bytes.length });
  response.end(bytes);
}

function failureOf(error: unknown): { status: number; body: object } {
  if (error instanceof Superseded)
    return { status: 499, body: { code: "E_SUPERSEDED", message: "a newer request came", hint: "Use its answer." } };
  if (error instanceof Refused) {
    const { status, code, message, hint } = error;
    return { status, body: { code, message, hint } };
  }
  if (error instanceof PolyrnnError) {
    const { code, message, hint } = error;
    const current = error instanceof Stale ? error.current : undefined;
    return { status: statusOf(error), body: { code, message, hint, ...(current !== undefined && { current }) } };
  }
  return {
    status: 500,
    body: { code: "E_BUG", message: "something went wrong", hint: "The terminal says what; nothing was changed." },
  };
}

function statusOf(error: PolyrnnError): number {
  if (error instanceof NotFound) return 404;
  if (error.code === "E_WRITE") return 507;
  if (error.code === "E_DATA") return 422;
  return error.code === "E_STALE" || error.code === "E_NO_MODEL" || error.code === "E_NOTHING_TO_UNDO" ? 409 : 400;
}

async function route(site: Site, request: IncomingMessage, response: ServerResponse): Promise<Answer> {
  checkHost(site, request);
  const url = targetOf(request.url);
  if (url === undefined)
    throw new Refused(400, "E_TARGET", `expected a path, received ${receivedOf(request.url)}`, "Reload the page.");
  const { pathname } = url;
  const method = request.method ?? "";
  if (pathname !== "/api" && !pathname.startsWith("/api/")) {
    if (method !== "GET") throw notAllowed(method, "GET");
    const file = site.files.get(pathname);
    if (file === undefined) throw new Refused(404, "E_NOT_FOUND", "there is no such page", "Open the address again.");
    return { kind: "bytes", ...file };
  }
  checkCaller(site, request);
  const path = pathname.slice("/api/".length);
  const { session } = site;
  if (path === "session" || path === "queue" || path === "statistics") {
    if (method !== "GET") throw notAllowed(method, "GET");
    if (path === "session") return json(session.session());
    if (path === "statistics") return json(session.statistics());
    const after = url.searchParams.has("after") ? numberIn(url, "after", { low: -1, high: 2 ** 31, absent: -1 }) : -1;
    return json(session.queuePage(after, numberIn(url, "limit", { low: 1, high: MOST_ROWS, absent: 50 })));
  }
  if (path === "undo" || path === "export") {
    if (method !== "POST") throw notAllowed(method, "POST");
    const body = await readBody(request);
    return json(path === "undo" ? await session.undo(checkUndo(body)) : await session.export());
  }
  return routeInstance(site, { request, response }, url, path);
}

const INSTANCE = /^instances\/(\d{1,12})(?:\/(picture|redraw))?$/;

async function routeInstance(
  { session }: Site,
  { request, response }: { readonly request: IncomingMessage; readonly response: ServerResponse },
  url: URL,
  path: string,
): Promise<Answer> {
  const method = request.method ?? "";
  const [, digits, part] = INSTANCE.exec(path) ?? [];
  if (digits === undefined)
    throw new Refused(404, "E_NOT_FOUND", "there is no such part of the API", "Reload the page.");
  const ordinal = Number(digits);
  if (part === "picture") {
    if (method !== "GET") throw notAllowed(method, "GET");
    const margin = numberIn(url, "margin", { low: 0, high: 4, absent: DEFAULT_VIEW.margin });
    const side = Math.round(numberIn(url, "side", { low: 16, high: 3200, absent: DEFAULT_VIEW.side }));
    return { kind: "bytes", type: "image/jpeg", bytes: await session.picture(ordinal, { margin, side }) };
  }
  if (part === "redraw") {
    if (method !== "POST") throw notAllowed(method, "POST");
    return json(await session.redraw(ordinal, checkRedraw(await readBody(request)), gone(response)));
  }
  if (method === "GET") return json(await session.instance(ordinal));
  if (method !== "PUT") throw notAllowed(method, "GET or PUT");
  return json(await session.decide(ordinal, checkDecision(await readBody(request))));
}

/** @returns aborted where who asked hangs up before the answer: a page that no longer waits for a way */
function gone(response: ServerResponse): AbortSignal {
  const work = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) work.abort(new Superseded());
  });
  return work.signal;
}

const json = (value: object): Answer => ({ kind: "json", value });

function checkHost({ port }: Site, { headers }: IncomingMessage): void {
  const { host } = headers;
  if (host === `${ADDRESS}:${port}` || host === `localhost:${port}`) return;
  throw new Refused(
    403,
    "E_HOST",
    `expected the host ${ADDRESS}:${port}, received ${receivedOf(host)}`,
    "Open the address that the terminal shows. From another machine: ssh -L.",
  );
}

function checkCaller({ port, token }: Site, request: IncomingMessage): void {
  const { headers, method } = request;
  const { origin } = headers;
  if (origin !== undefined && origin !== `http://${ADDRESS}:${port}` && origin !== `http://localhost:${port}`)
    throw new Refused(403, "E_ORIGIN", `expected a request of this page, received one of ${receivedOf(origin)}`, OPEN);
  const site = headers["sec-fetch-site"];
  if (site !== undefined && site !== "same-origin" && site !== "none")
    throw new Refused(403, "E_ORIGIN", `expected a request of this page, received a ${receivedOf(site)} one`, OPEN);
  if (!isToken(headers[TOKEN_HEADER], token))
    throw new Refused(401, "E_TOKEN", `expected the token of this review in ${TOKEN_HEADER}, received another`, OPEN);
  if (method !== "GET" && !/^application\/json(?:;|$)/.test(headers["content-type"] ?? ""))
    throw new Refused(
      415,
      "E_CONTENT_TYPE",
      `expected application/json, received ${receivedOf(headers["content-type"])}`,
      "Send JSON.",
    );
}

const OPEN = "Open the address that the terminal shows.";

/** In constant time, so that the answer's delay tells nothing. */
function isToken(received: string | string[] | undefined, token: string): boolean {
  const bytes = Buffer.from(typeof received === "string" ? received : "");
  const expected = Buffer.from(token);
  return bytes.length === expected.length && timingSafeEqual(bytes, expected);
}

function notAllowed(method: string, expected: string): Refused {
  return new Refused(405, "E_METHOD", `expected ${expected}, received ${receivedOf(method)}`, "Reload the page.");
}

function numberIn(
  url: URL,
  name: string,
  { low, high, absent }: { readonly low: number; readonly high: number; readonly absent: number },
): number {
  const text = url.searchParams.get(name);
  if (text === null) return absent;
  const value = Number(text);
  if (text.trim() !== "" && value >= low && value <= high) return value;
  throw new Refused(
    400,
    "E_QUERY",
    `expected a number ${name} from ${low} to ${high}, received ${receivedOf(text)}`,
    "Reload the page.",
  );
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const tooLong = (): Refused =>
    new Refused(413, "E_BODY", `expected a body of at most ${MOST_BODY_BYTES} bytes, received more`, "Send less.");
  if (Number(request.headers["content-length"] ?? 0) > MOST_BODY_BYTES) throw tooLong();
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of request as AsyncIterable<Buffer>) {
    size += part.length;
    if (size > MOST_BODY_BYTES) throw tooLong();
    parts.push(part);
  }
  try {
    return parseForeignJson(Buffer.concat(parts).toString("utf8"), JSON_LEVELS);
  } catch (error) {
    throw new Refused(400, "E_BODY", `expected JSON, received a body where ${reasonOf(error)}`, "Send JSON.");
  }
}
