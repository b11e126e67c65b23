/**
 * Fetches one image over http or https into a file, within bounds: bytes, time, redirects, and no address of the
 * worker's own network unless that is allowed. A job must not make a worker fetch what its author cannot reach. The
 * address is checked when the connection is made, for every hop, so that a name that resolves differently between check
 * and use gains nothing.
 */
import { lookup as resolveName } from "node:dns";
import { open } from "node:fs/promises";
import type { IncomingMessage, RequestOptions } from "node:http";
import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { LookupFunction } from "node:net";
import { BlockList, isIP } from "node:net";
import { count } from "../count.js";
import { reasonOf } from "../errors.js";
import type { Failure } from "../types.js";

export interface FetchLimits {
  readonly maxBytes: number;
  /** For the whole image, redirects included. */
  readonly timeoutMs: number;
  readonly allowPrivateAddresses: boolean;
  /** Aborted = give up at once: the worker stops. */
  readonly stop?: AbortSignal;
}

const MOST_REDIRECTS = 5;
/** Interim answers (1xx) to one request. */
const MOST_INTERIM = 5;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Answers that mean "later": worth another attempt. */
const LATER: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** `isTransient`: another attempt may go better. */
export type Fetched =
  { readonly kind: "fetched" } | { readonly kind: "failed"; readonly isTransient: boolean; readonly failure: Failure };

const NO_IMAGE = "expected an image but received";
const LOOK = "Look at the server.";

/** Thrown inside, turned into `Fetched` at the edge. */
class Refusal extends Error {
  constructor(
    readonly reason: Failure["reason"],
    message: string,
    readonly isTransient = false,
  ) {
    super(message);
  }
}

/** @param path of the new file; on a failure it may hold a part */
export async function fetchImage(address: string, path: string, limits: FetchLimits): Promise<Fetched> {
  if (!URL.canParse(address))
    return failed("image-missing", "expected the address of an image but received text that is no address", false);
  const shown = withoutSecrets(address);
  const late = AbortSignal.timeout(limits.timeoutMs);
  const signal = limits.stop === undefined ? late : AbortSignal.any([late, limits.stop]);
  try {
    await orAborted(follow(new URL(address), path, limits, signal), signal);
    return { kind: "fetched" };
  } catch (error) {
    if (error instanceof Refusal) return failed(error.reason, `${shown}: ${error.message}`, error.isTransient);
    if (signal.aborted)
      return failed(
        "image-unreadable",
        `${shown}: expected the image within ${limits.timeoutMs / 1000} s but it took longer. ` +
          "Raise --image-timeout, or look at the server.",
        true,
      );
    return failed(
      "image-unreadable",
      `${shown}: expected an image but the connection failed: ${reasonOf(error)}. Check the address and the server.`,
      true,
    );
  }
}

/**
 * Settles when the signal is aborted, whatever the work waits for: looking up a name cannot be given up, and a server
 * has many ways to leave a request without an end.
 */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let give: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    give = () => {
      reject(new Error("given up"));
    };
    signal.addEventListener("abort", give, { once: true });
    if (signal.aborted) give();
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", give);
    work.catch(() => undefined); // it ends later, and nobody waits for it
  }
}

async function follow(start: URL, path: string, limits: FetchLimits, signal: AbortSignal): Promise<void> {
  let url = start;
  for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
    const response = await get(url, limits, signal);
    const status = response.statusCode ?? 0;
    if (status === 200) {
      await save(response, path, limits.maxBytes);
      return;
    }
    response.destroy();
    if (!REDIRECTS.has(status)) {
      throw new Refusal(
        status === 404 || status === 410 ? "image-missing" : "image-unreadable",
        `expected an image but the server answered ${status}. Check the address.`,
        LATER.has(status),
      );
    }
    const next = response.headers.location;
    if (next === undefined || !URL.canParse(next, url.href))
      throw new Refusal("image-unreadable", "expected an image but received a redirect to nowhere. Check the server.");
    url = new URL(next, url);
  }
  throw new Refusal(
    "image-unreadable",
    `expected an image within ${MOST_REDIRECTS} redirects but received one more. Check the server.`,
  );
}

function get(url: URL, limits: FetchLimits, signal: AbortSignal): Promise<IncomingMessage> {
  if (url.protocol !== "http:" && url.protocol !== "https:")
    throw new Refusal("image-outside", `expected http or https but received ${url.protocol}. It was not opened.`);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  // A plain IP address is connected to without a look-up.
  if (!limits.allowPrivateAddresses && isIP(host) !== 0 && isPrivateAddress(host)) throw privateRefusal(host);
  const options: RequestOptions = {
    signal,
    agent: false,
    headers: { accept: "image/*", "accept-encoding": "identity" },
    ...(limits.allowPrivateAddresses ? {} : { lookup: lookupPublic }),
  };
  return new Promise((resolve, reject) => {
    const request =
      url.protocol === "https:" ? requestHttps(url, options, resolve) : requestHttp(url, options, resolve);
    let interim = 0;
    request
      .on("error", reject)
      .on("information", () => {
        if (++interim > MOST_INTERIM)
          request.destroy(new Refusal("image-unreadable", `${NO_IMAGE} only interim answers (1xx). ${LOOK}`, true));
      })
      // Node leaves an answer of 101 to whoever listens, and nobody else hears of it.
      .on("upgrade", (_, socket) => {
        socket.destroy();
        reject(new Refusal("image-unreadable", `${NO_IMAGE} a change of protocol (101). ${LOOK}`));
      })
      .on("close", () => {
        reject(new Refusal("image-unreadable", `${NO_IMAGE} the end of the connection. ${LOOK}`, true));
      })
      .end();
  });
}

