/**
 * The address of a Redis server as a user gives it, checked. What is shown of it has no password: that goes to the
 * connection and nowhere else.
 */
import { PolyrnnError, reasonOf, usageError } from "../errors.js";
import { cutText } from "../foreign.js";
import { hideSecrets, Secret } from "../secret.js";

const HINT =
  "Write redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6380/0 for TLS; " +
  "POLYRNN_QUEUE keeps a password out of the command line.";

export interface RedisAddress {
  readonly host: string;
  readonly port: number;
  readonly database: number;
  readonly isEncrypted: boolean;
  readonly username?: Secret;
  readonly password?: Secret;
  /** Without user and password; for messages. */
  readonly shown: string;
}

/** @throws E_USAGE without repeating what was received, because it may hold a password */
export function parseRedisAddress(address: Secret): RedisAddress {
  let url: URL;
  try {
    url = new URL(address.open());
  } catch {
    throw usageError("--queue: expected an address of a Redis server but received text that is no address", HINT);
  }
  const isEncrypted = url.protocol === "rediss:";
  if (!isEncrypted && url.protocol !== "redis:")
    throw usageError(
      "--queue: expected an address that begins with redis:// or rediss:// but received another kind",
      HINT,
    );
  if (url.hostname === "") throw usageError("--queue: expected a host but received none", HINT);
  const database = url.pathname.replace(/^\//, "");
  if (!/^\d{0,4}$/.test(database))
    throw usageError("--queue: expected the number of a database after the host but received something else", HINT);
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = url.port === "" ? 6379 : Number(url.port);
  return {
    host,
    port,
    database: Number(database),
    isEncrypted,
    ...(url.username === "" ? {} : { username: new Secret(decoded(url.username)) }),
    ...(url.password === "" ? {} : { password: new Secret(decoded(url.password)) }),
    shown: `${url.protocol}//${url.hostname}:${port}${database === "" ? "" : `/${database}`}`,
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw usageError(
      "--queue: expected user and password with %-escapes for special characters but received a broken escape",
      HINT,
    );
  }
}

/**
 * The address of the image folder, from which workers fetch. A query, such as a signature, goes with every image.
 * @throws E_USAGE without repeating what was received, because it may hold a password
 */
export function parseImageAddress(address: Secret): Secret {
  const text = address.open();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw usageError(
      "--image-address: expected an address that begins with http:// or https:// but received another kind",
      "Give the address of the folder that holds the images.",
    );
  }
  return address;
}

/** Characters of a reason that is told: whoever writes to the server decides what it says. */
const LONGEST_REASON = 2000;

/** An error of the queue as one short line without secrets. */
export function queueReason(error: unknown): string {
  if (error instanceof PolyrnnError) return error.message;
  // Cut first: what was sent may have any length.
  return hideSecrets(cutText(reasonOf(error), LONGEST_REASON).split("\n", 1)[0]!);
}
