/** A bare container: this file has a process of its own, in which there are no fonts. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { contextOf, done, instanceOf, resultOf, useFolder } from "./results.js";

const folder = useFolder();

test("without fonts the labels are there all the same", async () => {
  const empty = join(folder.path, "fonts.conf");
  await writeFile(empty, '<?xml version="1.0"?><fontconfig></fontconfig>');
  // Before the image library is loaded: it looks for fonts once.
  process.env["FONTCONFIG_FILE"] = empty;
  const { default: sharp } = await import("sharp");
  const { detectFonts, openOverlays } = await import("../../src/write/overlays.js");
  expect(await detectFonts()).toBe(false);

  const path = join(folder.path, "street.png");
  await sharp({ create: { width: 640, height: 480, channels: 3, background: "#808080" } }).toFile(path);
  const writer = openOverlays(contextOf(folder.path), {
    mode: "all",
    imageCount: 1,
    onProblem: (line) => {
      throw new Error(line);
    },
  });
  await writer.image(
    resultOf([done({ ...instanceOf(0), box: { left: 100, top: 200, width: 300, height: 200 } })], {
      path,
      size: { width: 640, height: 480 },
    }),
  );
  // White letters on the dark plate above the box: an empty plate has no white in it.
  const plate = { left: 104, top: 185, width: 60, height: 14 };
  const pixels = await sharp(join(folder.path, "overlays/street.jpg")).extract(plate).greyscale().raw().toBuffer();
  const white = pixels.filter((value) => value > 200).length / pixels.length;
  expect(white).toBeGreaterThan(0.15);
  expect(white).toBeLessThan(0.7);
});
