/** Finding images by the names box files give: at any depth, never outside the folder, never by guessing. */
import { chmod, mkdir, symlink, writeFile } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { findImages } from "../../src/dataset/find-images.js";
import type { Located } from "../../src/dataset/find-images.js";
import { numberOfStem, readingsOf, reasonOutside, withoutExtension } from "../../src/dataset/image-names.js";
import { errorOf, folderWith } from "./temporary-folder.js";

const isRoot = process.getuid?.() === 0;
if (isRoot) console.log("Skipped: folders that may not be read (the administrator may read everything)");
const outcome = (located: Located): string => (located.kind === "file" ? located.name : located.failure.reason);

describe("names that stay inside the folder", async () => {
  const folder = await folderWith({
    "a.jpg": "",
    "deep/er/b.PNG": "",
    "cam1/001.jpg": "",
    "cam2/001.jpg": "",
    "set/cam3/002.jpg": "",
    "set/cam4/002.jpg": "",
    "cam5/same.jpg": "",
    "other/cam5/same.jpg": "",
    "weird [1]*{x}?.jpg": "",
    "back\\slash.jpg": "",
    "notes.txt": "not an image",
    "frame.dat": "",
    "folder.jpg/c.jpg": "",
    "..jpg": "",
    "a..b.jpg": "",
    "cafe\u0301.jpg": "",
    "x.tiff": "",
    ".hidden/h.jpg": "",
  });
  const finder = await findImages(folder);

  test.each([
    { name: "a.jpg", found: "a.jpg", why: "the exact path" },
    { name: "./a.jpg", found: "a.jpg", why: "a path that begins with a dot" },
    { name: "deep//er/./b.PNG", found: "deep/er/b.PNG", why: "an untidy path" },
    { name: "b.PNG", found: "deep/er/b.PNG", why: "the file name alone, at any depth" },
    { name: "val2017/a.jpg", found: "a.jpg", why: "a folder that is not there, with the only such file" },
    { name: "cam1/001.jpg", found: "cam1/001.jpg", why: "the exact path among several of one name" },
    { name: "cam4/002.jpg", found: "set/cam4/002.jpg", why: "the end of one path among several of one name" },
    { name: "001.jpg", found: "image-ambiguous", why: "a file name that stands in two folders" },
    { name: "cam9/001.jpg", found: "image-ambiguous", why: "a folder that is not there, with two such files" },
    { name: "cam5/same.jpg", found: "cam5/same.jpg", why: "the exact path before another that ends in it" },
    { name: "x/cam5/same.jpg", found: "image-ambiguous", why: "two files with the same last part only" },
    { name: "weird [1]*{x}?.jpg", found: "weird [1]*{x}?.jpg", why: "characters that mean something in patterns" },
    { name: "*.jpg", found: "image-missing", why: "a pattern, which is only a name" },
    { name: "**/a.jpg", found: "a.jpg", why: "a folder that looks like a pattern" },
    { name: "back\\slash.jpg", found: "back\\slash.jpg", why: "a backslash that belongs to the name" },
    { name: "deep\\er\\b.PNG", found: "deep/er/b.PNG", why: "a path from Windows" },
    { name: "elsewhere\\a.jpg", found: "a.jpg", why: "a path from Windows whose folder is not there" },
    { name: "notes.txt", found: "notes.txt", why: "a file named exactly, whatever its ending: reading it will tell" },
    { name: "frame.dat", found: "frame.dat", why: "an unusual ending" },
    { name: "sub/frame.dat", found: "image-missing", why: "an unusual ending is not searched for" },
    { name: "folder.jpg", found: "image-missing", why: "a folder" },
    { name: "a.jpg/x", found: "image-missing", why: "a path through a file" },
    { name: "c.jpg", found: "folder.jpg/c.jpg", why: "a file in a folder that is named like an image" },
    { name: "", found: "image-missing", why: "an empty name" },
    { name: ".", found: "image-missing", why: "the folder itself" },
    { name: `${"x".repeat(5000)}.jpg`, found: "image-missing", why: "a name no file system takes" },
    { name: "..jpg", found: "..jpg", why: "a name that begins with two dots and is no climb" },
    { name: "a..b.jpg", found: "a..b.jpg", why: "two dots inside a name" },
    { name: "caf\u00e9.jpg", found: "cafe\u0301.jpg", why: "an accent as one character for two" },
    { name: "A.jpg", found: "a.jpg", why: "the only file that differs in case alone" },
    { name: "DEEP\\er\\B.png", found: "deep/er/b.PNG", why: "folders and ending in another case" },
    { name: "train/cam1/001.jpg", found: "cam1/001.jpg", why: "a leading folder too many: the longest end that fits" },
    { name: "train/CAM1/001.JPG", found: "cam1/001.jpg", why: "the longest end that fits, in another case" },
    { name: ".hidden/h.jpg", found: ".hidden/h.jpg", why: "a hidden folder that is named" },
    { name: "h.jpg", found: "image-missing", why: "hidden folders are not searched" },
  ])("$why: $name", async ({ name, found }) => {
    expect(outcome(await finder.locate(name))).toBe(found);
  });

  test("failures say what was looked for, where, and what is there", async () => {
    expect(await finder.locate("nowhere.jpg")).toEqual({
      kind: "failed",
      failure: {
        reason: "image-missing",
        message: `expected an image file "nowhere.jpg" in ${folder}, received none among its 14 images. Add the image or correct the name.`,
      },
    });
    expect(await finder.locate("001.jpg")).toEqual({
      kind: "failed",
      failure: {
        reason: "image-ambiguous",
        message: `image "001.jpg": expected one such file in ${folder}, received "cam1/001.jpg", "cam2/001.jpg". Name the image with its folder.`,
      },
    });
  });

  test("every file is found under its own relative path, wherever it lies", async () => {
    const segment = fc.stringMatching(/^[a-z0-9 ._-]{1,8}$/).filter((name) => !/^\.+$/.test(name));
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.array(segment, { minLength: 1, maxLength: 3 }), {
          minLength: 1,
          maxLength: 5,
          selector: (parts) => parts[0],
        }),
        async (paths) => {
          const names = paths.map((parts) => `${parts.join("/")}/image.jpg`);
          const made = await findImages(
            await folderWith({ "one.jpg": "", ...Object.fromEntries(names.map((name) => [name, ""])) }),
          );
          for (const name of names) expect(outcome(await made.locate(name))).toBe(name);
        },
      ),
      { numRuns: 15 },
    );
  });
});

