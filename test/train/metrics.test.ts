/** metrics.ndjson is read again on a resume: a damaged line costs its own point of the curves. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { METRICS_FILE, MetricsFile } from "../../src/train/metrics.js";
import { sampleHistory } from "./page/sample-history.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
});

test("lines come back as they were written", async () => {
  const { lines } = sampleHistory(3);
  const file = await MetricsFile.open(folder, 0);
  for (const line of lines) await file.add(line);
  await file.close();
  const again = await MetricsFile.open(folder, file.bytes);
  expect(again.lines).toEqual(lines);
  expect(again.damagedLines).toEqual([]);
  await again.close();
});

test.each([
  { what: "no JSON", line: "{" },
  { what: "a line of 20 MB", line: JSON.stringify({ type: "step", text: "x".repeat(20_000_000) }) },
  { what: "brackets of 100,000 levels", line: "[".repeat(100_000) + "]".repeat(100_000) },
  { what: "a list", line: "[1]" },
  { what: "another kind of line", line: '{"type":"outcome"}' },
  { what: "a validation without scores", line: '{"type":"validation","step":1}' },
  { what: "a step whose losses are text", line: '{"type":"step","step":1,"losses":"x","accuracy":1}' },
])("$what costs its own line and no other", async ({ line }) => {
  const good = sampleHistory(3).lines.slice(0, 2);
  const text = [JSON.stringify(good[0]), line, JSON.stringify(good[1]), ""].join("\n");
  writeFileSync(join(folder, METRICS_FILE), text);
  const file = await MetricsFile.open(folder, Buffer.byteLength(text));
  expect(file.damagedLines).toEqual([2]);
  expect(file.lines).toEqual(good);
  await file.close();
  expect(readFileSync(join(folder, METRICS_FILE), "utf8")).toBe(text);
});
