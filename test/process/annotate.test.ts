import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import type { Ended, Started } from "../helpers/command.js";
import { endAll, runInHost, runToEnd, sharedHost, start } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { WORKER_PRELOAD } from "../queue/queue-work.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const IMAGES = join(FIXTURES, "images");
const BOXES = join(FIXTURES, "boxes.json");
const TINY = join(FIXTURES, "models", "tiny-random");

const folder = temporaryFolder();
afterEach(endAll);
let outputs = 0;
const newOut = (): string => join(folder, `out-${++outputs}`);

interface Coco {
  images: { id: number; file_name: string }[];
  annotations: { id: number; image_id: number; bbox: number[] }[];
  categories: object[];
}
const readJson = (path: string): unknown => JSON.parse(readFileSync(path, "utf8"));

/** The fixture's boxes, changed; @returns the file's path */
function boxesWith(change: (coco: Coco) => void): string {
  const coco = readJson(BOXES) as Coco;
  change(coco);
  const file = join(folder, `boxes-${++outputs}.json`);
  writeFileSync(file, JSON.stringify(coco));
  return file;
}

/**
 * As many instances as asked for: the fixture's annotations again and again, with new ids. Without the one that random
 * weights draw no polygon for in four steps: --resume tries its batch again, and the journal holds it twice.
 */
function manyBoxes(count: number): string {
  return boxesWith((coco) => {
    const once = coco.annotations.filter(({ id }) => id !== 86);
    coco.annotations = Array.from({ length: count }, (_, i) => ({ ...once[i % once.length]!, id: i + 1 }));
  });
}

function annotate(boxes: string, out: string, ...more: string[]): string[] {
  return ["annotate", IMAGES, "--boxes", boxes, "--out", out, "--device", "cpu", "--overlays", "none", ...more];
}

/** Every file below a folder with its bytes, as text a diff can show; the summary and run.json hold times. */
function contents(out: string): Record<string, string> {
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .filter((path) => !/(summary|run)\.json$/.test(path))
      .map((path) => [path.slice(out.length + 1), readFileSync(path, "latin1")]),
  );
}

function summaryOf(ended: Ended): Record<string, unknown> {
  return JSON.parse(ended.stdout.trimEnd().split("\n").at(-1)!) as Record<string, unknown>;
}

test("0: every instance is done; polygons are in annotations.json, and the last words say what to look at", async () => {
  const out = newOut();
  const ended = await runToEnd([
    "annotate",
    IMAGES,
    "--boxes",
    BOXES,
    "--out",
    out,
    "--device",
    "cpu",
    "--limit",
    "5",
    "--json",
  ]);
  expect(ended.code, ended.stderr).toBe(0);
  expect(summaryOf(ended)).toMatchObject({
    version: 1,
    type: "summary",
    done: 5,
    failed: 0,
    stopped: false,
    model: "mobile",
    device: "cpu",
  });
  expect(ended.stdout.trimEnd().split("\n")).toHaveLength(1);
  expect(summaryOf(ended)).toEqual(readJson(join(out, "summary.json")));
  expect(ended.stderr).toContain("annotations.json");
  expect(ended.stderr).toMatch(/next: polyrnn review \S+ \(\d+ polygons? below 0\.5\)/);
  for (const path of summaryOf(ended)["written"] as string[]) expect(existsSync(join(out, path)), path).toBe(true);
});

test("1: one image is missing; its boxes are failures with the reason, all others are drawn", async () => {
  const boxes = boxesWith((coco) => {
    coco.images[0]!.file_name = "nowhere.jpg";
    coco.annotations = coco.annotations.filter(
      ({ image_id: id }) => id === coco.images[0]!.id || id === coco.images[1]!.id,
    );
  });
  const out = newOut();
  const ended = await runInHost(annotate(boxes, out, "--model", TINY, "--max-steps", "4", "--json"));
  expect(ended.code, ended.stderr).toBe(1);
  const summary = summaryOf(ended);
  expect(summary["failedByReason"]).toHaveProperty("image-missing");
  expect(summary["done"]).toBeGreaterThan(0);
  expect(ended.stderr).toContain("nowhere.jpg");
  expect(ended.stderr).toContain("next: see the failures in");
});

