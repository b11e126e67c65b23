/**
 * What makes two runs the same run: line 1 of the journal. `--resume` requires that all of it agrees, so that a
 * folder never holds polygons of two inputs, two models or two sets of options.
 */
import { EXIT, invalidData, PolyrnnError } from "../errors.js";
import { cutText } from "../foreign.js";
import type { JsonObject } from "../types.js";
import { compileSchema, lazily } from "../validate.js";
import { JOURNAL_VERSION } from "./journal.js";

export interface RunIdentity {
  readonly type: "run";
  readonly version: typeof JOURNAL_VERSION;
  /** sha256 of the box file or folder. */
  readonly input: string;
  /** sha256 of the model. */
  readonly model: string;
  readonly context: number;
  readonly maxSteps: number;
  readonly candidates: number;
  /** Absent: the map's own (predict/options.ts), as in runs before there was a choice. */
  readonly sure?: number;
  /** Absent: float32, or the workers of a queue, each in its own. */
  readonly precision?: "float16";
  readonly minScore: number;
  readonly simplify: number;
  /** Sorted. */
  readonly categories: readonly string[];
  readonly existing: "predict" | "keep";
  readonly limit: number | null;
  /** "3/16"; null: the whole input. */
  readonly shard: string | null;
  /** sha256 of the earlier annotations; null: every instance is predicted. */
  readonly onlyNew: string | null;
}

/** The part of the images that one machine works on; annotate/shard.ts cuts it. */
export interface Shard {
  /** From 1 to count. */
  readonly index: number;
  readonly count: number;
}

/** "3/16", as --shard takes it. */
export function shardName({ index, count }: Shard): string {
  return `${index}/${count}`;
}

/** Options that change a result. */
export interface ResultOptions extends Pick<
  RunIdentity,
  "context" | "maxSteps" | "candidates" | "sure" | "minScore" | "simplify" | "categories" | "existing"
> {
  readonly limit?: number;
  readonly shard?: Shard;
  /** What the engine computes in, whatever was asked for. */
  readonly precision?: "float16" | undefined;
}

/** sha256 of what a run reads. */
export interface RunHashes {
  readonly input: string;
  readonly model: string;
  /** Of the earlier annotations; undefined without --only-new. */
  readonly onlyNew: string | undefined;
}

export function identifyRun(options: ResultOptions, hashes: RunHashes): RunIdentity {
  return {
    type: "run",
    version: JOURNAL_VERSION,
    input: hashes.input,
    model: hashes.model,
    context: options.context,
    maxSteps: options.maxSteps,
    candidates: options.candidates,
    ...(options.sure !== undefined && { sure: options.sure }),
    ...(options.precision !== undefined && { precision: options.precision }),
    minScore: options.minScore,
    simplify: options.simplify,
    categories: [...options.categories].sort(),
    existing: options.existing,
    limit: options.limit ?? null,
    shard: options.shard === undefined ? null : shardName(options.shard),
    onlyNew: hashes.onlyNew ?? null,
  };
}

/** For each field, what the user would have to change. */
const FIELD_NAMES: Readonly<Record<keyof RunIdentity, string>> = {
  type: "kind of file",
  version: "journal version",
  input: "content of --boxes (sha256)",
  model: "content of --model (sha256)",
  context: "--context",
  maxSteps: "--max-steps",
  candidates: "--candidates",
  sure: "--sure",
  precision: "--precision",
  minScore: "--min-score",
  simplify: "--simplify",
  categories: "--categories",
  existing: "--existing",
  limit: "--limit",
  shard: "--shard",
  onlyNew: "content of --only-new (sha256)",
};

/** @throws E_DATA when line 1 is no header; E_RESUME naming every field that differs */
export function checkSameRun(journalPath: string, found: JsonObject | undefined, wanted: RunIdentity): void {
  if (found?.["type"] !== "run") {
    throw invalidData(
      `${journalPath}: line 1: expected the header of a run, received a damaged or foreign line`,
      "Start again in another folder with --out, or replace this run with --force.",
    );
  }
  const differences = describeDifferences(found, wanted).map(
    (field) => `${field.name}: the run has ${field.found}, this command ${field.wanted}`,
  );
  if (differences.length > 0) {
    throw new PolyrnnError(
      `${journalPath}: cannot resume a different run: ${differences.join("; ")}`,
      "E_RESUME",
      EXIT.usage,
      "Repeat the command of the earlier run, write to another folder with --out, or replace the run with --force.",
    );
  }
}

/** The fields in which two runs differ, as the user knows them. */
export function describeDifferences(
  found: Readonly<Partial<Record<keyof RunIdentity, unknown>>>,
  wanted: RunIdentity,
): { readonly name: string; readonly found: string; readonly wanted: string }[] {
  return (Object.keys(FIELD_NAMES) as (keyof RunIdentity)[])
    .filter((field) => JSON.stringify(found[field]) !== JSON.stringify(wanted[field]))
    .map((field) => {
      const absent = field === "precision" ? "float32" : undefined;
      const [was, is] = [found[field] ?? absent, wanted[field] ?? absent];
      return { name: FIELD_NAMES[field], found: shorten(was), wanted: shorten(is) };
    });
}

function shorten(value: unknown): string {
  if (value === undefined || value === null) return "none";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /^[0-9a-f]{64}$/.test(text) ? text.slice(0, 12) : cutText(text, 200);
}

const sha256 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const ratio = { type: "number", minimum: 0, maximum: 1 };
const count = { type: "integer", minimum: 1 };

/** JSON schema of each field; `library/schemas.ts` publishes them. */
export const IDENTITY_FIELDS: Readonly<Record<keyof RunIdentity, object>> = {
  type: { const: "run" },
  version: { const: JOURNAL_VERSION },
  input: sha256,
  model: sha256,
  context: ratio,
  maxSteps: count,
  candidates: count,
  sure: ratio,
  precision: { const: "float16" },
  minScore: ratio,
  simplify: { type: "number", minimum: 0 },
  categories: { type: "array", items: { type: "string" } },
  existing: { enum: ["predict", "keep"] },
  limit: { ...count, type: ["integer", "null"] },
  shard: { type: ["string", "null"], pattern: "^[0-9]+/[0-9]+$" },
  onlyNew: { ...sha256, type: ["string", "null"] },
};

/** Line 1 of a journal from elsewhere against what this program writes. @returns the first violation, if any */
export const checkIdentity = lazily(() =>
  compileSchema({
    type: "object",
    required: Object.keys(IDENTITY_FIELDS).filter((field) => field !== "sure" && field !== "precision"),
    properties: IDENTITY_FIELDS,
  }),
);
