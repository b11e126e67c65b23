/** A large journal is read in a thread, which needs the built files; that the page's queue is right is test/review's. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type * as Heads from "../../src/review/journal-heads.js";
import { sealLine } from "../../src/runs/journal.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const BUILT = join(import.meta.dirname, "..", "..", "dist", "review", "journal-heads.js");
const { readHeads, readHeadsAside } = (await import(BUILT)) as typeof Heads;
const path = join(temporaryFolder(), "journal.ndjson");
const of = (ordinal: number): object => ({ type: "outcome", ordinal, annotationId: ordinal + 1, imageId: 1 });
const ring = [
  { x: 1, y: 1 },
  { x: 9, y: 1 },
  { x: 5, y: 8 },
];
const done = { status: "done", ring, score: 0.5, ended: true, clipped: false, imageWidth: 20, imageHeight: 20 };
const lines = [
  { type: "run", version: 1 },
  { ...of(0), ...done },
  { ...of(1), status: "failed", reason: "too-few-vertices", message: "two" },
  { ...of(2), status: "failed", reason: "image-missing", message: "gone" },
  { ...of(0), ...done, score: 0.25 },
].map((line) => sealLine(line));
writeFileSync(path, `${lines.join("\n")}\n{"type":"outcome","ordinal":3}\n${lines[1]!.slice(0, 40)}`);

test("a thread reads of a journal what this process reads", async () => {
  const heads = await readHeadsAside(path, 0);
  expect(heads).toEqual(await readHeads(path));
  expect([...heads.ordinals]).toEqual([0, 1, 2, 0]);
  expect([...heads.scores]).toEqual([0.5, -1, NaN, 0.25]);
  expect([...heads.failures]).toEqual([0, 1, 1, 0]);
  expect([...heads.damagedLines]).toEqual([6]);
});

test("a journal that is gone is named by this process", async () => {
  await expect(readHeadsAside(join(path, "nowhere"), 0)).rejects.toMatchObject({ code: "E_MISSING" });
});