/** Every address of the name must be public, because the choice among them is not ours. */
const lookupPublic: LookupFunction = (host, options, done) => {
  resolveName(host, { ...options, all: true }, (error, addresses) => {
    const hidden = error === null ? addresses.find(({ address }) => isPrivateAddress(address)) : undefined;
    const first = error === null ? addresses[0] : undefined;
    if (error !== null || hidden !== undefined || first === undefined) {
      done(error ?? privateRefusal(hidden?.address ?? host), "", 0);
    } else if (options.all === true) {
      done(null, addresses);
    } else {
      done(null, first.address, first.family);
    }
  });
};

function privateRefusal(address: string): Refusal {
  return new Refusal(
    "image-outside",
    `expected a public address but received ${address}, which belongs to a private network. ` +
      "It was not opened; --allow-private-addresses allows it.",
  );
}

async function save(response: IncomingMessage, path: string, maxBytes: number): Promise<void> {
  const tooLarge = (bytes: string): Refusal => {
    response.destroy();
    return new Refusal(
      "image-too-large",
      `expected at most ${count(maxBytes, "byte")} but received ${bytes}. Raise --max-image-bytes.`,
    );
  };
  const encoding = response.headers["content-encoding"] ?? "identity";
  if (!/^\s*identity\s*$/i.test(encoding))
    throw new Refusal("image-unreadable", `${NO_IMAGE} one that the server has compressed once more. ${LOOK}`);
  const announced = Number(response.headers["content-length"] ?? 0);
  if (announced > maxBytes) throw tooLarge(String(announced));
  const file = await open(path, "wx", 0o600).catch(noRoom);
  try {
    let bytes = 0;
    for await (const chunk of response as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw tooLarge("more");
      await file.appendFile(chunk).catch(noRoom);
    }
    if (!response.complete)
      throw new Refusal(
        "image-unreadable",
        `expected the whole image but the connection ended after ${count(bytes, "byte")}. Look at the server.`,
        true,
      );
  } finally {
    await file.close();
  }
}

/** The worker's own disk is at fault, and not the server. @throws Refusal */
function noRoom(error: unknown): never {
  throw new Refusal(
    "image-unreadable",
    `expected to keep the image in the worker's temporary folder, received ${(error as NodeJS.ErrnoException).code ?? reasonOf(error)}. ` +
      "Make room there, or name another one with TMPDIR.",
    true,
  );
}

/** Addresses often carry a signature or a password. */
function withoutSecrets(address: string): string {
  const url = new URL(address);
  return `${url.protocol}//${url.host}${url.pathname}`;
}

function failed(reason: Failure["reason"], message: string, isTransient: boolean): Fetched {
  return { kind: "failed", isTransient, failure: { reason, message } };
}

/** Source: the IANA special-purpose address registries (RFC 6890 and its updates), all entries. */
const V4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.31.196.0", 24],
  ["192.52.193.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["192.175.48.0", 24],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
] as const;

/**
 * Global unicast (RFC 4291) is 2000::/3. What lies outside is loopback, local, multicast, a wrapped IPv4 address
 * (::/96, ::ffff:0:0:0/96, 64:ff9b::/96, 64:ff9b:1::/48), or not given out (100::/64, 100:0:0:1::/64, 5f00::/16).
 */
const V6_GLOBAL = ["2000::", 3] as const;
/** What is special within it. 2001::/23 holds Teredo, benchmarks and both ORCHIDs; 2002::/16 wraps IPv4 (6to4). */
const V6 = [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["2620:4f:8000::", 48],
  ["3fff::", 20],
] as const;

const blocked = new BlockList();
for (const [net, bits] of V4) blocked.addSubnet(net, bits, "ipv4");
for (const [net, bits] of V6) blocked.addSubnet(net, bits, "ipv6");
const global6 = new BlockList();
global6.addSubnet(...V6_GLOBAL, "ipv6");
const mapped = new BlockList();
mapped.addSubnet("::ffff:0:0", 96, "ipv6");

/** @param address an IP address, without brackets; an IPv4 address inside IPv6 (::ffff:a.b.c.d) counts as IPv4 */
export function isPrivateAddress(address: string): boolean {
  const family = isIP(address);
  if (family !== 6) return family === 0 || blocked.check(address, "ipv4");
  if (address.includes("%")) return true; // a zone: of this machine's own links
  // BlockList holds a mapped address against the rules for IPv4.
  if (mapped.check(address, "ipv6")) return blocked.check(address, "ipv6");
  return !global6.check(address, "ipv6") || blocked.check(address, "ipv6");
}
