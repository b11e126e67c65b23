import { appendFile, cp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sealLine, unsealLine } from "../../src/runs/journal.js";
import type { MergeOptions } from "../../src/merge/merge.js";
import { mergeRuns } from "../../src/merge/merge.js";
import type { AnnotateSummary } from "../../src/annotate/summary.js";
import { PolyrnnError } from "../../src/errors.js";
import type { RunOptions } from "../annotate/runs.js";
import { BOXES, boxesWith, memoryHost, newOut, readCoco, readJson, runAnnotate } from "../annotate/runs.js";
import { openFiles } from "../helpers/open-files.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const COUNT = 4;
const SHORT: RunOptions = { maxSteps: 5, candidates: 1, formats: ["coco", "labelme"] };

/** The shards of a run, drawn by the tiny model. @returns their folders, in order */
async function drawShards(options: RunOptions, count = COUNT): Promise<string[]> {
  const folders: string[] = [];
  for (let index = 1; index <= count; index++)
    folders.push((await runAnnotate({ ...options, shard: { index, count } })).out);
  return folders;
}

interface Merged {
  readonly summary: AnnotateSummary;
  readonly out: string;
  readonly notes: readonly string[];
}

async function merge(parts: readonly string[], options: Partial<MergeOptions> = {}): Promise<Merged> {
  const out = options.out ?? newOut();
  const host = memoryHost();
  return { summary: await mergeRuns({ force: false, ...options, parts, out }, host), out, notes: host.notes };
}

async function refusal(parts: readonly string[], options: Partial<MergeOptions> = {}): Promise<PolyrnnError> {
  const thrown: unknown = await merge(parts, options).then(
    () => new Error("it was merged"),
    (error: unknown) => error,
  );
  if (thrown instanceof PolyrnnError) return thrown;
  throw thrown;
}

/** A copy of a part, to be changed. */
async function copyOf(part: string): Promise<string> {
  const out = newOut();
  await cp(part, out, { recursive: true });
  return out;
}

/**
 * Boxes with what a run meets: a missing image, boxes that fail before and after their image is opened, an image id
 * that points nowhere.
 */
const difficult = (): Promise<string> =>
  boxesWith((coco) => {
    coco.images[1]!.file_name = "nowhere.jpg";
    const one = coco.annotations[0]!;
    coco.annotations.push(
      { ...one, id: 9001, bbox: [1, 1, 0, 0] },
      { ...coco.annotations.at(-1)!, id: 9002, bbox: [1, 1, -4, 2] },
    );
    coco.annotations.push(
      { ...one, id: 9003, bbox: [-50, -50, 20, 20] },
      { ...one, id: 9004, image_id: 4711 },
      { ...one, id: 9005, image_id: 4712 },
    );
  });

let boxes: string;
let whole: string;
let parts: string[];
beforeAll(async () => {
  boxes = await difficult();
  whole = (await runAnnotate({ ...SHORT, boxes })).out;
  parts = await drawShards({ ...SHORT, boxes });
});

test("the merged folder equals that of the unsharded run, byte for byte, the journal included", async () => {
  const { out, summary } = await merge([...parts].reverse());
  for (const name of ["annotations.json", "journal.ndjson"])
    expect(await readFile(join(out, name), "utf8"), name).toBe(await readFile(join(whole, name), "utf8"));
  const labelme = "labelme/park.json";
  expect(await readFile(join(out, labelme), "utf8")).toBe(await readFile(join(whole, labelme), "utf8"));
  const ofWhole = await readJson<AnnotateSummary>(whole, "summary.json");
  const counts = ({
    done,
    failed,
    skipped,
    remaining,
    failedByReason,
    skippedByReason,
    meanScore,
    images,
    annotations,
  }: AnnotateSummary): object => ({
    done,
    failed,
    skipped,
    remaining,
    failedByReason,
    skippedByReason,
    meanScore,
    images,
    annotations,
  });
  expect(counts(summary)).toEqual(counts(ofWhole));
  expect(summary.failed).toBeGreaterThan(5);
  expect(summary.failures).toEqual(ofWhole.failures);
  expect(summary.merged?.parts.map(({ shard, remaining }) => [shard, remaining])).toEqual([
    [1, 0],
    [2, 0],
    [3, 0],
    [4, 0],
  ]);
  expect(await readJson(out, "summary.json")).toEqual(summary);
});

test("shards drawn in batches of any size merge to the same bytes, and with the bundled model as well", async () => {
  const options: RunOptions = { model: "mobile", maxSteps: 24 };
  const some = await boxesWith((coco) => {
    coco.annotations = coco.annotations.slice(0, 12);
  });
  const straight = (await runAnnotate({ ...options, boxes: some, batchSize: 16 })).out;
  const folders: string[] = [];
  for (const [i, batchSize] of [1, 3, 64].entries())
    folders.push((await runAnnotate({ ...options, boxes: some, batchSize, shard: { index: i + 1, count: 3 } })).out);
  const { out } = await merge(folders);
  for (const name of ["annotations.json", "journal.ndjson"])
    expect(await readFile(join(out, name), "utf8"), name).toBe(await readFile(join(straight, name), "utf8"));
});

