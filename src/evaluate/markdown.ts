/** Pieces of Markdown whose text may come from anywhere. */
import { rangeOf, ratio } from "../write/html/numbers.js";
import type { Interval } from "./report-types.js";

/** Longer names are cut; sentences may be longer. */
const LONGEST_NAME = 120;
export const LONGEST_SENTENCE = 600;

/** Text that stays text: on one line, without control characters, with everything escaped that Markdown or HTML would act on. */
export function plainText(text: string, longest = LONGEST_NAME): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ");
  const cut = line.length > longest ? `${line.slice(0, longest)}...` : line;
  return cut.replace(/[\\`*_{}[\]()#!|~@$<>&:^]/g, "\\$&");
}

/** A table; the first column is aligned left, the others right. @param cells escaped already */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [
    `| ${heading.join(" | ")} |`,
    `|${heading.map((_, i) => (i === 0 ? " :-- |" : " --: |")).join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ];
}

/** Lines that open when clicked. @param summary escaped already */
export function folded(summary: string, lines: readonly string[]): string[] {
  return [`<details><summary>${summary}</summary>`, "", ...lines, "", "</details>"];
}

/** "0.614 (0.596–0.632)"; without ends just the mean. */
export function withRange(interval: Interval, format: (value: number | null) => string = ratio): string {
  const range = rangeOf(interval, format);
  return range === "" ? format(interval.mean) : `${format(interval.mean)} (${range})`;
}
