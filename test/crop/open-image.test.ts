import { execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { beforeAll, expect, test } from "vitest";
import { decodeImage, openImage } from "../../src/crop/open-image.js";
import type { FailReason } from "../../src/types.js";
import { decode, hostile, psnr } from "./images.js";
import { zipFile } from "../helpers/zip-file.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder = "";
beforeAll(async () => {
  folder = temporaryFolder();
  await mkdir(join(folder, "folder.jpg"));
  await symlink(join(folder, "gone.jpg"), join(folder, "link.jpg"));
  await writeFile(
    join(folder, "noise.jpg"),
    Uint8Array.from({ length: 500 }, (_, i) => (i * 89) % 256),
  );
  await writeFile(join(folder, "drawing.jpg"), '<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>');
});

const SIZE = { width: 240, height: 180 };

test.each([
  { name: "rotated-3.jpg", why: "turned by half" },
  { name: "rotated-6.jpg", why: "turned by a quarter" },
  { name: "rotated-8.jpg", why: "turned by a quarter the other way" },
])("$name ($why) is decoded as displayed: its pixels are those of the upright picture", async ({ name }) => {
  const upright = await decode(hostile("upright.jpg"));
  for (const size of [SIZE, {}]) {
    const turned = await decode(hostile(name), size);
    expect(turned).toMatchObject(SIZE);
    // Each is compressed in its own orientation, hence not equal. A wrong orientation gives 9 to 12 dB.
    expect(psnr(turned.pixels, upright.pixels)).toBeGreaterThan(34);
  }
});

test("where the annotation file gives the size of the unrotated image, nothing is rotated", async () => {
  const stored = await decode(hostile("rotated-6-as-stored.jpg"), { width: 180, height: 240 });
  expect(stored).toMatchObject({ width: 180, height: 240 });
  const upright = await sharp((await decode(hostile("upright.jpg"))).pixels, { raw: { ...SIZE, channels: 3 } })
    .rotate(270)
    .raw()
    .toBuffer();
  expect(psnr(stored.pixels, upright)).toBeGreaterThan(34);
});

test("an image in a zip file is decoded as it is on disk, its header first", async () => {
  const bytes = await readFile(hostile("rotated-6.jpg"));
  const zip = join(folder, "photos.zip");
  await writeFile(zip, zipFile([{ name: "a/b.jpg", bytes }]));
  const packed = await decode(join(zip, "a", "b.jpg"), SIZE);
  expect(Buffer.compare(packed.pixels, (await decode(hostile("rotated-6.jpg"), SIZE)).pixels)).toBe(0);
});

test.each([
  {
    name: "bomb.jpg",
    member: { bytes: Buffer.alloc(1_000_000), claimedSize: 100 },
    says: "expected an image that can be unpacked, received a file that unpacks to more than the 100 bytes that the zip file says",
  },
  {
    name: "list.jpg",
    member: { bytes: Buffer.from("image,xmin,ymin,xmax,ymax,label\na.jpg,1,2,3,4,x\n") },
    says: "received a CSV file",
  },
  { name: "noise.jpg", member: { bytes: Buffer.from([1, 2, 3, 250]) }, says: "received 4 bytes that no image format" },
  { name: "missing.jpg", member: { bytes: Buffer.alloc(0) }, path: "other.jpg", says: 'received no file "other.jpg"' },
])("in a zip file, $name fails with what was found in its place", async ({ name, member, path, says }) => {
  const zip = join(folder, `${name}.zip`);
  await writeFile(zip, zipFile([{ name, ...member }]));
  const opened = await openImage(join(zip, path ?? name), {}, await realpath(zip));
  expect(opened).toMatchObject({ kind: "failed", failure: { reason: "image-unreadable" } });
  expect(opened.kind === "failed" ? opened.failure.message : "").toContain(says);
});

test("a size that matches neither orientation is refused with both sizes", async () => {
  const opened = await openImage(hostile("rotated-6.jpg"), { width: 999, height: 777 });
  expect(opened).toMatchObject({ kind: "failed", failure: { reason: "image-size" } });
  const message = opened.kind === "failed" ? opened.failure.message : "";
  expect(message).toContain("expected 999 x 777 pixels");
  expect(message).toContain("received 240 x 180 (180 x 240 before EXIF orientation)");
});

test.each([
  { name: "grey.jpg", least: 14, why: "grey becomes three equal channels" },
  { name: "grey-16-bit.png", least: 14, why: "16 bits are scaled to 8" },
  { name: "cmyk.jpg", least: 24, why: "inks become light" },
  { name: "animated.gif", least: 24, why: "the first frame is taken, not the inverted second" },
])("$name becomes 8-bit RGB: $why", async ({ name, least }) => {
  const upright = await decode(hostile("upright.jpg"));
  const image = await decode(hostile(name));
  expect(image).toMatchObject(SIZE);
  expect(image.pixels).toHaveLength(240 * 180 * 3);
  expect(psnr(image.pixels, upright.pixels)).toBeGreaterThan(least);
});

test("grey of 8 and of 16 bits is the same picture, its channels equal", async () => {
  const [eight, sixteen] = [await decode(hostile("grey.jpg")), await decode(hostile("grey-16-bit.png"))];
  expect(psnr(eight.pixels, sixteen.pixels)).toBeGreaterThan(34);
  for (let i = 0; i < sixteen.pixels.length; i += 3) {
    expect(sixteen.pixels[i] === sixteen.pixels[i + 1] && sixteen.pixels[i] === sixteen.pixels[i + 2]).toBe(true);
  }
});

test("what is transparent becomes black, what is opaque keeps its color", async () => {
  const { pixels } = await decode(hostile("palette-alpha.png"));
  expect([...pixels.subarray(0, 3)]).toEqual([0, 0, 0]);
  const { pixels: upright } = await decode(hostile("upright.jpg"));
  const middle = (90 * 240 + 60) * 3,
    count = 120 * 3;
  expect(psnr(pixels.subarray(middle, middle + count), upright.subarray(middle, middle + count))).toBeGreaterThan(22);
});

test("an image of one pixel is an image", async () => {
  expect((await decode(hostile("one-pixel.png"), { width: 1, height: 1 })).pixels).toHaveLength(3);
});

interface Refused {
  readonly path: () => string;
  readonly reason: FailReason;
  readonly says: RegExp;
  readonly why: string;
}

test.each<Refused>([
  {
    path: () => hostile("empty.jpg"),
    reason: "image-unreadable",
    says: /empty file \(0 bytes\)/,
    why: "an empty file",
  },
  {
    path: () => hostile("text.jpg"),
    reason: "image-unreadable",
    says: /a text file that begins with "404: Not Found/,
    why: "a text file",
  },
  {
    path: () => join(folder, "noise.jpg"),
    reason: "image-unreadable",
    says: /500 bytes that no image format begins with/,
    why: "bytes of no format",
  },
  { path: () => join(folder, "drawing.jpg"), reason: "image-unreadable", says: /SVG drawing/, why: "a drawing" },
  { path: () => join(folder, "folder.jpg"), reason: "image-unreadable", says: /received a folder/, why: "a folder" },
  { path: () => join(folder, "gone.jpg"), reason: "image-missing", says: /received no file/, why: "a missing file" },
  {
    path: () => join(folder, "gone.jpg", "deeper.jpg"),
    reason: "image-missing",
    says: /received no file/,
    why: "a file in a missing folder",
  },
  {
    path: () => join(folder, "link.jpg"),
    reason: "image-missing",
    says: /symbolic link to nothing/,
    why: "a dangling link",
  },
  {
    path: () => hostile("too-large.png"),
    reason: "image-too-large",
    says: /at most 268402689 pixels, received 16500 x 16500 = 272250000/,
    why: "over the pixel limit",
  },
])("$why is refused as $reason, and the message names the file and what was found", async ({ path, reason, says }) => {
  const opened = await openImage(path(), {});
  expect(opened).toMatchObject({ kind: "failed", failure: { reason } });
  const message = opened.kind === "failed" ? opened.failure.message : "";
  expect(message.startsWith(`${path()}: expected`)).toBe(true);
  expect(message).toMatch(says);
});

test("a truncated image opens by its header and is refused when decoded", async () => {
  const opened = await openImage(hostile("truncated.jpg"), SIZE);
  expect(opened.kind).toBe("opened");
  if (opened.kind === "failed") return;
  const decoded = await decodeImage(opened.image);
  expect(decoded).toMatchObject({ kind: "failed", failure: { reason: "image-unreadable" } });
  expect(decoded.kind === "failed" ? decoded.failure.message : "").toMatch(
    /received a damaged one: a JPEG image of \d+ bytes that is cut off: the mark of its end is missing/,
  );
});

test("a file that shrinks between its header and its pixels is refused, not decoded into the wrong frame", async () => {
  const path = join(folder, "changing.png");
  await sharp(hostile("upright.jpg")).png().toFile(path);
  const opened = await openImage(path, SIZE);
  await sharp(hostile("upright.jpg")).resize(100, 75).png().toFile(path);
  expect(opened.kind).toBe("opened");
  if (opened.kind === "failed") return;
  expect(await decodeImage(opened.image)).toMatchObject({ kind: "failed", failure: { reason: "image-unreadable" } });
});

test.skipIf(process.platform === "win32")(
  "a pipe that takes an image's place, before or after its header was read, is refused at once instead of waited for",
  async () => {
    const path = join(folder, "pipe.jpg");
    await copyFile(hostile("upright.jpg"), path);
    const opened = await openImage(path, SIZE);
    await rm(path);
    execFileSync("mkfifo", [path]);
    expect(opened.kind).toBe("opened");
    if (opened.kind === "failed") return;
    expect(await decodeImage(opened.image)).toMatchObject({
      kind: "failed",
      failure: { reason: "image-unreadable", message: expect.stringContaining("device or pipe") as string },
    });
    expect(await openImage(path, SIZE)).toMatchObject({
      kind: "failed",
      failure: { reason: "image-unreadable", message: expect.stringContaining("device or pipe") as string },
    });
  },
);

test("a file that became a link out of the image folder since it was found is not opened", async () => {
  const inside = join(folder, "inside"),
    swapped = join(inside, "swapped.png");
  await mkdir(inside);
  await copyFile(hostile("one-pixel.png"), join(folder, "outside.png"));
  await copyFile(hostile("one-pixel.png"), swapped);
  expect(await openImage(swapped, {}, await realpath(inside))).toMatchObject({ kind: "opened" });
  await rm(swapped);
  await symlink(join(folder, "outside.png"), swapped);
  expect(await openImage(swapped, {}, await realpath(inside))).toMatchObject({
    kind: "failed",
    failure: { reason: "image-outside" },
  });
});