describe("names that lead out of the folder are never opened", async () => {
  const outside = await folderWith({ "secret.jpg": "", "images/a.jpg": "" });
  const folder = join(outside, "images");
  await symlink(join(outside, "secret.jpg"), join(folder, "link.jpg"));
  await symlink(outside, join(folder, "out"));
  await symlink("a.jpg", join(folder, "inner.jpg"));
  await mkdir(join(folder, "real"));
  await writeFile(join(folder, "real", "deep.jpg"), "");
  await symlink("real", join(folder, "alias"));
  await symlink("loop.jpg", join(folder, "loop.jpg"));
  await symlink("gone.jpg", join(folder, "dangling.jpg"));
  await symlink(".", join(folder, "self"));
  const finder = await findImages(folder);

  test.each([
    { name: "../secret.jpg", why: "a climb" },
    { name: "a/../../secret.jpg", why: "a climb in the middle" },
    { name: "a/../a.jpg", why: "a climb that would come back" },
    { name: "..\\secret.jpg", why: "a climb with backslashes" },
    { name: "..", why: "the parent itself" },
    { name: "/etc/passwd", why: "an absolute path" },
    { name: "\\\\server\\share\\a.jpg", why: "a network path" },
    { name: "C:\\images\\a.jpg", why: "a drive" },
    { name: "c:a.jpg", why: "a drive without slash" },
    { name: "http://example.org/a.jpg", why: "an address" },
    { name: "file:///etc/passwd", why: "a file address" },
    { name: "a.jpg\0.png", why: "a NUL character" },
    { name: "link.jpg", why: "a link to a file outside" },
    { name: "x/link.jpg", why: "a link to a file outside, found by its name" },
    { name: "out/secret.jpg", why: "a linked folder outside" },
  ])("$why: $name", async ({ name }) => {
    const located = await finder.locate(name);
    expect(located).toMatchObject({ kind: "failed", failure: { reason: "image-outside" } });
    expect(located.kind === "failed" && located.failure.message).toContain("It was not opened; correct the name.");
    expect(outcome(await finder.locateStem(name))).not.toContain("secret");
  });

  test("links that stay inside the folder are followed", async () => {
    expect(outcome(await finder.locate("inner.jpg"))).toBe("inner.jpg");
    expect(outcome(await finder.locate("alias/deep.jpg"))).toBe("alias/deep.jpg");
    expect(outcome(await finder.locate("self/self/a.jpg"))).toBe("self/self/a.jpg");
  });

  test("links that lead nowhere are missing or unreadable", async () => {
    expect(outcome(await finder.locate("dangling.jpg"))).toBe("image-missing");
    expect(outcome(await finder.locate("loop.jpg"))).toBe("image-unreadable");
  });

  test("a linked image folder is as good as the folder", async () => {
    await symlink(folder, join(outside, "linked"));
    const linked = await findImages(join(outside, "linked"));
    expect(outcome(await linked.locate("a.jpg"))).toBe("a.jpg");
    expect(outcome(await linked.locate("link.jpg"))).toBe("image-outside");
  });

  test("a named pipe in the folder is not waited for", async () => {
    const pipes = await folderWith({ "a.jpg": "" });
    execFileSync("mkfifo", [join(pipes, "pipe.jpg")]);
    expect(outcome(await (await findImages(pipes)).locate("pipe.jpg"))).toBe("image-missing");
  });
});

