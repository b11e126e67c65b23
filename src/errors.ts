/**
 * Expected errors: one class, one exit code each, and a hint that says what to do next. Anything else that is thrown is
 * a bug. Message: where, expected, received. Hint: one sentence that starts with a verb or a fact.
 */

import { cutText, describeValue } from "./foreign.js";

/** Exit codes of the command line; also in docs/cli.md. 3 to 13 are left alone because Node uses them. */
export const EXIT = {
  /** Every requested instance is done, or there was nothing to do. */
  ok: 0,
  /** The run finished and more instances failed than were allowed; the summary lists them. */
  failures: 1,
  /** Wrong usage. */
  usage: 2,
  /** Input data is invalid, or not one polygon came out although there were boxes. */
  dataInvalid: 65,
  /** Input is missing. */
  inputMissing: 66,
  /** Model or device is not available. */
  unavailable: 69,
  /** A bug; prints a stack and where to report it. */
  bug: 70,
  /** Cannot write output. */
  cannotWrite: 73,
  /** Stopped by the user; the journal is valid. */
  stopped: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export class PolyrnnError extends Error {
  override readonly name = "PolyrnnError";
  /** True: what is missing is gone for this process, so that all further work that needs it would fail as well. */
  readonly isLasting: boolean;
  // eslint-disable-next-line max-params -- the platform's errors take their options last, after the message
  constructor(
    message: string,
    readonly code: `E_${string}`,
    readonly exitCode: ExitCode,
    readonly hint: string,
    options?: { cause?: unknown; isLasting?: boolean },
  ) {
    super(message, options);
    this.isLasting = options?.isLasting ?? false;
  }
}

/** Text of whatever was thrown, for use inside a message. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** What was received, short enough for a message whatever the file holds. */
export function receivedOf(value: unknown): string {
  if (typeof value === "string") return describeValue(cutText(value, 40), 400);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  return describeValue(value);
}

export const usageError = (message: string, hint: string): PolyrnnError =>
  new PolyrnnError(message, "E_USAGE", EXIT.usage, hint);

export const invalidData = (message: string, hint: string, cause?: unknown): PolyrnnError =>
  new PolyrnnError(message, "E_DATA", EXIT.dataInvalid, hint, { cause });

export const missingInput = (message: string, hint: string, cause?: unknown): PolyrnnError =>
  new PolyrnnError(message, "E_MISSING", EXIT.inputMissing, hint, { cause });

export const unavailable = (message: string, hint: string, cause?: unknown): PolyrnnError =>
  new PolyrnnError(message, "E_UNAVAILABLE", EXIT.unavailable, hint, { cause });

/** What was there until now: a thread that has ended, a device that was lost. */
export const gone = (message: string, hint: string, cause?: unknown): PolyrnnError =>
  new PolyrnnError(message, "E_UNAVAILABLE", EXIT.unavailable, hint, { cause, isLasting: true });

export const cannotWrite = (message: string, hint: string, cause?: unknown): PolyrnnError =>
  new PolyrnnError(message, "E_WRITE", EXIT.cannotWrite, hint, { cause });

/** Whether the file system said that there is nothing of that name. */
export function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
