import { readdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { writePng } from "../../src/write/png.js";
import { useFolder } from "./results.js";

const folder = useFolder();

test("16 bits come back as they went in, also where rows take several pieces", async () => {
  const [width, height] = [600, 900];
  const values = Uint16Array.from({ length: width * height }, (_, i) => (i * 7919) % 65_536);
  const path = join(folder.path, "a.png");
  await writePng(path, { width, height, values });
  const { data, info } = await sharp(path)
    .toColourspace("grey16")
    .raw({ depth: "ushort" })
    .toBuffer({ resolveWithObject: true });
  expect(info).toMatchObject({ width, height, channels: 1 });
  expect(Buffer.compare(data, Buffer.from(values.buffer))).toBe(0);
});

test("a palette gives each number its color", async () => {
  const path = join(folder.path, "b", "b.png");
  const palette = ["#000000", "#56B4E9", "#E69F00"];
  await writePng(path, { width: 3, height: 1, values: Uint8Array.of(2, 0, 1), palette });
  expect(await sharp(path).metadata()).toMatchObject({ format: "png", isPalette: true });
  expect([...(await sharp(path).removeAlpha().raw().toBuffer())]).toEqual([0xe6, 0x9f, 0, 0, 0, 0, 0x56, 0xb4, 0xe9]);
});

test("a file that cannot be written leaves nothing behind", async () => {
  await expect(
    writePng(join(folder.path, "c.png"), { width: -1, height: 1, values: new Uint8Array(1) }),
  ).rejects.toThrow(RangeError);
  expect(await readdir(folder.path)).toEqual([]);
});
