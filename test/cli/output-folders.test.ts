/** What a command does to folders that are not its own, and what it leaves when it fails. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { sealLine } from "../../src/runs/journal.js";
import { RunLock } from "../../src/runs/lock.js";
import { identifyThisProcess } from "../../src/runs/process-life.js";
import { useFolder } from "../evaluate/small-dataset.js";
import { memoryTerminal } from "./memory-terminal.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const IMAGES = join(FIXTURES, "images");
const BOXES = join(FIXTURES, "boxes.json");
const TINY = join(FIXTURES, "models", "tiny-random");
const folder = useFolder();

async function polyrnn(...words: string[]): Promise<{ code: number; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(words, terminal);
  return { code, stderr: terminal.stderr.text };
}

/** Commands that write a folder, which is the last word. Those that write runs: test/runs/lock.test.ts. */
const WRITERS: Readonly<Record<string, readonly string[]>> = {
  evaluate: ["evaluate", BOXES, "--truth", BOXES, "--out"],
  "simulate-clicks": ["simulate-clicks", IMAGES, "--truth", BOXES, "--model", TINY, "--limit", "1", "--out"],
  export: ["export", TINY, "--out"],
};

describe.each(Object.entries(WRITERS))("%s", (_, words) => {
  test("refuses a folder that another process writes to, and leaves it as it is", async () => {
    const out = join(folder.path, "out");
    mkdirSync(out);
    const lock = await RunLock.take(out, () => undefined);
    const before = readFileSync(join(out, "run.lock"));
    const { code, stderr } = await polyrnn(...words, out);
    expect(code, stderr).toBe(73);
    expect(stderr).toContain(
      `expected a folder no other run is writing to, received one in use by process ${process.pid}`,
    );
    expect(readdirSync(out)).toEqual(["run.lock"]);
    expect(readFileSync(join(out, "run.lock")).equals(before)).toBe(true);
    await lock.release();
  });
});

test.each(["evaluate", "export"])(
  "%s takes over the lock of a process that was killed, and leaves none",
  async (name) => {
    const out = join(folder.path, "out");
    mkdirSync(out);
    const identity = { ...identifyThisProcess(), pid: 2 ** 22 + 1, startTick: "1" };
    for (const file of ["run.lock", "run.lock.takeover"])
      writeFileSync(join(out, file), `${sealLine({ type: "lock", ...identity })}\n`);
    const { code, stderr } = await polyrnn(...WRITERS[name]!, out);
    expect(code, stderr).toBe(0);
    expect(stderr).toContain("ended without a word; taking over");
    expect(readdirSync(out).filter((file) => file.startsWith("run.lock"))).toEqual([]);
  },
);

