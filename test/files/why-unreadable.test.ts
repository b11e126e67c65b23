import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { whyBytesUnreadable, whyUnreadable } from "../../src/files/why-unreadable.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const picture = sharp(Buffer.alloc(64 * 48 * 3, 90), { raw: { width: 64, height: 48, channels: 3 } });
const encoded = {
  "a JPEG image": await picture.clone().jpeg().toBuffer(),
  "a PNG image": await picture.clone().png().toBuffer(),
  "a GIF image": await picture.clone().gif().toBuffer(),
  "a WebP image": await picture.clone().webp({ lossless: true }).toBuffer(),
};

test.each(Object.entries(encoded))("%s that ends early is told from one with damage inside", async (what, whole) => {
  const half = whole.subarray(0, Math.floor(whole.length / 2));
  const [reason, message] = whyBytesUnreadable("a.bin", half, "pixels");
  expect(reason).toBe("image-unreadable");
  expect(message).toContain(`received a damaged one: ${what} of ${half.length} bytes that is cut off`);
  expect(whyBytesUnreadable("a.bin", whole, "pixels")[1]).toContain(
    `${what} of ${whole.length} bytes whose pixels cannot all be decoded`,
  );
  expect(whyBytesUnreadable("a.bin", whole, "header")[1]).toContain("whose header cannot be read");
  const path = join(temporaryFolder(), "a.bin");
  await writeFile(path, half);
  expect(await whyUnreadable(path, "pixels")).toEqual([reason, message.replace("a.bin", path)]);
});

test("a format without a known end has pixels that cannot be decoded", async () => {
  const tiff = await picture.clone().tiff().toBuffer();
  expect(whyBytesUnreadable("a.tif", tiff.subarray(0, 200), "pixels")[1]).toContain(
    "a TIFF image of 200 bytes whose pixels cannot all be decoded",
  );
});
