import { join } from "node:path";
import { expect, test } from "vitest";
import type { ImageFile } from "../../../src/train/data/overlap.js";
import { checkOverlap, findOverlap } from "../../../src/train/data/overlap.js";
import { errorOf, folderWith } from "../../dataset/temporary-folder.js";

const folder = await folderWith({
  "train/a.jpg": "picture of a",
  "train/b.jpg": "picture of b",
  "train/c.jpg": "picture of c",
  "train/0001.jpg": "first",
  "val/x.jpg": "picture of x",
  "val/copy.jpg": "picture of b",
  "val/like.jpg": "picture of d",
  "val/0001.jpg": "another",
});
const files = (part: string, ...names: string[]): ImageFile[] =>
  names.map((fileName) => ({ fileName, path: join(folder, part, fileName) }));
const TRAIN = files("train", "a.jpg", "b.jpg", "c.jpg", "0001.jpg");

test.each([
  { validation: files("val", "x.jpg", "like.jpg"), found: [], why: "other names and other bytes, of the same size" },
  {
    validation: files("val", "x.jpg", "copy.jpg"),
    found: [{ training: "b.jpg", validation: "copy.jpg" }],
    why: "the same bytes under another name",
  },
  {
    validation: files("val", "0001.jpg"),
    found: [{ training: "0001.jpg", validation: "0001.jpg" }],
    why: "the same name",
  },
  {
    validation: files("train", "c.jpg", "a.jpg"),
    found: [
      { training: "c.jpg", validation: "c.jpg" },
      { training: "a.jpg", validation: "a.jpg" },
    ],
    why: "the same files",
  },
  { validation: files("val", "gone.jpg"), found: [], why: "a file that is gone" },
  { validation: [], found: [], why: "no validation" },
])("$why: $found.length in both", async ({ validation, found }) => {
  expect(await findOverlap(TRAIN, validation)).toEqual(found);
});

test("the error names the images and says what to do", async () => {
  const error = await errorOf(checkOverlap(TRAIN, files("val", "x.jpg", "copy.jpg", "0001.jpg")));
  expect(error.code).toBe("E_DATA");
  expect(error.message).toBe(
    'validation: expected images that are not trained on, received 2 of 3 that are: "copy.jpg" (the same picture as "b.jpg"), "0001.jpg"',
  );
  expect(error.hint).toMatch(/exclude/);
});
