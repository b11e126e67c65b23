/** Images that are given otherwise than by their folder: a zip file, a text file of paths, or one image. */
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import type { Located } from "../../src/dataset/find-images.js";
import { findImages } from "../../src/dataset/find-images.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { zipFile } from "../helpers/zip-file.js";
import { errorOf, folderWith } from "./temporary-folder.js";

const outcome = (located: Located): string => (located.kind === "file" ? located.name : located.failure.reason);

async function zipWith(names: readonly string[]): Promise<string> {
  const path = join(temporaryFolder(), "photos.zip");
  await writeFile(path, zipFile(names.map((name) => ({ name, bytes: Buffer.from(name) }))));
  return path;
}

describe("a zip file", async () => {
  const zip = await zipWith([
    "a.jpg",
    "cam1/001.jpg",
    "cam2/001.jpg",
    "notes.txt",
    "__MACOSX/._a.jpg",
    "run/run.json",
    "run/journal.ndjson",
    "run/overlays/a.jpg",
  ]);
  const finder = await findImages(zip);

  test.each([
    { name: "a.jpg", found: "a.jpg", why: "the exact path" },
    { name: "train/A.JPG", found: "a.jpg", why: "another case, a folder too many" },
    { name: "cam1/001.jpg", found: "cam1/001.jpg", why: "the exact path among several of one name" },
    { name: "001.jpg", found: "image-ambiguous", why: "a file name that stands in two folders" },
    { name: "../a.jpg", found: "image-outside", why: "a climb out of the zip file" },
    { name: "b.jpg", found: "image-missing", why: "no such file" },
  ])("$why: $name", async ({ name, found }) => {
    expect(outcome(await finder.locate(name))).toBe(found);
  });

  test("counts its images, without what macOS or an earlier run put beside them", () => {
    expect(finder.count).toBe(3);
  });

  test("gives a path that leads through it, and is the root itself", async () => {
    expect(await finder.locate("cam2/001.jpg")).toMatchObject({ path: join(zip, "cam2", "001.jpg"), root: zip });
  });

  test("finds images by stem and number", async () => {
    expect(outcome(await finder.locateStem("cam2/001"))).toBe("cam2/001.jpg");
    expect(outcome(await finder.locateNumber(1))).toBe("image-ambiguous");
  });
});

test("a zip file without images, and one that is none, are refused", async () => {
  expect((await errorOf(findImages(await zipWith(["a.txt"])))).message).toContain("received none among 1 file");
  const broken = join(await folderWith({ "photos.zip": "no zip file at all" }), "photos.zip");
  expect(await errorOf(findImages(broken))).toMatchObject({ exitCode: 65, code: "E_DATA" });
});

test("a name in a box file never opens a zip file in the image folder", async () => {
  const folder = await folderWith({ "a.jpg": "", "photos.zip": zipFile([{ name: "b.jpg", bytes: Buffer.from("b") }]) });
  expect(outcome(await (await findImages(folder)).locate("photos.zip/b.jpg"))).toBe("image-missing");
});

describe("a text file of paths", async () => {
  const folder = await folderWith({ "set/a.jpg": "", "set/deep/b.png": "", "set/c.jpg": "", "elsewhere/d.jpg": "" });
  const list = join(folder, "lists", "train.txt");
  await mkdir(join(folder, "lists"));
  await writeFile(
    list,
    `\ufeff../set/a.jpg\r\n\n  ${join(folder, "set", "deep", "b.png")}  \n../set/gone.jpg\n../set/a.jpg\n`,
  );
  const finder = await findImages(list);

  test.each([
    { name: "a.jpg", found: "a.jpg", why: "relative to the list" },
    { name: "b.png", found: "deep/b.png", why: "absolute" },
    { name: "deep/b.png", found: "deep/b.png", why: "below the folder they have in common" },
    { name: "c.jpg", found: "image-missing", why: "beside them and not listed" },
    { name: "gone.jpg", found: "image-missing", why: "listed and not there" },
    { name: "../elsewhere/d.jpg", found: "image-outside", why: "a climb in the box file" },
  ])("$why: $name", async ({ name, found }) => {
    expect(outcome(await finder.locate(name))).toBe(found);
  });

  test("counts every path once", () => {
    expect(finder.count).toBe(3);
  });

  test("says which file is not there, and that the list names it", async () => {
    const gone = await finder.locate("gone.jpg");
    const message = gone.kind === "failed" ? gone.failure.message : "";
    expect(message).toContain(`expected a file at ${join(folder, "set", "gone.jpg")}, as ${list} says`);
  });

  test("its links lead where they lead: the user named them", async () => {
    await symlink(join(folder, "elsewhere", "d.jpg"), join(folder, "set", "link.jpg"));
    await writeFile(join(folder, "links.txt"), "set/link.jpg\n");
    expect(await (await findImages(join(folder, "links.txt"))).locate("link.jpg")).toMatchObject({
      root: join(folder, "elsewhere"),
    });
  });

  test.each([
    { text: "0 0.5 0.5 0.2 0.2\n", says: "line 1: expected the path of an image", why: "boxes of YOLO" },
    { text: "a.jpg\nb.doc\n", says: "line 2: expected the path of an image", why: "a file of another kind" },
    { text: `${"x".repeat(5000)}.jpg`, says: "line 1: expected the path of an image", why: "a path of no system" },
    { text: "a\0.jpg\n", says: "line 1: expected the path of an image", why: "a NUL character" },
    { text: "\n \n", says: "expected paths of images, received none", why: "nothing" },
    { text: Buffer.from([0xff, 0xfe, 0x61]), says: "expected text in UTF-8", why: "another encoding" },
  ])("with $why is refused, with its line", async ({ text, says }) => {
    const path = join(await folderWith({ "list.txt": text }), "list.txt");
    expect((await errorOf(findImages(path))).message).toContain(says);
  });

  test("of any text throws nothing but an expected error", async () => {
    const path = join(await folderWith({}), "list.txt");
    const line = fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("a.jpg", "/", "../..//x.png", "\\\\a\\b.jpg"),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 5 }), async (lines) => {
        await writeFile(path, lines.join("\n"));
        const found = await findImages(path).catch((error: unknown) => error);
        if (found instanceof Error) expect(found).toBeInstanceOf(PolyrnnError);
      }),
      { numRuns: 60 },
    );
  });
});

test("one image is the only one that is found", async () => {
  const folder = await folderWith({ "a.jpg": "", "b.jpg": "" });
  const finder = await findImages(join(folder, "a.jpg"));
  expect(finder.count).toBe(1);
  expect(outcome(await finder.locate("train/a.jpg"))).toBe("a.jpg");
  expect(outcome(await finder.locate("b.jpg"))).toBe("image-missing");
});
