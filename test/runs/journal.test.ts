import { appendFile, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { JournalReader, JournalWriter, readJournal, sealLine, unsealLine } from "../../src/runs/journal.js";
import { recoverJournal } from "../../src/annotate/plan.js";
import type { RunIdentity } from "../../src/runs/identity.js";
import type { Outcome } from "../../src/types.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder: string;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, "journal.ndjson");
});

const identity: RunIdentity = {
  type: "run",
  version: 1,
  input: "a".repeat(64),
  model: "b".repeat(64),
  context: 0.15,
  maxSteps: 71,
  candidates: 3,
  minScore: 0,
  simplify: 0,
  categories: [],
  existing: "predict",
  limit: null,
  shard: null,
  onlyNew: null,
};
const failed = (ordinal: number): Outcome => ({
  ordinal,
  annotationId: ordinal + 1,
  imageId: "µ—1",
  status: "failed",
  reason: "image-missing",
  message: 'not there: "é"\n',
});
const done = (ordinal: number): Outcome => ({
  ordinal,
  annotationId: ordinal + 1,
  imageId: 7,
  status: "done",
  ring: [
    { x: 1.25, y: 2 },
    { x: 9, y: 2 },
    { x: 5, y: 8 },
  ],
  score: 0.5,
  ended: true,
  clipped: false,
  imageWidth: 10,
  imageHeight: 10,
});

async function writeJournal(...batches: Outcome[][]): Promise<void> {
  const writer = await JournalWriter.create(path, identity);
  for (const batch of batches) await writer.append(batch);
  await writer.close();
}

describe("a journal line", () => {
  test("comes back as it was written", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }), (value) => {
        const plain: unknown = JSON.parse(JSON.stringify(value));
        expect(unsealLine(sealLine(plain as object))).toEqual(plain);
      }),
    );
  });

  test("with any one byte changed is taken for damaged, never for another outcome", () => {
    const line = Buffer.from(sealLine(done(3)));
    fc.assert(
      fc.property(fc.nat(line.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(line);
        damaged[at] = damaged[at]! ^ change;
        expect(unsealLine(damaged.toString("utf8"))).toBeUndefined();
      }),
    );
  });
});

describe("a journal", () => {
  test("cut at any byte keeps every whole line and drops the torn one", async () => {
    await writeJournal([done(0), failed(1)], [done(2)]);
    const whole = await readFile(path);
    const header = whole.indexOf(0x0a) + 1;
    for (let length = header; length <= whole.length; length += 7) {
      await writeFile(path, whole.subarray(0, length));
      const { index, length: kept, damagedLines } = await recoverJournal(path, identity, 3);
      expect(damagedLines).toEqual([]);
      expect(kept).toBe(whole.lastIndexOf(0x0a, length - 1) + 1);
      const lines = whole.subarray(0, kept).filter((byte) => byte === 0x0a).length - 1;
      expect([0, 1, 2].filter((ordinal) => index.get(ordinal) !== undefined)).toHaveLength(lines);
    }
  });

  test("gone on with after a torn line is whole again", async () => {
    await writeJournal([done(0)]);
    await appendFile(path, '{"type":"outcome","ordinal":1,"sta');
    const { length } = await recoverJournal(path, identity, 3);
    const writer = await JournalWriter.reopen(path, length);
    await writer.append([done(1)]);
    await writer.close();
    const { index, damagedLines } = await recoverJournal(path, identity, 3);
    expect(damagedLines).toEqual([]);
    expect(index.isSettled(0) && index.isSettled(1)).toBe(true);
  });

  test("names the line that was damaged in its middle and forgets only that instance", async () => {
    await writeJournal([done(0), done(1), done(2)]);
    const text = await readFile(path, "utf8");
    await writeFile(path, text.replace('"ordinal":1,', '"ordinal":9,'));
    const { index, damagedLines } = await recoverJournal(path, identity, 3);
    expect(damagedLines).toEqual([3]);
    expect([0, 1, 2].map((ordinal) => index.get(ordinal) !== undefined)).toEqual([true, false, true]);
  });

  test("says the last word: an instance tried again replaces its failure", async () => {
    await writeJournal([failed(0)], [done(0)]);
    const { index } = await recoverJournal(path, identity, 1);
    expect(index.isSettled(0)).toBe(true);
    const reader = await JournalReader.open(path);
    expect(await reader.read(index.get(0)!)).toEqual(done(0));
    await reader.close();
  });

  test("of another run is refused, and every difference is named", async () => {
    await writeJournal([done(0)]);
    const other: RunIdentity = { ...identity, model: "c".repeat(64), limit: 5 };
    await expect(recoverJournal(path, other, 1)).rejects.toMatchObject({
      code: "E_RESUME",
      exitCode: 2,
      message: expect.stringMatching(
        /--model.*bbbbbbbbbbbb.*cccccccccccc.*--limit: the run has none, this command 5/,
      ) as string,
    });
  });

  test("of a run in float16 is not gone on with in float32, nor the other way round", async () => {
    const half: RunIdentity = { ...identity, precision: "float16" };
    await writeJournal([done(0)]);
    await expect(recoverJournal(path, half, 1)).rejects.toThrow(
      "--precision: the run has float32, this command float16",
    );
    await rm(path);
    await (await JournalWriter.create(path, half)).close();
    await expect(recoverJournal(path, identity, 1)).rejects.toThrow(
      "--precision: the run has float16, this command float32",
    );
    expect((await recoverJournal(path, half, 1)).index.isSettled(0)).toBe(false);
  });

  test.each([
    { content: "", why: "an empty file" },
    { content: "hello\n", why: "a file of something else" },
    { content: `${sealLine(done(0))}\n`, why: "a journal without its first line" },
  ])("$why is not gone on with", async ({ content }) => {
    await writeFile(path, content);
    await expect(recoverJournal(path, identity, 1)).rejects.toMatchObject({ exitCode: 65 });
  });

  test("that exists is never started anew over its lines", async () => {
    await writeJournal([done(0)]);
    await expect(JournalWriter.create(path, identity)).rejects.toMatchObject({ exitCode: 73 });
  });

  test("larger than one read block is walked whole", async () => {
    const many = Array.from({ length: 12_000 }, (_, ordinal) => done(ordinal));
    await writeJournal(many);
    let lines = 0;
    for await (const line of readJournal(path)) {
      expect(line.value).toBeDefined();
      lines++;
    }
    expect(lines).toBe(12_001);
    const { index } = await recoverJournal(path, identity, 12_000);
    const reader = await JournalReader.open(path);
    for (const ordinal of [0, 11_999, 6_000, 6_001])
      expect(await reader.read(index.get(ordinal)!)).toEqual(done(ordinal));
    await reader.close();
  });
});

