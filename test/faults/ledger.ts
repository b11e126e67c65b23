/** What the fault suite tried and what survived: one line per case, printed as a table when the suite ends. */
import { appendFileSync } from "node:fs";
import { inject } from "vitest";

declare module "vitest" {
  interface ProvidedContext {
    /** File the cases are noted in. */
    faultLedger: string;
  }
}

export interface LedgerLine {
  readonly fault: string;
  readonly tried: number;
  readonly survived: number;
  /** What was lost, in words; empty when nothing was. */
  readonly losses: readonly string[];
  /** Measured on the way, such as the largest memory. */
  readonly seen?: string;
}

/** All 200 kills and 10,000 inputs (`npm run faults`), or the short form that every test run includes. */
export const IS_FULL = process.env["FAULTS"] === "full";

/** @param short how many in the short form */
export function count(full: number, short: number): number {
  return IS_FULL ? full : short;
}

/**
 * The suite is bounded in time: a loop asks this before it tries once more, and what was tried by then is noted.
 * @param minutes of the full form; FAULTS_MINUTES sets another bound @returns true until they are over
 */
export function timeFor(minutes: number): () => boolean {
  const end = performance.now() + 60_000 * Number(process.env["FAULTS_MINUTES"] ?? minutes);
  return () => performance.now() < end;
}

/**
 * Collects what one fault did. Note it in the ledger before expecting anything, so that the table shows losses as well.
 */
export class FaultCase {
  tried = 0;
  survived = 0;
  seen: string | undefined;
  readonly losses: string[] = [];

  constructor(private readonly fault: string) {}

  /** @param problems of one try; none: survived */
  add(problems: readonly string[]): void {
    this.tried++;
    if (problems.length === 0) this.survived++;
    else this.losses.push(problems.join("; "));
  }

  note(): void {
    const line: LedgerLine = {
      fault: this.fault,
      tried: this.tried,
      survived: this.survived,
      losses: this.losses,
      ...(this.seen !== undefined && { seen: this.seen }),
    };
    appendFileSync(inject("faultLedger"), `${JSON.stringify(line)}\n`);
  }
}
