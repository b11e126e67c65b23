/** Calls of the API. The token comes in the address's fragment, is kept for this window, and leaves the bar. */
import type { ApiError } from "../api.js";
import { TOKEN_HEADER } from "../api.js";

const KEPT_TOKEN = "polyrnn-token";

/** An answer that is not the one asked for: refused, stale, or of a server that has been restarted. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly error: ApiError,
  ) {
    super(`${error.message}. ${error.hint}`);
  }
}

/** Nobody answered: the server ended, or the network is cut. */
export class Unreachable extends Error {}

/** @returns whether the address held a token */
export function takeToken(): boolean {
  const token = new URLSearchParams(location.hash.slice(1)).get("t");
  if (token === null) return false;
  sessionStorage.setItem(KEPT_TOKEN, token);
  history.replaceState(null, "", location.pathname);
  return true;
}

async function ask(path: string, method: string, body?: object, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/${path}`, {
      method,
      headers: {
        [TOKEN_HEADER]: sessionStorage.getItem(KEPT_TOKEN) ?? "",
        ...(body !== undefined && { "content-type": "application/json" }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal !== undefined && { signal }),
    });
  } catch (error) {
    if (signal?.aborted === true) throw error;
    throw new Unreachable(String(error));
  }
  if (response.ok) return response;
  throw new Refusal(response.status, await errorOf(response));
}

async function errorOf(response: Response): Promise<ApiError> {
  try {
    return (await response.json()) as ApiError;
  } catch (error) {
    return { code: "E_ANSWER", message: `the answer ended early (${String(error)})`, hint: "Try again." };
  }
}

/** Answers come from our own server, whose types these are. */
export async function get<T>(path: string): Promise<T> {
  return (await (await ask(path, "GET")).json()) as T;
}

/** @param signal hangs up: the answer is not waited for any more */
export async function write<T>(method: "PUT" | "POST", path: string, body: object, signal?: AbortSignal): Promise<T> {
  return (await (await ask(path, method, body, signal)).json()) as T;
}

/** @returns address of the picture; the caller revokes it */
export async function picture(ordinal: number, query: string): Promise<string> {
  const response = await ask(`instances/${ordinal}/picture?${query}`, "GET");
  return URL.createObjectURL(await response.blob());
}
