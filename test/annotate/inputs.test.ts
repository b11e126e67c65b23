/** Inputs are read and never written, wherever the output folder lies. */
import { cp, mkdir, readFile, rename, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import type { RunOptions } from "./runs.js";
import {
  COPIED,
  FIXTURES,
  HOSTILE,
  IMAGES,
  copyOfSample,
  hashesOf,
  memoryHost,
  newOut,
  readCoco,
  refusalOf,
  resultsOf,
  runAnnotate,
} from "./runs.js";
import { zipFile } from "../helpers/zip-file.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const FORMATS = ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio", "cvat"] as const;
const SHORT: RunOptions = { maxSteps: 3, limit: 12 };

const home = process.cwd();
afterEach(() => {
  process.chdir(home);
});

/** What of a folder lies outside the output folder. */
async function inputsOf(folder: string, out: string): Promise<Record<string, string>> {
  return Object.fromEntries(Object.entries(await hashesOf(folder)).filter(([path]) => !path.startsWith(`${out}/`)));
}

test("no byte of the sample changes, whatever is written in whatever way", async () => {
  const folder = await copyOfSample();
  const before = await hashesOf(folder);
  const input: RunOptions = {
    ...SHORT,
    images: join(folder, "images"),
    boxes: join(folder, "boxes.json"),
    formats: FORMATS,
    overlays: "all",
    batchSize: 5,
  };
  const { out } = await runAnnotate(input, memoryHost(1));
  await runAnnotate({ ...input, out, resume: true });
  await runAnnotate({ ...input, out, force: true, existing: "keep" });
  await runAnnotate({ ...input, out: "-" });
  expect(await hashesOf(folder)).toEqual(before);
});

test("images in a zip file, in a list or in their folder give the same files", async () => {
  const home = temporaryFolder();
  const names = ["balloons.jpg", "park.jpg", "street.jpg"];
  const members = names.map(async (name) => ({ name: `set/${name}`, bytes: await readFile(join(IMAGES, name)) }));
  await writeFile(join(home, "photos.zip"), zipFile(await Promise.all(members)));
  await writeFile(join(home, "list.txt"), names.map((name) => `${join(IMAGES, name)}\n`).join(""));
  const formats = ["coco", "yolo-seg"] as const;
  const filesFrom = async (images: string): Promise<string[]> => {
    const { out, summary } = await runAnnotate({ maxSteps: 3, candidates: 1, images, formats });
    expect(summary.done).toBeGreaterThan(10);
    const files = ["annotations.json", "yolo-seg/labels/park.txt", "yolo-seg/images/park.jpg"];
    return Promise.all(files.map((file) => readFile(join(out, file), "latin1")));
  };
  const fromList = await filesFrom(join(home, "list.txt"));
  expect(await filesFrom(join(home, "photos.zip"))).toEqual(fromList);
});

test("no byte changes of inputs that go wrong either", async () => {
  const folder = join(temporaryFolder(), "hostile");
  await cp(HOSTILE, folder, { recursive: true });
  const before = await hashesOf(folder);
  const { summary } = await runAnnotate({
    images: folder,
    boxes: join(folder, "boxes.json"),
    formats: FORMATS,
    overlays: "all",
    maxSteps: 3,
  });
  expect(summary.failed).toBeGreaterThan(15);
  expect(await hashesOf(folder)).toEqual(before);
});

describe("an output folder inside the image folder", () => {
  test("is no input of the next run: its overlays and links do not make photographs ambiguous", async () => {
    const folder = await copyOfSample();
    const input: RunOptions = {
      ...SHORT,
      images: folder,
      boxes: join(folder, "boxes.json"),
      formats: FORMATS,
      overlays: "all",
    };
    const before = await hashesOf(folder);
    const first = await runAnnotate({ ...input, out: join(folder, "out") });
    expect(first.summary.failed).toBe(0);
    expect(Object.keys(await hashesOf(join(folder, "out"))).filter((path) => path.endsWith("street.jpg"))).toHaveLength(
      2,
    );
    const second = await runAnnotate({ ...input, out: join(folder, "out-2") });
    expect(second.summary).toMatchObject({ done: first.summary.done, failed: 0 });
    expect(await readFile(join(second.out, "annotations.json"), "utf8")).toBe(
      await readFile(join(first.out, "annotations.json"), "utf8"),
    );
    expect(await inputsOf(folder, "out")).toMatchObject(before);
  });

  test("can be gone on with and replaced", async () => {
    const folder = await copyOfSample();
    const input: RunOptions = {
      ...SHORT,
      images: folder,
      boxes: join(folder, "boxes.json"),
      overlays: "all",
      batchSize: 4,
      out: join(folder, "deep", "out"),
    };
    const straight = await runAnnotate({ ...input, out: newOut() });
    expect((await runAnnotate(input, memoryHost(1))).summary.stopped).toBe(true);
    expect((await runAnnotate({ ...input, resume: true })).summary).toMatchObject({ stopped: false, failed: 0 });
    expect(await resultsOf(input.out!)).toEqual(await resultsOf(straight.out));
    expect((await runAnnotate({ ...input, resume: true })).summary).toMatchObject({ finishedNow: 0, failed: 0 });
    expect((await runAnnotate({ ...input, force: true })).summary).toMatchObject({ done: straight.summary.done });
    expect(await resultsOf(input.out!)).toEqual(await resultsOf(straight.out));
  });
});

