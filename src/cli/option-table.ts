/**
 * The shape of an option table: one row per option of a command. Parsing, environment names, range checks, help and the
 * tables in docs/cli.md are all made from the rows. `satisfies OptionTable<Options>` makes a missing row, or a default
 * of the wrong type, a compile error.
 */

import type { Secret } from "../secret.js";

export type OptionGroup = "common" | "advanced" | "output";

interface RowBase {
  /** At most 90 characters without a full stop; unit, range and default are added from the row. */
  readonly describe: string;
  readonly group: OptionGroup;
  /** Given by its place instead of by name: 0 is the first argument after the command. */
  readonly position?: number;
}

export interface TextRow<V extends string> extends RowBase {
  readonly type: "text";
  /** What stands for the value in the help: FILE, DIR, NAME. Rows with choices show the choices instead. */
  readonly placeholder?: string;
  readonly choices?: readonly V[];
  /** What to say to words of other programs, in lower case, where the nearest choice would be another thing. */
  readonly otherWords?: Readonly<Record<string, string>>;
}

/** An address that may hold a password or a signature: held as a secret from here to the connection. */
export interface AddressRow extends RowBase {
  readonly type: "address";
  readonly placeholder: string;
}

export interface NumberRow extends RowBase {
  readonly type: "number";
  readonly integer?: boolean;
  readonly min: number;
  /** Absent: no upper end. */
  readonly max?: number;
  /** Absent where the description says it: a ratio, a score. */
  readonly unit?: string;
}

export interface FlagRow extends RowBase {
  readonly type: "flag";
}

/** Given once with commas, or several times; by its place: all arguments from there on. */
export interface ListRow<V extends string> extends RowBase {
  readonly type: "list";
  readonly placeholder?: string;
  readonly choices?: readonly V[];
}

type RowOf<V> = V extends boolean
  ? FlagRow
  : V extends number
    ? NumberRow
    : V extends readonly (infer Item extends string)[]
      ? ListRow<Item>
      : V extends string
        ? TextRow<V>
        : V extends Secret
          ? AddressRow
          : never;

/** An optional option may say what happens without it; the others have a default or are required. */
type Presence<O, K extends keyof O> =
  object extends Pick<O, K>
    ? { readonly default?: never; readonly required?: never; readonly whenAbsent?: string }
    : | { readonly default: O[K]; readonly required?: never; readonly whenAbsent?: never }
      | { readonly required: true; readonly default?: never; readonly whenAbsent?: never };

// The brackets keep a union of choices in one row: without them TypeScript would make a row per choice.
export type OptionTable<O> = {
  readonly [K in keyof O]-?: ([NonNullable<O[K]>] extends [string]
    ? TextRow<NonNullable<O[K]> & string>
    : RowOf<NonNullable<O[K]>>) &
    Presence<O, K>;
};

/** A row seen without its command's type, as the parser and the help see it. */
export type OptionRow = (TextRow<string> | AddressRow | NumberRow | FlagRow | ListRow<string>) & {
  readonly default?: OptionValue;
  readonly required?: true;
  readonly whenAbsent?: string;
};

export type OptionValue = string | number | boolean | readonly string[] | Secret;

/** Rows by camelCase name, in the order of the help. */
export type AnyOptionTable = Readonly<Record<string, OptionRow>>;

/** batchSize -> batch-size */
export function flagName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** batchSize -> POLYRNN_BATCH_SIZE */
export function environmentName(name: string): string {
  return `POLYRNN_${flagName(name).replaceAll("-", "_").toUpperCase()}`;
}