describe("what is not there", () => {
  test("a missing shard is named with what it lacks; the rest is written", async () => {
    const { summary, out } = await merge([parts[0]!, parts[1]!, parts[3]!]);
    expect(summary.merged?.missing).toEqual([{ shard: 3, remaining: summary.remaining }]);
    expect(summary.remaining).toBeGreaterThan(0);
    const all = await readCoco(whole, "annotations.json"),
      some = await readCoco(out, "annotations.json");
    expect(some.annotations.length).toBe(
      all.annotations.length - (await readCoco(parts[2]!, "annotations.json")).annotations.length,
    );
    expect(all.annotations).toEqual(expect.arrayContaining(some.annotations));
  });

  test("an unfinished shard is named with an instance it lacks, and annotate --resume draws the rest to the same bytes", async () => {
    const shard = { index: 2, count: COUNT };
    const stopped = await runAnnotate({ ...SHORT, boxes, shard, batchSize: 2 }, memoryHost(4));
    expect(stopped.summary.stopped).toBe(true);
    const { summary, out } = await merge([parts[0]!, stopped.out, parts[2]!, parts[3]!]);
    expect(summary.merged?.parts[1]).toMatchObject({ shard: 2, remaining: stopped.summary.remaining });
    expect(summary.merged?.parts[1]?.firstRemaining).toBeDefined();
    expect(summary).toMatchObject({ remaining: stopped.summary.remaining });
    const resumed = await runAnnotate({ ...SHORT, boxes, out, resume: true });
    expect(resumed.summary.remaining).toBe(0);
    expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(
      await readFile(join(whole, "annotations.json"), "utf8"),
    );
  });

  test("a damaged line and a torn end of a part's journal are missing instances, never other polygons", async () => {
    const part = await copyOf(parts[0]!);
    const path = join(part, "journal.ndjson");
    const lines = (await readFile(path, "utf8")).trimEnd().split("\n");
    const done = lines.findIndex((line) => line.includes('"done"'));
    lines[done] = lines[done]!.replace('"x":', '"x":1');
    await writeFile(path, `${lines.join("\n")}\n{"type":"outco`);
    const { summary, notes } = await merge([part, ...parts.slice(1)]);
    expect(summary.remaining).toBe(1);
    expect(notes.join("\n")).toContain(`1 damaged line (${done + 1})`);
  });
});

describe("what does not belong together is refused by name", () => {
  test.each<{ why: string; options: RunOptions; field: string }>([
    { why: "other boxes", options: { boxes: BOXES }, field: "content of --boxes (sha256)" },
    { why: "another option", options: { maxSteps: 6 }, field: "--max-steps: " },
    { why: "another way with existing polygons", options: { existing: "keep" }, field: "--existing: " },
    { why: "another cut", options: { shard: { index: 1, count: 3 } }, field: "--shard: " },
  ])("$why", async ({ options, field }) => {
    const other = await runAnnotate({ ...SHORT, boxes, shard: { index: 1, count: COUNT }, ...options });
    const error = await refusal([other.out, ...parts.slice(1)]);
    expect(error.message).toContain("cannot merge shards of different runs");
    expect(error.message).toContain(field);
    expect(error.message).toContain(other.out);
    expect(error.exitCode).toBe(2);
  });

  test("another model: its hash differs", async () => {
    const part = await copyOf(parts[0]!);
    await changeHeader(part, (header) => ({ ...header, model: "0".repeat(64) }));
    expect((await refusal([part, parts[1]!])).message).toContain("content of --model (sha256)");
  });

  test("a doubled shard, with both folders; one folder under two names", async () => {
    const twin = await copyOf(parts[2]!);
    expect((await refusal([...parts, twin])).message).toContain(`shard 3/4 in ${parts[2]!} and ${twin}`);
    const link = join(temporaryFolder(), "link");
    await symlink(parts[0]!, link);
    expect((await refusal([...parts, link])).message).toContain("which are one folder");
  });

  test("a run of the whole input, a folder without a run, shards drawn with --limit", async () => {
    expect((await refusal([whole])).message).toContain("received a run of the whole input");
    expect((await refusal([temporaryFolder()])).exitCode).toBe(66);
    const limited = await runAnnotate({ ...SHORT, boxes, limit: 2, shard: { index: 1, count: 2 } });
    expect((await refusal([limited.out])).message).toContain("--limit 2");
  });

  test("an instance of another shard", async () => {
    const part = await copyOf(parts[0]!);
    const foreign = (await readFile(join(parts[1]!, "journal.ndjson"), "utf8")).trimEnd().split("\n").at(-1)!;
    await appendFile(join(part, "journal.ndjson"), `${foreign}\n`);
    expect((await refusal([part, ...parts.slice(1)])).message).toMatch(
      /expected instances of shard 1\/4, received annotation \d+ of shard 2/,
    );
    expect(await openFiles(part)).toEqual([]);
  });

  test.each<{ why: string; change: (part: string) => Promise<void>; message: string }>([
    {
      why: "run.json is no JSON",
      change: (part) => writeFile(join(part, "run.json"), "{"),
      message: "run.json: expected JSON",
    },
    {
      why: "run.json is foreign",
      change: (part) => writeFile(join(part, "run.json"), '{"version":1,"type":"run"}'),
      message: "expected /program to be present",
    },
    {
      why: "run.json is too large",
      change: (part) => writeFile(join(part, "run.json"), " ".repeat(2 ** 20 + 1)),
      message: "at most 1048576 bytes",
    },
    {
      why: "the header is damaged",
      change: (part) => writeFile(join(part, "journal.ndjson"), "{}\n"),
      message: "line 1: expected the header of a run",
    },
    {
      why: "the header is from a later version",
      change: (part) => changeHeader(part, (header) => ({ ...header, version: 2 })),
      message: "/version to be 1",
    },
    {
      why: "the header names no shard",
      change: (part) => changeHeader(part, (header) => ({ ...header, shard: "auto" })),
      message: 'expected /shard to be text of the form ^[0-9]+/[0-9]+$ but received "auto"',
    },
    {
      why: "the journal is gone",
      change: (part) => rm(join(part, "journal.ndjson")),
      message: "cannot read the journal",
    },
  ])("a part whose $why", async ({ change, message }) => {
    const part = await copyOf(parts[0]!);
    await change(part);
    const error = await refusal([part, ...parts.slice(1)]);
    expect(error.message).toContain(message);
    expect([65, 66]).toContain(error.exitCode);
  });
});

