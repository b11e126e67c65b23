/** Parts of the messages that several commands print: counts, durations, lists of files and reasons, wrapped text. */
import type { ListedReason } from "../report/types.js";

/** 42 s, 2 min 32 s, 3 h 12 min */
export function durationText(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60 ? `${minutes} min ${whole % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** "3 image-missing, 1 box-empty" */
export function reasons(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([reason, n]) => `${n} ${reason}`)
    .join(", ");
}

export function listedReasons(listed: readonly ListedReason[]): string {
  return listed.map(({ reason, count }) => `${count} ${reason}`).join(", ");
}

/** "polyrnn-out/: annotations.json, summary.json" */
export function inFolder(folder: string, paths: readonly string[]): string {
  return `${pathIn(folder, "")}: ${paths.join(", ")}`;
}

export function pathIn(folder: string, path: string): string {
  // Not by an expression: one that ends in slashes looks at each run of slashes as often as it is long.
  let end = folder.length;
  while (end > 0 && folder[end - 1] === "/") end--;
  return `${folder.slice(0, end)}/${path}`;
}

/** Breaks between words so that no line is longer than `width`, the indent included; a longer word keeps a line. */
export function wrap(text: string, indent: number, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > width) {
      lines.push(" ".repeat(indent) + line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, " ".repeat(indent) + line];
}