test.each([
  { code: 2, why: "a category that does not exist", words: () => annotate(BOXES, newOut(), "--categories", "unicorn") },
  { code: 65, why: "boxes that are not JSON", words: () => annotate(join(IMAGES, readdirSync(IMAGES)[0]!), newOut()) },
  { code: 65, why: "JSON of another format", words: () => annotate(join(TINY, "model.json"), newOut()) },
  { code: 66, why: "a box file that does not exist", words: () => annotate(join(folder, "nowhere.json"), newOut()) },
  {
    code: 66,
    why: "an image folder that does not exist",
    words: () => ["annotate", join(folder, "nowhere"), "--boxes", BOXES, "--out", newOut()],
  },
  { code: 69, why: "a model that does not exist", words: () => annotate(BOXES, newOut(), "--model", "nobody") },
  { code: 73, why: "an output folder below a file", words: () => annotate(BOXES, join(TINY, "model.json", "out")) },
  {
    code: 73,
    why: "an output folder with something in it, without --resume or --force",
    words: () => annotate(BOXES, folder),
  },
])("$code: $why; the error is one JSON object with --json, and words on standard error", async ({ code, words }) => {
  const ended = await runInHost([...words(), "--json"]);
  expect(ended.code, ended.stderr).toBe(code);
  const report = summaryOf(ended) as { message: string; hint: string };
  expect(report).toMatchObject({ version: 1, type: "error" });
  expect(Object.keys(report).sort()).toEqual(["code", "hint", "message", "type", "version"]);
  expect(report.hint).not.toBe("");
  expect(ended.stderr).toContain("polyrnn: ");
  expect(ended.stderr).not.toContain("    at "); // No stack: the error is expected.
});

test("69: a damaged model is refused before anything is written", async () => {
  const model = join(folder, "damaged");
  cpSync(TINY, model, { recursive: true });
  writeFileSync(join(model, "model.safetensors"), "no weights");
  const out = newOut();
  const ended = await runInHost(annotate(BOXES, out, "--model", model));
  expect(ended.code).toBe(69);
  expect(ended.stderr).toContain("expected sha256");
  expect(existsSync(join(out, "journal.ndjson"))).toBe(false);
});

test("an output folder that holds an input is refused, and nothing is written over", async () => {
  const home = newOut();
  mkdirSync(home);
  cpSync(BOXES, join(home, "annotations.json"));
  const before = contents(home);
  const ended = await runInHost(annotate(join(home, "annotations.json"), home, "--force"));
  expect([2, 73]).toContain(ended.code);
  expect(contents(home)).toEqual(before);
});

test("the output folder may be reached over a link, and an input behind a link is still not written over", async () => {
  const home = newOut();
  mkdirSync(home);
  cpSync(BOXES, join(home, "annotations.json"));
  const link = newOut();
  symlinkSync(home, link);
  const before = contents(home);
  const ended = await runInHost(annotate(join(home, "annotations.json"), link, "--force"));
  expect([2, 73]).toContain(ended.code);
  expect(contents(home)).toEqual(before);
});

test("config file, environment and flags reach the run, each going before the one ahead of it", async () => {
  const config = join(folder, "config.json");
  writeFileSync(
    config,
    JSON.stringify({
      model: TINY,
      device: "cpu",
      overlays: "none",
      "batch-size": 2,
      limit: 4,
      "max-steps": 5,
      json: true,
    }),
  );
  const out = newOut();
  const env = { POLYRNN_BATCH_SIZE: "3", POLYRNN_LIMIT: "6", POLYRNN_CONFIG: config, POLYRNN_OUT: out };
  const ended = await runInHost(["annotate", IMAGES, "--boxes", BOXES, "--limit", "7"], env);
  const summary = summaryOf(ended);
  expect(summary, ended.stderr).toMatchObject({ model: "tiny-random", batchSize: 3, out });
  expect(Number(summary["done"]) + Number(summary["failed"])).toBe(7);
});