describe("the image folder .", () => {
  test("with an old polyrnn-out in it: the same words again, another folder, or going on all work", async () => {
    const folder = await copyOfSample();
    process.chdir(folder);
    const input: RunOptions = {
      ...SHORT,
      images: ".",
      boxes: "boxes.json",
      overlays: "auto",
      formats: ["coco", "yolo-seg"],
      out: "polyrnn-out",
    };
    const before = await hashesOf(".");
    const first = await runAnnotate(input);
    expect(first.summary).toMatchObject({ failed: 0, out: "polyrnn-out" });
    expect(await refusalOf(input)).toMatchObject({ code: "E_OUT_NOT_EMPTY" });
    expect((await runAnnotate({ ...input, resume: true })).summary).toMatchObject({ failed: 0, finishedNow: 0 });
    await rename("polyrnn-out", "polyrnn-out-old");
    expect((await runAnnotate(input)).summary).toMatchObject({ done: first.summary.done, failed: 0 });
    expect(await resultsOf("polyrnn-out")).toMatchObject({
      "annotations.json": (await resultsOf("polyrnn-out-old"))["annotations.json"],
    });
    expect(await inputsOf(".", "polyrnn-out")).toMatchObject(before);
  });

  test("with a Cityscapes tree: polygons an earlier run wrote are not boxes", async () => {
    const folder = join(temporaryFolder(), "cityscapes");
    await cp(join(FIXTURES, "cityscapes"), folder, {
      recursive: true,
      filter: (path) => !path.includes("CityPersons"),
    });
    process.chdir(folder);
    const input: RunOptions = {
      ...SHORT,
      images: ".",
      boxes: ".",
      formats: ["coco", "cityscapes"],
      out: "polyrnn-out",
    };
    const first = await runAnnotate(input);
    const again = await runAnnotate({ ...input, resume: true });
    expect(again.summary).toMatchObject({
      images: 3,
      annotations: first.summary.annotations,
      done: first.summary.done,
    });
  });
});

describe("an output folder that would write over an input is refused before anything is written", () => {
  test.each<{ why: string; place: (folder: string) => RunOptions | Promise<RunOptions> }>([
    {
      why: "the box file is called as an output",
      place: async (folder) => {
        await rename(join(folder, "boxes.json"), join(folder, "annotations.json"));
        return { boxes: join(folder, "annotations.json"), out: folder };
      },
    },
    { why: "the image folder is the output folder", place: (folder) => ({ out: join(folder, "images") }) },
    {
      why: "the photographs lie where overlays go",
      place: async (folder) => {
        await rename(join(folder, "images"), join(folder, "overlays"));
        return { images: join(folder, "overlays"), out: folder };
      },
    },
    { why: "the box file is the output folder", place: (folder) => ({ out: join(folder, "boxes.json") }) },
    {
      why: "a link leads from the output folder to the image folder",
      place: async (folder) => {
        await symlink(join(folder, "images"), join(folder, "link"));
        return { out: join(folder, "link") };
      },
    },
  ])("$why", async ({ place }) => {
    const folder = await copyOfSample();
    const changed = await place(folder);
    const before = await hashesOf(folder);
    const refusal = await refusalOf({
      ...SHORT,
      images: join(folder, "images"),
      boxes: join(folder, "boxes.json"),
      force: true,
      ...changed,
    });
    expect(refusal).toMatchObject({ exitCode: 2 });
    expect(refusal.message).toMatch(
      /^--out .*: expected a folder apart from the inputs, received one that holds (images|--boxes) /,
    );
    expect(refusal.hint).toContain("--out");
    expect(await hashesOf(folder)).toEqual(before);
  });

  test("boxes in the output folder under a name of their own stay as they are", async () => {
    const out = temporaryFolder();
    await mkdir(join(out, "photos"));
    const sample = await copyOfSample();
    await cp(join(sample, "images"), join(out, "photos"), { recursive: true });
    await cp(join(sample, "boxes.json"), join(out, "boxes.json"));
    const before = await hashesOf(out);
    const { summary } = await runAnnotate({
      ...SHORT,
      images: join(out, "photos"),
      boxes: join(out, "boxes.json"),
      out,
      force: true,
      formats: FORMATS,
      overlays: "all",
    });
    expect(summary.failed).toBe(0);
    expect(await hashesOf(out)).toMatchObject(before);
    expect((await readCoco(out, "annotations.json")).images).toHaveLength(COPIED.length);
    // What lies beside the outputs is found again.
    expect((await runAnnotate({ ...SHORT, images: out, boxes: join(out, "boxes.json") })).summary.failed).toBe(0);
  });
});
