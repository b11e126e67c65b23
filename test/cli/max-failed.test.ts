import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { judgeRun, parseMaxFailed } from "../../src/cli/max-failed.js";
import { run } from "../../src/cli/run.js";
import { useFolder } from "../evaluate/small-dataset.js";
import { memoryTerminal } from "./memory-terminal.js";

const ROOT = join(import.meta.dirname, "..", "..");
const IMAGES = join(ROOT, "fixtures", "images");
const TINY = ["--model", join(ROOT, "fixtures", "models", "tiny-random"), "--device", "cpu", "--max-steps", "8"];
const folder = useFolder();

type Counts = Parameters<typeof judgeRun>[0];
const counts = (given: Partial<Counts>): Counts => ({
  done: 0,
  failed: 0,
  remaining: 0,
  stopped: false,
  skippedByReason: {},
  failedByReason: {},
  ...given,
});

describe("the exit code of a run", () => {
  test.each([
    { why: "all is done", given: { done: 9 }, limit: undefined, code: 0 },
    { why: "there was nothing to do", given: {}, limit: undefined, code: 0 },
    { why: "all was passed over", given: { skippedByReason: { category: 9 } }, limit: undefined, code: 0 },
    { why: "one failed", given: { done: 99, failed: 1 }, limit: undefined, code: 1 },
    { why: "as many failed as may", given: { done: 95, failed: 5 }, limit: "5", code: 0 },
    { why: "one more failed", given: { done: 94, failed: 6 }, limit: "5", code: 1 },
    { why: "the share that may", given: { done: 95, failed: 5 }, limit: "5%", code: 0 },
    { why: "more than the share", given: { done: 94, failed: 5 }, limit: "5%", code: 1 },
    { why: "a share in tenths", given: { done: 971, failed: 29 }, limit: "2.9%", code: 0 },
    {
      why: "polygons below --min-score count as instances",
      given: { done: 5, failed: 5, skippedByReason: { "score-below-minimum": 90 } },
      limit: "5%",
      code: 0,
    },
    { why: "nothing was drawn", given: { failed: 3 }, limit: undefined, code: 65 },
    { why: "nothing was drawn, whatever is allowed", given: { failed: 3 }, limit: "100%", code: 65 },
    {
      why: "the one new box failed, and older polygons are kept",
      given: { failed: 1, skippedByReason: { "already-done": 9 } },
      limit: undefined,
      code: 1,
    },
    {
      why: "polygons that people made are kept",
      given: { failed: 1, skippedByReason: { kept: 9 } },
      limit: "1",
      code: 0,
    },
    { why: "somebody stopped it", given: { failed: 3, remaining: 7, stopped: true }, limit: undefined, code: 130 },
    {
      why: "a shard is missing",
      given: { done: 5, remaining: 5, merged: { count: 2, parts: [], missing: [{ shard: 2, remaining: 5 }] } },
      limit: "100%",
      code: 1,
    },
    {
      why: "no shard drew anything",
      given: { remaining: 5, merged: { count: 2, parts: [], missing: [{ shard: 2, remaining: 5 }] } },
      limit: undefined,
      code: 65,
    },
  ] as const)("is $code where $why (--max-failed $limit)", ({ given, limit, code }) => {
    expect(judgeRun(counts(given as Partial<Counts>), limit).exitCode).toBe(code);
  });

  test.each(["", "-1", "1.5", "101%", "5 %", "%", "1e3", "five", "0x10", "5%%", "-1%"])(
    "--max-failed %j is wrong usage",
    (text) => {
      expect(() => parseMaxFailed(text)).toThrow("expected a whole number or a percentage from 0% to 100%");
    },
  );
});

interface BoxFile {
  readonly images: { id: number; file_name: string; width: number; height: number }[];
  readonly annotations: { id: number; image_id: number; category_id: number; bbox: number[] }[];
  readonly categories: unknown[];
}

/** Boxes on one of the fixtures; `bad` ones lie outside of it. */
function writeBoxes(good: number, bad: number): string {
  const all = JSON.parse(readFileSync(join(ROOT, "fixtures", "boxes.json"), "utf8")) as BoxFile;
  const image = all.images[0]!;
  const [category] = all.annotations;
  const annotations = Array.from({ length: good + bad }, (_, i) => ({
    id: i + 1,
    image_id: image.id,
    category_id: category!.category_id,
    bbox: i < good ? [10 + i, 10, 60, 60] : [image.width + 50, image.height + 50, 20, 20],
  }));
  const path = join(folder.path, "boxes.json");
  writeFileSync(path, JSON.stringify({ images: [image], categories: all.categories, annotations }));
  return path;
}