test("--out - streams one annotation per line; with --json the summary is the last line; nothing is written", async () => {
  const words = ["annotate", IMAGES, "--boxes", BOXES, "--out", "-", "--model", TINY, "--device", "cpu"];
  const ended = await runInHost([...words, "--limit", "6", "--json"]);
  expect(ended.code, ended.stderr).toBe(0);
  const lines = ended.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines).toHaveLength(7);
  expect(lines.at(-1)).toMatchObject({ type: "summary", done: 6, out: "-", written: [] });
  for (const line of lines.slice(0, 6)) expect(line).toHaveProperty("segmentation");
  expect(readdirSync(sharedHost().cwd)).toEqual([]);
});

test("a reader that goes away ends the run quietly with 0", async () => {
  const words = ["annotate", IMAGES, "--boxes", manyBoxes(1000), "--out", "-", "--model", TINY, "--device", "cpu"];
  const { child, ended, says } = start([...words, "--batch-size", "4", "--max-steps", "4", "--candidates", "1"]);
  await says("drawing with");
  await new Promise((resolve) => child.stdout!.once("data", resolve));
  child.stdout!.destroy();
  const { code, signal, stderr } = await ended;
  expect({ code, signal }).toEqual({ code: 0, signal: null });
  expect(stderr).not.toMatch(/EPIPE|polyrnn: |\n +at /);
});

test("--quiet says nothing at all when nothing failed", async () => {
  const ended = await runToEnd([
    "annotate",
    IMAGES,
    "--boxes",
    BOXES,
    "--out",
    newOut(),
    "--device",
    "cpu",
    "--limit",
    "3",
    "--model",
    TINY,
    "--overlays",
    "none",
    "--quiet",
  ]);
  expect(ended).toMatchObject({ code: 0, stdout: "", stderr: "" });
});

test("something is said at once: the first words come before the engine is loaded", async () => {
  const { child, ended, says } = start(annotate(BOXES, newOut(), "--limit", "1", "--model", TINY));
  const begin = performance.now();
  await says("polyrnn ");
  const first = performance.now() - begin;
  await says("drawing with");
  expect(first).toBeLessThan(performance.now() - begin);
  child.kill("SIGKILL");
  await ended;
});

/**
 * Random weights draw to the limit; 4 steps and one candidate keep the runs short. Many small batches give a stop something to be
 * between.
 */
const ONE_THREAD = [
  ...["--model", TINY, "--batch-size", "4", "--max-steps", "4", "--candidates", "1"],
  ...["--threads", "1"],
];
/** The same with batches side by side, also where a machine has one core. */
const SHORT = [...ONE_THREAD.slice(0, -1), "2"];

/** A run whose twelve images take a second to open: there is time to stop it. */
function startSlow(args: readonly string[]): Started {
  return start(args, { nodeOptions: ["--import", WORKER_PRELOAD], env: { TEST_SLOW_MS: "80" } });
}

/** Waits until a run has journaled a few batches. */
async function inTheMiddle(out: string, run: Started): Promise<void> {
  await run.says("drawing with");
  const lines = (): number =>
    existsSync(join(out, "journal.ndjson")) ? readFileSync(join(out, "journal.ndjson"), "utf8").split("\n").length : 0;
  while (lines() < 12 && run.child.exitCode === null) await wait(10);
}

/** A run that nothing disturbs, to compare with; made once. */
const undisturbed = (() => {
  let made: Promise<{ boxes: string; out: string; code: number | null }> | undefined;
  return () =>
    (made ??= (async () => {
      const boxes = manyBoxes(60);
      const out = newOut();
      const { code, stderr } = await runInHost(annotate(boxes, out, ...SHORT));
      expect(code, stderr).toBe(0);
      return { boxes, out, code };
    })());
})();