describe("export", () => {
  test("replaces an earlier export only when asked to", async () => {
    const out = join(folder.path, "onnx");
    expect((await polyrnn("export", TINY, "--out", out)).code).toBe(0);
    const before = readFileSync(join(out, "step.onnx"));
    writeFileSync(join(out, "step.onnx"), "mine");
    const refused = await polyrnn("export", TINY, "--out", out);
    expect(refused.code).toBe(73);
    expect(refused.stderr).toContain("expected an empty folder, received an earlier export\nReplace it with --force");
    expect(readFileSync(join(out, "step.onnx"), "utf8")).toBe("mine");
    expect((await polyrnn("export", TINY, "--out", out, "--force")).code).toBe(0);
    expect(readFileSync(join(out, "step.onnx")).equals(before)).toBe(true);
  });

  test.each([{ force: [] }, { force: ["--force"] }])(
    "never writes beside other files ($force): images, a model, a run",
    async ({ force }) => {
      const out = join(folder.path, "data");
      mkdirSync(out);
      writeFileSync(join(out, "a.jpg"), "");
      writeFileSync(join(out, "encoder.onnx"), "mine");
      const { code, stderr } = await polyrnn("export", TINY, "--out", out, ...force);
      expect(code).toBe(73);
      expect(stderr).toContain('received 1 file that no export wrote, for example "a.jpg"');
      expect(readdirSync(out)).toEqual(["a.jpg", "encoder.onnx"]);
    },
  );

  test("of a model that is not there makes no folder", async () => {
    expect((await polyrnn("export", "tiny-randon", "--out", join(folder.path, "onnx"))).code).toBe(69);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

describe("a failed command leaves no folder", () => {
  const study = (...words: string[]): string[] => ["simulate-clicks", ...words, "--threshold", "2", "--device", "cpu"];

  test.each([
    { why: "truth that is not there", words: study(IMAGES, "--truth", "none.json"), code: 66 },
    { why: "images that are not there", words: study("nowhere", "--truth", BOXES), code: 66 },
    { why: "a model that is not there", words: study(IMAGES, "--truth", BOXES, "--model", "none"), code: 69 },
    {
      why: "a field that no image has",
      words: study(IMAGES, "--truth", BOXES, "--model", TINY, "--categories", "nothing-of-that-name"),
      code: 2,
    },
    { why: "predictions that are not there", words: ["evaluate", "none.json", "--truth", BOXES], code: 66 },
    { why: "truth that is not there", words: ["evaluate", BOXES, "--truth", "none.json"], code: 66 },
  ])("$words.0: $why", async ({ words, code }) => {
    const out = join(folder.path, "deep", "study");
    const ended = await polyrnn(...words, "--out", out);
    expect(ended.code, ended.stderr).toBe(code);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test("but a folder that was there stays, with what lies in it", async () => {
    const out = join(folder.path, "study");
    mkdirSync(out);
    expect((await polyrnn(...study(IMAGES, "--truth", "none.json"), "--out", out)).code).toBe(66);
    expect(existsSync(out)).toBe(true);
    writeFileSync(join(out, "report.json"), "{}");
    expect((await polyrnn(...study(IMAGES, "--truth", "none.json"), "--out", out, "--force")).code).toBe(66);
    expect(readdirSync(out)).toEqual(["report.json"]);
  });
});

describe("merge names what it was given", () => {
  test("a folder that is not there, a file, and a folder without a run", async () => {
    const file = join(folder.path, "boxes.json");
    writeFileSync(file, "{}");
    mkdirSync(join(folder.path, "photos"));
    for (const [part, message] of [
      [join(folder.path, "part-1"), "there is no such folder; expected the run folder of a shard"],
      [file, "this is a file; expected the run folder of a shard"],
      [join(folder.path, "photos"), "there is no run.json in it; expected the run folder of a shard"],
    ] as const) {
      const { code, stderr } = await polyrnn("merge", part, "--out", join(folder.path, "all"));
      expect(code).toBe(66);
      expect(stderr).toContain(`polyrnn: ${part}: ${message}\n`);
    }
    expect(existsSync(join(folder.path, "all"))).toBe(false);
  });
});

describe("--out -", () => {
  test.each([
    { words: ["--format", "labelme"], message: "--format labelme needs an output folder", hint: "leave out labelme" },
    { words: ["--format", "coco,yolo-seg"], message: "--format coco,yolo-seg needs", hint: "leave out yolo-seg" },
    { words: ["--overlays", "all"], message: "--overlays all needs an output folder", hint: "leave --overlays out" },
  ])("streams COCO annotations and nothing else: $words is refused", async ({ words, message, hint }) => {
    const { code, stderr } = await polyrnn("annotate", IMAGES, "--boxes", BOXES, "--out", "-", ...words);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).toContain(hint);
  });

  test.each([
    ["merge", "part-1"],
    ["evaluate", BOXES, "--truth", BOXES],
    ["simulate-clicks", IMAGES, "--truth", BOXES, "--threshold", "2"],
    ["export", TINY],
    ["train"],
    ["models", "import", "vgg16", "vgg16.safetensors"],
  ])("%s %s takes no stream, and makes no folder called -", async (...words) => {
    const { code, stderr } = await polyrnn(...words, "--out", "-");
    expect(code).toBe(2);
    expect(stderr).toContain("--out: expected a folder but received -");
  });
});

describe("a model that is not there", () => {
  test("train --model names all it takes", async () => {
    const needed = ["--data", BOXES, "--images", IMAGES, "--val", "none", "--out", join(folder.path, "run")];
    const { code, stderr } = await polyrnn("train", ...needed, "--model", "resnet");
    expect(code).toBe(69);
    expect(stderr).toMatch(
      /model "resnet": expected one of mobile, (vgg16, )?tiny-random, (vgg16, )?tiny, or a folder with model.json/,
    );
    const near = await polyrnn("train", ...needed, "--model", "vgg17");
    expect(near.stderr).toContain("Did you mean vgg16?");
    const init = await polyrnn("train", ...needed, "--init", "randon");
    expect(init.stderr).toContain("Did you mean random?");
  });

  test.each([["annotate", IMAGES, "--boxes", BOXES, "--model"], ["models", "show"], ["export"]])(
    "%s with tiny says where such a model comes from",
    async (...words) => {
      const rest = words[0] === "models" ? [] : ["--out", join(folder.path, "out")];
      const { code, stderr } = await polyrnn(...words, "tiny", ...rest);
      expect(code).toBe(69);
      expect(stderr).toContain('model "tiny": expected a model with weights, received a network that comes without');
      expect(stderr).toContain("polyrnn train --model tiny");
      expect(readdirSync(folder.path)).toEqual([]);
    },
  );
});
