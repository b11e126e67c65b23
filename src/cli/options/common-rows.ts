/** Rows that several commands share: how to print. */
import type { FlagRow, TextRow } from "./option-table.js";

export interface JsonOption {
  /** One JSON object on standard output. */
  readonly json: boolean;
}

export const jsonRow = {
  type: "flag",
  group: "output",
  describe: "Print one JSON object on standard output, also when the command fails",
  default: false,
} as const satisfies FlagRow & { default: boolean };

export const COLOR_CHOICES = ["auto", "always", "never"] as const;
export type ColorChoice = (typeof COLOR_CHOICES)[number];

export const colorRow = {
  type: "text",
  group: "output",
  choices: COLOR_CHOICES,
  describe: "Color messages; auto: on a terminal, unless NO_COLOR or TERM=dumb is set",
  default: "auto",
} as const satisfies TextRow<ColorChoice> & { default: ColorChoice };

export interface ConfigOption {
  readonly config?: string;
}

export const configRow = {
  type: "text",
  group: "advanced",
  placeholder: "FILE",
  describe: "JSON object with option names as keys; the environment and flags go before it",
} as const satisfies TextRow<string>;