describe("images named by stem or number", async () => {
  const finder = await findImages(
    await folderWith({
      "val/000000000139.jpg": "",
      "val/7.png": "",
      "x/0012.jpg": "",
      "y/12.jpg": "",
      "COCO_val2014_000000000042.jpg": "",
      "scene_3.jpg": "",
      "99999999999999999999.jpg": "",
      "val/ulm/ulm_1.png": "",
      "train/ulm/ulm_1.png": "",
      "both.jpg": "",
      "both.png": "",
      "mp4.1.jpg": "",
    }),
  );

  test.each([
    { id: 139, found: "val/000000000139.jpg", why: "leading zeros do not count" },
    { id: 7, found: "val/7.png", why: "nor does the ending" },
    { id: 42, found: "COCO_val2014_000000000042.jpg", why: "COCO's names of 2014" },
    { id: 12, found: "image-ambiguous", why: "two files with this number" },
    { id: 3, found: "image-missing", why: "a number at the end of any other name is not an id" },
    { id: 1e20, found: "image-missing", why: "a number beyond exact integers" },
    { id: -7, found: "image-missing", why: "a negative number" },
  ])("$why: image id $id", async ({ id, found }) => {
    expect(outcome(await finder.locateNumber(id))).toBe(found);
  });

  test.each([
    { stem: "7", found: "val/7.png", why: "a file name without extension" },
    { stem: "val/ulm/ulm_1", found: "val/ulm/ulm_1.png", why: "with its folders" },
    { stem: "ulm_1", found: "image-ambiguous", why: "in two folders" },
    { stem: "both", found: "image-ambiguous", why: "with two endings" },
    { stem: "mp4.1", found: "mp4.1.jpg", why: "only the last ending is one" },
    { stem: "nothing", found: "image-missing", why: "no such file" },
    { stem: "", found: "image-missing", why: "an empty stem" },
    { stem: "../7", found: "image-outside", why: "a climb" },
  ])("$why: $stem", async ({ stem, found }) => {
    expect(outcome(await finder.locateStem(stem))).toBe(found);
  });
});

describe("an image folder that cannot serve", () => {
  test("that does not exist", async () => {
    expect(await errorOf(findImages("/nowhere/at/all"))).toMatchObject({ exitCode: 66, code: "E_MISSING" });
  });
  test("that is a file of no kind that names images", async () => {
    const error = await errorOf(findImages(join(await folderWith({ "a.doc": "" }), "a.doc")));
    expect(error).toMatchObject({ exitCode: 66 });
    expect(error.message).toContain("expected a folder with images, a zip file (.zip), a text file of paths (.txt)");
  });
  test("that holds no image", async () => {
    const error = await errorOf(findImages(await folderWith({ "a.txt": "" })));
    expect(error).toMatchObject({ exitCode: 66 });
    expect(error.message).toContain("at any depth, received none");
  });
  test("that holds images of formats that are not read", async () => {
    const error = await errorOf(findImages(await folderWith({ "a.BMP": "", "b/c.bmp": "", "d.heic": "" })));
    expect(error).toMatchObject({ exitCode: 66, hint: "Convert them to PNG or JPEG." });
    expect(error.message).toContain("received 2 *.bmp, 1 *.heic, which are not read here");
  });
  test.skipIf(isRoot)("that has a part which may not be read", async () => {
    const folder = await folderWith({ "a.jpg": "", "locked/b.jpg": "" });
    await chmod(join(folder, "locked"), 0);
    const error = await errorOf(findImages(folder)).finally(() => chmod(join(folder, "locked"), 0o700));
    expect(error).toMatchObject({ exitCode: 66 });
  });
});

describe("names", () => {
  test("a name that is not refused has readings without climbs, roots or empty parts", () => {
    const part = fc.oneof(fc.string(), fc.constantFrom("..", ".", "", "C:", "a"));
    fc.assert(
      fc.property(fc.array(part), fc.constantFrom("/", "\\"), (parts, slash) => {
        const name = parts.join(slash);
        if (reasonOutside(name) !== undefined) return;
        for (const reading of readingsOf(name)) {
          expect(reading.startsWith("/")).toBe(false);
          for (const piece of reading.split("/")) expect(["", ".", ".."]).not.toContain(piece);
        }
      }),
    );
  });
  test("only the last ending of a file name is cut off, and never a leading dot", () => {
    expect(["a.jpg", "a.b.jpg", ".jpg", "x/.jpg", "x.y/z", "x.y/z.jpg"].map(withoutExtension)).toEqual([
      "a",
      "a.b",
      ".jpg",
      "x/.jpg",
      "x.y/z",
      "x.y/z",
    ]);
  });
  test("a stem is a number only when all of it is", () => {
    expect(["0", "007", "1.5", "-1", "1e3", "a7", "7a", "COCO_test2015_000000000001"].map(numberOfStem)).toEqual([
      0,
      7,
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
      1,
    ]);
  });
});