async function polyrnn(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(words, terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

const annotate = (boxes: string, ...words: string[]): ReturnType<typeof polyrnn> =>
  polyrnn("annotate", IMAGES, "--boxes", boxes, ...TINY, "--overlays", "none", ...words);

describe("a job can tell", () => {
  test("annotate with some failures: 1, and 0 where they are allowed, in words and as JSON", async () => {
    const boxes = writeBoxes(2, 1);
    const out = join(folder.path, "out");
    expect((await annotate(boxes, "--out", out)).code).toBe(1);
    const allowed = await annotate(boxes, "--out", out, "--resume", "--max-failed", "34%", "--json");
    expect(allowed.code).toBe(0);
    expect(allowed.stderr).toContain("1 failed, which --max-failed 34% allows\n");
    expect(JSON.parse(allowed.stdout)).toMatchObject({
      failed: 1,
      maxFailed: { limit: "34%", allowed: 1, passed: true },
    });
    const refused = await annotate(boxes, "--out", out, "--resume", "--max-failed", "33%", "--json");
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain("1 failed, more than --max-failed 33% allows\n");
    expect(JSON.parse(refused.stdout)).toMatchObject({ maxFailed: { allowed: 0, passed: false } });
    const config = join(folder.path, "config.json");
    writeFileSync(config, JSON.stringify({ "max-failed": 1 }));
    expect((await annotate(boxes, "--out", out, "--resume", "--config", config)).code).toBe(0);
  });

  test("a wrong --max-failed is refused before anything is read", async () => {
    for (const words of [
      ["annotate", "x", "--boxes", "y", "--max-failed", "all"],
      ["merge", "x", "--out", "y", "--max-failed", "all"],
    ])
      expect(await polyrnn(...words)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("--max-failed") as string,
      });
  });

  test("no polygon at all although there were boxes: 65, into a folder and as a stream", async () => {
    const boxes = writeBoxes(0, 2);
    for (const out of [join(folder.path, "out"), "-"]) {
      const { code, stderr } = await annotate(boxes, "--out", out, "--max-failed", "100%", "--quiet");
      expect(code).toBe(65);
      expect(stderr).toContain("nothing was drawn although there were 2 boxes: 2 box-outside\n");
    }
  });

  test("merged shards are judged together, and the GitLab jobs of docs/ci.md do not pass without a polygon", async () => {
    interface Job {
      readonly script: readonly string[];
      readonly allow_failure?: { readonly exit_codes: number | readonly number[] };
    }
    const text = readFileSync(join(ROOT, "docs", "ci.md"), "utf8");
    const blocks = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, yaml]) => parse(yaml!) as Record<string, Job>);
    const { predict, merge } = blocks.find((block) => "predict" in block)!;
    expect(predict!.allow_failure).toEqual({ exit_codes: 1 });
    expect(merge!.allow_failure).toBeUndefined();
    const wordsOf = (job: Job, command: string): string[] =>
      job.script
        .find((line) => line.startsWith(`npx polyrnn ${command} `))!
        .split(" ")
        .slice(2);

    const part = join(folder.path, "part-1");
    const replace = (words: readonly string[], places: Readonly<Record<string, string>>): string[] =>
      words.map((word) => places[word] ?? word);
    const boxes = writeBoxes(0, 2);
    const drawing = replace(wordsOf(predict!, "annotate"), {
      images: IMAGES,
      "boxes.json": boxes,
      auto: "1/1",
      "part-$CI_NODE_INDEX": part,
    });
    expect((await polyrnn(...drawing, ...TINY)).code).toBe(65);
    const joining = (out: string): string[] =>
      replace(wordsOf(merge!, "merge"), { "part-*": part, polygons: join(folder.path, out) });
    expect((await polyrnn(...joining("empty"))).code).toBe(65);

    writeBoxes(49, 1);
    expect((await polyrnn(...drawing, ...TINY, "--overlays", "none", "--force")).code).toBe(1);
    expect((await polyrnn(...joining("whole"))).code).toBe(0);
    expect((await polyrnn("merge", part, "--out", join(folder.path, "strict"))).code).toBe(1);
  });
});