describe("whatever becomes of an instance, its line can be read", () => {
  test("a reason of 20 MB is shortened by the writer", async () => {
    await writeJournal([{ ...failed(0), message: "x".repeat(20_000_000) } as Outcome], [done(1)]);
    const { index, damagedLines } = await recoverJournal(path, identity, 2);
    expect(damagedLines).toEqual([]);
    expect(index.isSettled(1)).toBe(true);
    const reader = await JournalReader.open(path);
    const outcome = await reader.read(index.get(0)!);
    await reader.close();
    expect(outcome.status === "failed" && outcome.message).toMatch(/^x{4000}\.\.\.$/);
  });

  test("ids of any length are, too", async () => {
    await writeJournal([{ ...done(0), annotationId: "a".repeat(20_000_000), imageId: "b".repeat(20_000_000) }]);
    expect((await recoverJournal(path, identity, 1)).index.isSettled(0)).toBe(true);
  });

  test.each([
    { what: "a line of 40 MB", line: "x".repeat(40_000_000) },
    { what: "a sealed line of 20 MB", line: sealLine({ ...failed(0), type: "outcome", more: "y".repeat(20_000_000) }) },
    { what: "brackets of 100,000 levels", line: deepLine() },
    { what: "a ring that is text", line: sealLine({ type: "outcome", ...done(0), ring: "ring" }) },
    { what: "a vertex that is null", line: sealLine({ type: "outcome", ...done(0), ring: [null, null, null] }) },
    { what: "a number that is not finite", line: sealLine({ type: "outcome", ...done(0), score: null }) },
    { what: "an id that is a list", line: sealLine({ type: "outcome", ...done(0), annotationId: [1] }) },
    { what: "a failure without reason", line: sealLine({ ordinal: 0, annotationId: 1, imageId: 1, status: "failed" }) },
    { what: "another kind of line", line: sealLine({ type: "run" }) },
  ])("$what costs its own instance, and no other", async ({ line }) => {
    await writeJournal([]);
    await appendFile(path, `${line}\n`);
    await appendFile(path, `${sealLine({ type: "outcome", ...done(1) })}\n`);
    const { index, damagedLines, length } = await recoverJournal(path, identity, 2);
    expect(damagedLines).toEqual([2]);
    expect(index.isSettled(0)).toBe(false);
    expect(index.isSettled(1)).toBe(true);
    expect(length).toBe((await readFile(path)).length);
  });
});

/** JSON.stringify cannot make it. */
function deepLine(): string {
  const json = `{"type":"outcome","more":${"[".repeat(100_000)}${"]".repeat(100_000)}}`;
  return `${json.slice(0, -1)},"check":"${crc32(json).toString(16).padStart(8, "0")}"}`;
}