describe("where things lie", () => {
  test("boxes that moved are named with --boxes, and checked", async () => {
    const moved = join(temporaryFolder(), "moved.json");
    await cp(boxes, moved);
    const { out } = await merge(parts, { boxes: moved });
    expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(
      await readFile(join(whole, "annotations.json"), "utf8"),
    );
    expect(await readJson(out, "run.json")).toMatchObject({ inputs: { boxes: moved } });
    expect((await refusal(parts, { boxes: BOXES })).message).toContain(
      "expected the --boxes that the shards were drawn with",
    );
  });

  test("without the images, COCO comes out the same", async () => {
    const copies = await Promise.all(parts.map(copyOf));
    for (const part of copies) {
      const run = await readJson<{ inputs: { images: string } }>(part, "run.json");
      run.inputs.images = join(dirname(part), "gone");
      await writeFile(join(part, "run.json"), JSON.stringify(run));
    }
    // Only the photographs say which way up tools show them.
    expect(await refusal(copies, { formats: ["coco", "labelme"] })).toMatchObject({
      exitCode: 66,
      message: expect.stringContaining("expected the images, to know which way up labelme will show them") as string,
    });
    const { out, notes } = await merge(copies, { formats: ["coco"] });
    expect(notes.join("\n")).toContain("the images are not here");
    expect((await readCoco(out, "annotations.json")).annotations).toEqual(
      (await readCoco(whole, "annotations.json")).annotations,
    );
  });

  test("a folder with something in it needs force; a part is never written over", async () => {
    const out = temporaryFolder();
    await writeFile(join(out, "mine.txt"), "mine");
    expect((await refusal(parts, { out })).exitCode).toBe(73);
    await merge(parts, { out, force: true });
    expect(await readFile(join(out, "mine.txt"), "utf8")).toBe("mine");
    const part = await copyOf(parts[0]!);
    const before = await readFile(join(part, "journal.ndjson"), "utf8");
    expect((await refusal([part, ...parts.slice(1)], { out: part, force: true })).message).toContain("the part");
    expect(await readFile(join(part, "journal.ndjson"), "utf8")).toBe(before);
  });

  test("run.json of the merged run says what it was merged from and repeats as an unsharded run", async () => {
    const { out } = await merge(parts);
    const run = await readJson<{ options: Record<string, unknown>; merged: { shard: string; folder: string }[] }>(
      out,
      "run.json",
    );
    expect(run.merged.map(({ shard, folder }) => [shard, folder])).toEqual(
      parts.map((part, i) => [`${i + 1}/4`, part]),
    );
    expect(run.options).not.toHaveProperty("shard");
    expect(run.options).toMatchObject({ out, maxSteps: 5 });
  });
});

async function changeHeader(part: string, change: (header: Record<string, unknown>) => object): Promise<void> {
  const path = join(part, "journal.ndjson");
  const [first, ...rest] = (await readFile(path, "utf8")).split("\n");
  const header = unsealLine(first!)!;
  await writeFile(path, [sealLine(change(header)), ...rest].join("\n"));
}
