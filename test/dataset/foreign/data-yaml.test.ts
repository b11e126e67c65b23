/** What data.yaml of YOLO says about where labels lie is followed, and never out of its own folder. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Dataset } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { PolyrnnError } from "../../../src/errors.js";
import { errorOf, folderWith } from "../temporary-folder.js";

const BOX = "0 0.5 0.5 0.2 0.2\n";
const NAMES = "names: [car, bus]\n";

/** Labels of a data set with three splits, and of a folder that belongs to none. */
const LABELS = Object.fromEntries(
  ["labels/train/a", "labels/train/sub/b", "labels/val/c", "labels/test/d", "labels/other/e"].map((name) => [
    `${name}.txt`,
    BOX,
  ]),
);

async function open(files: Readonly<Record<string, unknown>>, boxes = "data.yaml"): Promise<Dataset> {
  return openDataset({
    boxes: join(await folderWith(files), boxes),
    imageSize: () => Promise.resolve({ width: 100, height: 100 }),
  });
}

async function namesIn(dataset: Dataset): Promise<string[]> {
  const names: string[] = [];
  for await (const { image } of dataset.groups()) names.push(image.fileName);
  await dataset.close();
  return names.sort();
}

describe("the splits of data.yaml", () => {
  test.each([
    ["folders of images", "train: images/train\nval: images/val\n", ["train/a", "train/sub/b", "val/c"]],
    ["a list of folders", "train: [images/train, images/test]\n", ["test/d", "train/a", "train/sub/b"]],
    ["a folder that names its images elsewhere", "path: .\ntrain: ./images/val/\n", ["val/c"]],
    ["a folder above them", "train: images\n", ["other/e", "test/d", "train/a", "train/sub/b", "val/c"]],
    ["no split: all labels", "", ["other/e", "test/d", "train/a", "train/sub/b", "val/c"]],
    ["two splits that share images", "train: images/val\nval: images/val\n", ["val/c"]],
  ])("%s", async (_, splits, expected) => {
    expect(await namesIn(await open({ ...LABELS, "data.yaml": splits + NAMES }))).toEqual(expected);
  });

  test("a split may be a text file of paths, from where the file lies or from `path`", async () => {
    const files = {
      ...Object.fromEntries(Object.entries(LABELS).map(([name, text]) => [`set/${name}`, text])),
      "data.yaml": `path: set\ntrain: train.txt\n${NAMES}`,
      "set/train.txt": "./images/train/a.jpg\n\nimages/val/c.png\nimages/val/has no label.png\n",
    };
    expect(await namesIn(await open(files))).toEqual(["set/train/a", "set/val/c"]);
  });

  test.each([
    ["a text that ends again and again", `names:\n  0: ${'"'.repeat(100_000)}`, "line 2, column 8"],
    ["commas with nothing between", `names: [${",".repeat(100_000)}]`, "line 1, column 10"],
    ["a key again and again", "a: 1\n".repeat(10_000), "unique at line 2, column 1"],
    ["as many keys as lines", Array.from({ length: 10_000 }, (_, i) => `key${i}: 1\n`).join(""), "expected names"],
  ])("a file of faults is refused by the first of them: %s", async (_, text, message) => {
    expect((await errorOf(open({ ...LABELS, "data.yaml": text }))).message).toContain(message);
  });

  test("a file that is written in braces is YAML as well", async () => {
    expect(await namesIn(await open({ ...LABELS, "data.yaml": "{train: images/train, names: {0: car}}" }))).toEqual(
      await namesIn(await open({ ...LABELS, "data.yaml": `train: images/train\n${NAMES}` })),
    );
  });

  test("Roboflow's ../train/images lies beside data.yaml", async () => {
    const files = {
      "train/labels/a.txt": BOX,
      "valid/labels/b.txt": BOX,
      "data.yaml": `train: ../train/images\n${NAMES}`,
    };
    expect(await namesIn(await open(files))).toEqual(["train/a"]);
  });

  test("absolute paths count where they lead into the folder", async () => {
    const folder = await folderWith({ ...LABELS });
    writeFileSync(join(folder, "data.yaml"), `path: ${folder}\ntrain: images/val\n${NAMES}`);
    expect(await namesIn(await openDataset({ boxes: join(folder, "data.yaml") }))).toEqual(["val/c"]);
  });

  test("a split that was not fetched is named, and passed over", async () => {
    const dataset = await open({ ...LABELS, "data.yaml": `train: images/train\ntest: images/test2\n${NAMES}` });
    expect(dataset.notes).toEqual([
      expect.stringContaining('data.yaml: 1 path not there, passed over: test ("images/test2")'),
    ]);
    await dataset.close();
  });

  test("the folder itself, passed by its name, gives all labels in it", async () => {
    const files = { ...LABELS, "data.yaml": `train: images/train\n${NAMES}` };
    expect(await namesIn(await open(files, "."))).toHaveLength(5);
  });
});

describe("what cannot be followed is an error that says what to do", () => {
  test.each([
    ["a folder outside", "train: /etc\n", 'expected train to lie below the folder of the file, received "/etc"'],
    ["a folder above", "path: ../../x\ntrain: y\n", 'received "../../x/y"'],
    ["climbing from within", "train: images/../../../etc\n", "expected train to lie below"],
    ["a list that leads outside", "train: list.txt\n", "expected line 2 of list.txt to lie below"],
    ["nothing that is there", "train: images/none\n", 'expected label files for train ("images/none"), received none'],
    ["a number", "train: 7\n", "expected train to be a path or a list of at most 100, received 7"],
    ["a list of lists", "train: [[a]]\n", "received a list of 1"],
    ["too many paths", `train: [${"a,".repeat(200)}]\n`, "received 200 paths"],
    ["a path that is none", "path: {a: b}\ntrain: x\n", "expected path to be a text"],
    ["an alias", "a: &a images/train\ntrain: *a\n", "expected names of classes in YAML"],
  ])("%s", async (_, splits, expected) => {
    const files = { ...LABELS, "data.yaml": splits + NAMES, "list.txt": "images/val/c.jpg\n../../secret.jpg\n" };
    const error = await errorOf(open(files));
    expect(error.exitCode).toBe(65);
    expect(error.message).toContain("data.yaml: ");
    expect(error.message).toContain(expected);
    expect(error.hint).not.toBe("");
  });
});

test("whatever its splits say, nothing but the house's errors is thrown", async () => {
  const part = fc.constantFrom(
    "images",
    "labels",
    "train",
    "..",
    ".",
    "",
    "/",
    "~",
    "a\\b",
    "\0",
    "list.txt",
    "[",
    "{",
    "é",
  );
  const folder = await folderWith({ ...LABELS, "list.txt": "./images/val/c.jpg\n" });
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("path", "train", "val", "test"),
      fc.array(part, { maxLength: 5 }).map((parts) => parts.join("/")),
      fc.constantFrom("%", "'%'", '"%"', "[%]", "[images/val, '%']", "{a: %}"),
      async (key, text, form) => {
        writeFileSync(
          join(folder, "data.yaml"),
          `train: images/train\n${NAMES}${key}: ${form.replace("%", () => text)}\n`,
        );
        try {
          await (await openDataset({ boxes: join(folder, "data.yaml") })).close();
        } catch (error) {
          if (!(error instanceof PolyrnnError)) throw error;
          expect([65, 66]).toContain(error.exitCode);
        }
      },
    ),
    { numRuns: 60 },
  );
});
