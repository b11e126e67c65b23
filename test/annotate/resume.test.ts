/**
 * A run that was stopped, killed or came to its end, gone on with: the files are those of a run that nothing disturbed.
 */
import { copyFile, cp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { sealLine } from "../../src/runs/journal.js";
import type { Coco, Ran, RunOptions } from "./runs.js";
import {
  IMAGES,
  TINY,
  boxesWith,
  journalOf,
  memoryHost,
  newOut,
  readJson,
  refusalOf,
  resultsOf,
  runAnnotate,
} from "./runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** Two pictures, 13 boxes, one of them broken, in batches of four. */
const NAMES = ["street.jpg", "park.jpg"];
const OPTIONS: RunOptions = { batchSize: 4, maxSteps: 6, formats: ["coco", "labelme"] };
let boxes: string;
let straight: Ran;
/** The journal is the way to the result: in it, instances that were drawn again stand twice. */
const filesOf = async (out: string): Promise<Record<string, string>> =>
  Object.fromEntries(Object.entries(await resultsOf(out)).filter(([path]) => path !== "journal.ndjson"));

beforeAll(async () => {
  boxes = await boxesWith((coco: Coco) => {
    coco.images = coco.images.filter(({ file_name }) => NAMES.includes(file_name));
    coco.annotations = coco.annotations.filter(({ image_id }) => coco.images.some(({ id }) => id === image_id));
    coco.annotations[3]!.bbox = [5, 5, 0, 5];
  });
  straight = await runAnnotate({ ...OPTIONS, boxes });
  expect(straight.summary.done).toBe(12);
  expect(straight.summary.failedByReason).toEqual({ "box-empty": 1 });
});

async function stopped(stopAfter: number, options: RunOptions = {}): Promise<Ran> {
  return runAnnotate({ ...OPTIONS, boxes, ...options }, memoryHost(stopAfter));
}

describe("a run stopped at a batch border", () => {
  test.each([0, 5])(
    "after %i instances finishes the batch it is at, says what is left, and goes on to the same bytes",
    async (stopAfter) => {
      const { summary, out, host } = await stopped(stopAfter);
      const finished = Math.ceil(stopAfter / 4) * 4; // none where it was stopped before the first
      expect(summary).toMatchObject({
        stopped: true,
        finishedNow: finished,
        remaining: straight.host.progressed[0]!.total - finished,
        written: ["run.json", "journal.ndjson"],
      });
      expect(summary.done + summary.failed + summary.skipped + summary.remaining).toBe(summary.annotations);
      expect(host.progressed.at(-1)).toMatchObject({ finished, finishedNow: finished });
      expect(await readJson(out, "summary.json")).toEqual(summary);
      expect(Object.keys(await filesOf(out))).toEqual([]);

      const resumed = await runAnnotate({ ...OPTIONS, boxes, out, resume: true });
      expect(resumed.host.progressed[0]).toMatchObject({ finished, finishedNow: 0 });
      expect(resumed.summary).toMatchObject({
        stopped: false,
        remaining: 0,
        done: straight.summary.done,
        failed: straight.summary.failed,
        finishedNow: straight.host.progressed[0]!.total - finished,
      });
      expect(await resultsOf(out)).toEqual(await resultsOf(straight.out));
    },
  );

  test("with failed boxes in a batch draws that batch again: other boxes of it get the same polygons", async () => {
    const withOutside = await boxesWith((coco) => {
      coco.annotations[5]!.bbox = [2000, 5, 10, 5];
    }, boxes);
    const undisturbed = await runAnnotate({ ...OPTIONS, boxes: withOutside });
    const { out, summary } = await stopped(5, { boxes: withOutside });
    expect([summary.failedByReason, undisturbed.summary.failedByReason]).toEqual([
      { "box-empty": 1, "box-outside": 1 },
      { "box-empty": 1, "box-outside": 1 },
    ]);
    const resumed = await runAnnotate({ ...OPTIONS, boxes: withOutside, out, resume: true });
    expect(resumed.summary).toMatchObject({
      done: undisturbed.summary.done,
      failedByReason: undisturbed.summary.failedByReason,
    });
    expect(await filesOf(out)).toEqual(await filesOf(undisturbed.out));
  });

  test("and once more comes to the same bytes", async () => {
    const { out } = await stopped(1);
    expect((await stopped(1, { out, resume: true })).summary).toMatchObject({ stopped: true, remaining: 4 });
    await runAnnotate({ ...OPTIONS, boxes, out, resume: true });
    expect(await resultsOf(out)).toEqual(await resultsOf(straight.out));
  });

  test("in its last batch is finished, not stopped", async () => {
    const { summary } = await stopped(straight.host.progressed[0]!.total);
    expect(summary).toMatchObject({ stopped: false, remaining: 0 });
  });
});

describe("a torn journal", () => {
  test("cut anywhere, as by a power failure, goes on to the same bytes", async () => {
    const whole = await readFile(join(straight.out, "journal.ndjson"));
    const header = whole.indexOf(0x0a) + 1;
    for (const share of [0.2, 0.999]) {
      const out = newOut();
      await cp(straight.out, out, { recursive: true });
      await truncate(join(out, "journal.ndjson"), header + Math.floor((whole.length - header) * share));
      await runAnnotate({ ...OPTIONS, boxes, out, resume: true });
      expect(await filesOf(out), `cut at ${share}`).toEqual(await filesOf(straight.out));
    }
  });

  test("with a damaged line in its middle names the line, draws that instance again, and comes to the same files", async () => {
    const out = newOut();
    await cp(straight.out, out, { recursive: true });
    const lines = (await readFile(join(out, "journal.ndjson"), "utf8")).split("\n");
    const at = lines.findIndex((line) => line.includes('"status":"done"'));
    lines[at] = lines[at]!.replace(/"score":0\.\d/, '"score":0.9');
    await writeFile(join(out, "journal.ndjson"), lines.join("\n"));
    const { host } = await runAnnotate({ ...OPTIONS, boxes, out, resume: true });
    expect(host.notes).toContain(
      `${join(out, "journal.ndjson")}: 1 damaged line (${at + 1}); what stood there is drawn again`,
    );
    expect(await filesOf(out)).toEqual(await filesOf(straight.out));
  });

  test("without its first line is refused with a way out, and left as it was", async () => {
    const out = newOut();
    await cp(straight.out, out, { recursive: true });
    const lines = (await readFile(join(out, "journal.ndjson"), "utf8")).split("\n");
    await writeFile(join(out, "journal.ndjson"), lines.slice(1).join("\n"));
    const before = await resultsOf(out);
    expect(await refusalOf({ ...OPTIONS, boxes, out, resume: true })).toMatchObject({
      exitCode: 65,
      hint: expect.stringContaining("--force") as string,
    });
    expect(await resultsOf(out)).toEqual(before);
  });
});

describe("a run that came to its end", () => {
  test("draws nothing again, and can write another format", async () => {
    const out = newOut();
    await cp(straight.out, out, { recursive: true });
    const { summary, host } = await runAnnotate({
      ...OPTIONS,
      boxes,
      out,
      resume: true,
      formats: ["coco", "labelme", "yolo-seg"],
    });
    expect(summary).toMatchObject({ done: straight.summary.done, failed: straight.summary.failed });
    expect(summary.finishedNow).toBe(0);
    expect(host.progressed.at(-1)!.finished).toBe(straight.host.progressed[0]!.total);
    expect(summary.written).toContain("yolo-seg/");
    expect(await filesOf(out)).toMatchObject(await filesOf(straight.out));
  });

  test("tries failed instances again: an image that came back is drawn", async () => {
    const images = temporaryFolder();
    for (const name of NAMES.slice(1)) await copyFile(join(IMAGES, name), join(images, name));
    const { summary, out } = await runAnnotate({ ...OPTIONS, images, boxes });
    expect(summary.failedByReason["image-missing"]).toBeGreaterThan(0);
    await copyFile(join(IMAGES, NAMES[0]!), join(images, NAMES[0]!));
    const resumed = await runAnnotate({ ...OPTIONS, images, boxes, out, resume: true });
    expect(resumed.summary).toMatchObject({
      done: straight.summary.done,
      failedByReason: straight.summary.failedByReason,
    });
    expect(await readFile(join(out, "annotations.json"), "utf8")).toBe(
      await readFile(join(straight.out, "annotations.json"), "utf8"),
    );
  });
});

describe("--resume refuses what would mix two runs in one folder, names the difference, and changes nothing", () => {
  const otherBoxes = (): Promise<string> =>
    boxesWith((coco) => {
      coco.annotations.pop();
    }, boxes);
  const otherModel = async (): Promise<string> => {
    const folder = join(temporaryFolder(), "other");
    await cp(TINY, folder, { recursive: true });
    const card = await readJson<{ normalization: { mean: number[] } }>(folder, "model.json");
    card.normalization.mean = [120, 127.5, 127.5];
    await writeFile(join(folder, "model.json"), JSON.stringify(card));
    return folder;
  };

  test.each<{ names: RegExp; change: () => RunOptions | Promise<RunOptions> }>([
    {
      names: /content of --boxes \(sha256\): the run has [0-9a-f]{12}, this command [0-9a-f]{12}/,
      change: async () => ({ boxes: await otherBoxes() }),
    },
    {
      names: /content of --model \(sha256\): the run has [0-9a-f]{12}, this command [0-9a-f]{12}/,
      change: async () => ({ model: await otherModel() }),
    },
    { names: /--max-steps: the run has 6, this command 7/, change: () => ({ maxSteps: 7 }) },
    { names: /--context: the run has 0.15, this command 0.2/, change: () => ({ context: 0.2 }) },
    { names: /--min-score: the run has 0, this command 0.5/, change: () => ({ minScore: 0.5 }) },
    { names: /--simplify: the run has 0, this command 2/, change: () => ({ simplify: 2 }) },
    { names: /--categories: the run has .*, this command .*person/, change: () => ({ categories: ["person"] }) },
    { names: /--existing: the run has predict, this command keep/, change: () => ({ existing: "keep" }) },
    { names: /--limit: the run has none, this command 5/, change: () => ({ limit: 5 }) },
    { names: /--max-steps.*--simplify.*--limit/, change: () => ({ maxSteps: 7, simplify: 1, limit: 2 }) },
  ])("$names", async ({ names, change }) => {
    const before = await resultsOf(straight.out);
    const refusal = await refusalOf({ ...OPTIONS, boxes, out: straight.out, resume: true, ...(await change()) });
    expect(refusal).toMatchObject({ code: "E_RESUME", exitCode: 2 });
    expect(refusal.message).toMatch(names);
    expect(refusal.message).toContain(join(straight.out, "journal.ndjson"));
    expect(refusal.hint).toMatch(/--out.*--force/);
    expect(await resultsOf(straight.out)).toEqual(before);
  });

  test("the same boxes under another name, the same model under another path and the order of categories are no difference", async () => {
    const folder = temporaryFolder();
    await cp(TINY, join(folder, "tiny"), { recursive: true });
    await copyFile(boxes, join(folder, "renamed.json"));
    const first = await runAnnotate({ ...OPTIONS, boxes, categories: ["person", "car"] });
    const { summary } = await runAnnotate({
      ...OPTIONS,
      boxes: join(folder, "renamed.json"),
      model: join(folder, "tiny"),
      categories: ["car", "person"],
      out: first.out,
      resume: true,
      batchSize: 3,
    });
    expect(summary).toMatchObject({ done: first.summary.done, finishedNow: 0 });
  });
});

describe("the output folder", () => {
  test("--resume in an empty or new folder begins", async () => {
    const { summary } = await runAnnotate({ ...OPTIONS, boxes, limit: 2, resume: true });
    expect(summary).toMatchObject({ done: 2, stopped: false });
  });

  test.each([{ resume: false }, { resume: true }])(
    "with a stranger's files in it: resume $resume",
    async ({ resume }) => {
      const out = temporaryFolder();
      await writeFile(join(out, "thesis.txt"), "mine");
      await writeFile(join(out, "annotations.json"), "mine as well");
      const before = await resultsOf(out);
      expect(await refusalOf({ ...OPTIONS, boxes, out, resume })).toMatchObject({
        code: "E_OUT_NOT_EMPTY",
        exitCode: 73,
      });
      expect(await resultsOf(out)).toEqual(before);
    },
  );

  test("with an earlier run in it is refused, and the ways on are named", async () => {
    const before = await resultsOf(straight.out);
    const refusal = await refusalOf({ ...OPTIONS, boxes, out: straight.out });
    expect(refusal).toMatchObject({ code: "E_OUT_NOT_EMPTY", exitCode: 73 });
    expect(refusal.hint).toMatch(/--resume.*--force.*--out/);
    expect(await resultsOf(straight.out)).toEqual(before);
  });

  test("--force replaces the earlier run, all of it, and nothing else", async () => {
    const out = newOut();
    await runAnnotate({
      ...OPTIONS,
      boxes,
      out,
      formats: ["coco", "yolo-seg", "label-studio", "cityscapes"],
      limit: 3,
      overlays: "all",
    });
    await writeFile(join(out, "thesis.txt"), "mine");
    await runAnnotate({ ...OPTIONS, boxes, out, force: true });
    expect(await resultsOf(out)).toMatchObject(await resultsOf(straight.out));
    expect(Object.keys(await resultsOf(out)).sort()).toEqual(
      [...Object.keys(await resultsOf(straight.out)), "thesis.txt"].sort(),
    );
    expect(await readFile(join(out, "thesis.txt"), "utf8")).toBe("mine");
  });

  test("a journal of a larger input is not read beyond this one's instances", async () => {
    const { out } = await runAnnotate({ ...OPTIONS, boxes, limit: 2 });
    const [line] = await journalOf(out);
    const journal = join(out, "journal.ndjson");
    await writeFile(
      journal,
      `${await readFile(journal, "utf8")}${sealLine({ type: "outcome", ...line, ordinal: 1_000_000 })}\n`,
    );
    const { summary } = await runAnnotate({ ...OPTIONS, boxes, out, limit: 2, resume: true });
    expect(summary).toMatchObject({ done: 2 });
    await rm(out, { recursive: true });
  });
});
