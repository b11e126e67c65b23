/** What the sections of report.md are made of: text that stays text, tables, numbers with their intervals. */
import { cutText, rangeOf, ratio } from "../page/markup.js";
import type { PublishedTable } from "./published.js";
import type { Interval } from "./types.js";

/** Longer texts from outside are cut. */
const LONGEST_NAME = 120;
/** For sentences of our own. */
export const WHOLE = Infinity;

/** Text that stays text: one line, without control characters, and everything escaped that Markdown or HTML acts on. */
export function plainText(text: string, longest = LONGEST_NAME): string {
  const line = text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, " ");
  return cutText(line, longest, "...").replace(/[\\`*_{}[\]()#!|~@$<>&:^]/g, "\\$&");
}

/** A table; the first column is aligned left, the others right. @param cells escaped already */
export function table(heading: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [
    `| ${heading.join(" | ")} |`,
    `|${heading.map((_, i) => (i === 0 ? " :-- |" : " --: |")).join("")}`,
    ...rows.map((row) => `| ${row.join(" | ")} |`),
  ];
}

/** Lines that unfold at a click. @param summary escaped already */
export function folded(summary: string, lines: readonly string[]): string[] {
  return [`<details><summary>${summary}</summary>`, "", ...lines, "", "</details>"];
}

/** "0.614 (0.596–0.632)"; without ends just the mean. */
export function withRange(interval: Interval, format: (value: number | null) => string = ratio): string {
  const range = rangeOf(interval, format);
  return range === "" ? format(interval.mean) : `${format(interval.mean)} (${range})`;
}

/** Where published numbers come from. */
export function sourceOf({ source, data }: PublishedTable): string {
  return `${plainText(source, WHOLE)} ${plainText(data, WHOLE)}.`;
}
