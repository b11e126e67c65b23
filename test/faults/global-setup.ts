/** Builds the command when a source is newer, and prints the table of faults at the end. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import buildWhenStale from "../global-setup.js";
import type { LedgerLine } from "./ledger.js";

export default function setup(project: TestProject): () => void {
  buildWhenStale();
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-faults-"));
  const ledger = join(folder, "ledger.ndjson");
  writeFileSync(ledger, "");
  project.provide("faultLedger", ledger);
  return () => {
    const lines = readFileSync(ledger, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as LedgerLine);
    rmSync(folder, { recursive: true });
    if (lines.length > 0) console.log(table(lines));
  };
}

function table(lines: readonly LedgerLine[]): string {
  const sum = (of: (line: LedgerLine) => number): number => lines.reduce((total, line) => total + of(line), 0);
  const rows = [
    ["fault", "tried", "survived", "lost", "seen"],
    ...lines.map((line) => [line.fault, `${line.tried}`, `${line.survived}`, `${line.losses.length}`, line.seen ?? ""]),
    [
      "all",
      `${sum((line) => line.tried)}`,
      `${sum((line) => line.survived)}`,
      `${sum((line) => line.losses.length)}`,
      "",
    ],
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const text = rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 || column === 4 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join("  ")
      .trimEnd(),
  );
  return `\n${text.join("\n")}\n`;
}
