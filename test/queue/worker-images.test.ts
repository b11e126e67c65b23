import { mkdirSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { WorkerImages } from "../../src/queue/worker-images.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const DECOMPOSED = "cafe\u0301";
const COMPOSED = "caf\u00e9";

function folderOf(...names: readonly string[]): string {
  const folder = join(temporaryFolder(), "images");
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), "");
  }
  return folder;
}

test.each([
  { why: "as written", name: "x/a.jpg", asked: "x/a.jpg" },
  { why: "other slashes", name: "x/a.jpg", asked: "x\\a.jpg" },
  { why: "dots and double slashes", name: "x/a.jpg", asked: "./x//a.jpg" },
  {
    why: "accents decomposed on the disk",
    name: `${DECOMPOSED}/${DECOMPOSED}.jpg`,
    asked: `${COMPOSED}/${COMPOSED}.jpg`,
  },
  { why: "accents composed on the disk", name: `x/${COMPOSED}.jpg`, asked: `x/${DECOMPOSED}.jpg` },
  { why: "another case", name: "X/A.JPG", asked: "x/a.jpg" },
  { why: "a backslash in the name itself", name: "x\\a.jpg", asked: "x\\a.jpg" },
])("a file is the image of a job under every name that means it: $why", async ({ name, asked }) => {
  const folder = folderOf(name);
  const images = new WorkerImages(folder);
  for (let time = 0; time < 2; time++)
    expect(await images.locate(asked)).toEqual({ kind: "file", path: join(folder, name) });
});

test("the same case goes before another one, and two others are no guess", async () => {
  const folder = folderOf(`x/${DECOMPOSED}.jpg`, `X/${COMPOSED}.JPG`, "y/B.jpg", "Y/b.JPG");
  const images = new WorkerImages(folder);
  expect(await images.locate(`x/${COMPOSED}.jpg`)).toEqual({ kind: "file", path: join(folder, `x/${DECOMPOSED}.jpg`) });
  expect(await images.locate("y/b.jpg")).toMatchObject({
    failure: { reason: "image-ambiguous", message: expect.stringContaining('"Y/b.JPG"') as string },
  });
});

test("a file of the same name in another folder is another image", async () => {
  const images = new WorkerImages(folderOf("z/a.jpg", "a.jpg"));
  for (const asked of ["x/a.jpg", "z/z/a.jpg"])
    expect(await images.locate(asked)).toMatchObject({ failure: { reason: "image-missing" } });
});

test("no name and no link leads out of the folder", async () => {
  const folder = folderOf("x/a.jpg", "../outside/a.jpg");
  symlinkSync(join(folder, "../outside"), join(folder, "Link"));
  symlinkSync(join(folder, "../outside/a.jpg"), join(folder, "B.jpg"));
  const images = new WorkerImages(folder);
  for (const asked of ["../outside/a.jpg", "/etc/passwd", "a\0.jpg", "Link/a.jpg", "B.jpg", "b.jpg"])
    expect(await images.locate(asked)).toMatchObject({ failure: { reason: "image-outside" } });
  expect(await images.locate("link/A.jpg")).toMatchObject({ failure: { reason: "image-missing" } });
  expect(await images.locate(`${"x".repeat(300)}.jpg`)).toMatchObject({ failure: { reason: "image-missing" } });
  expect(await new WorkerImages(join(folder, "none")).locate("a.jpg")).toMatchObject({
    failure: { reason: "image-missing" },
  });
});

test("an image that comes after the folder was listed is found", async () => {
  const folder = folderOf("a.JPG");
  const long = new Date(Date.now() - 60_000);
  utimesSync(folder, long, long); // the list of names is kept
  const images = new WorkerImages(folder);
  expect(await images.locate("b.jpg")).toMatchObject({ failure: { reason: "image-missing" } });
  writeFileSync(join(folder, "B.JPG"), "");
  expect(await images.locate("b.jpg")).toEqual({ kind: "file", path: join(folder, "B.JPG") });
});