test("130: an interrupt finishes the batch; --resume then gives the same bytes as a run that was never stopped", async () => {
  const straight = await undisturbed();
  const out = newOut();
  const run = startSlow(annotate(straight.boxes, out, ...SHORT, "--json"));
  await inTheMiddle(out, run);
  run.child.kill("SIGINT");
  const stopped = await run.ended;
  expect({ code: stopped.code, signal: stopped.signal }, stopped.stderr).toEqual({ code: 130, signal: null });
  const summary = summaryOf(stopped);
  expect(summary).toMatchObject({ stopped: true });
  expect(summary["remaining"]).toBeGreaterThan(0);
  expect(summary["finishedNow"]).toBeGreaterThan(0);
  expect(stopped.stderr).toContain("stopping after the batches in work");
  expect(stopped.stderr).toMatch(/go on with: polyrnn annotate .*--resume/);

  const resumed = await runInHost(annotate(straight.boxes, out, ...SHORT, "--resume"));
  expect(resumed.code, resumed.stderr).toBe(straight.code);
  expect(contents(out)).toEqual(contents(straight.out));
});

test("--threads changes nothing that is written, not even the order of the journal", async () => {
  const straight = await undisturbed();
  const out = newOut();
  const { code, stderr } = await runInHost(annotate(straight.boxes, out, ...ONE_THREAD));
  expect(code, stderr).toBe(straight.code);
  expect(contents(out)).toEqual(contents(straight.out));
  const linesOf = (folder: string): string[] => readFileSync(join(folder, "journal.ndjson"), "utf8").split("\n");
  expect(linesOf(out)).toEqual(linesOf(straight.out));
});

test("a run that was killed outright can be resumed to the same bytes", async () => {
  const straight = await undisturbed();
  const out = newOut();
  const run = startSlow(annotate(straight.boxes, out, ...SHORT));
  await inTheMiddle(out, run);
  run.child.kill("SIGKILL");
  expect((await run.ended).signal).toBe("SIGKILL");
  const resumed = await runInHost(annotate(straight.boxes, out, ...SHORT, "--resume"));
  expect(resumed.code, resumed.stderr).toBe(straight.code);
  expect(contents(out)).toEqual(contents(straight.out));
});

test("130: a termination request, as a cluster sends it, stops in good order as well", async () => {
  const out = newOut();
  const run = startSlow(annotate(manyBoxes(60), out, ...ONE_THREAD));
  await inTheMiddle(out, run);
  run.child.kill("SIGTERM");
  const stopped = await run.ended;
  expect({ code: stopped.code, signal: stopped.signal }, stopped.stderr).toEqual({ code: 130, signal: null });
  expect(readJson(join(out, "summary.json"))).toMatchObject({ stopped: true });
});

test("--resume refuses other options that change the result, and names them", async () => {
  const out = newOut();
  await runInHost(annotate(BOXES, out, "--model", TINY, "--limit", "4", "--max-steps", "4"));
  const ended = await runInHost(annotate(BOXES, out, "--model", TINY, "--limit", "4", "--max-steps", "5", "--resume"));
  expect(ended.code).toBe(2);
  expect(ended.stderr).toMatch(/max-?steps/i);
});

test("one key press that arrives twice, as npm passes it on, finishes the batch; a later second one stops at once", async () => {
  const out = newOut();
  const once = startSlow(annotate(manyBoxes(60), out, ...ONE_THREAD));
  await inTheMiddle(out, once);
  once.child.kill("SIGINT");
  once.child.kill("SIGINT");
  const stopped = await once.ended;
  expect(stopped.code).toBe(130);
  expect(stopped.stderr).toContain("go on with:");

  // Random weights draw to the step limit: a batch of these takes seconds.
  const twice = start(annotate(manyBoxes(600), newOut(), "--model", TINY, "--batch-size", "256"));
  await twice.says("drawing with");
  await wait(200);
  twice.child.kill("SIGINT");
  await twice.says("stopping after the batches in work");
  await wait(400);
  const begin = performance.now();
  twice.child.kill("SIGINT");
  const ended = await twice.ended;
  expect(ended.signal).toBe("SIGINT"); // 130 for a shell.
  expect(performance.now() - begin).toBeLessThan(1000);
  expect(ended.stderr).not.toContain("go on with:");
});
