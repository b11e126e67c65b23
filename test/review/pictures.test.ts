/** Photographs that change or were turned, and what the network makes of them in a review. */
import { readFile, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";
import { expect, test } from "vitest";
import { Pictures } from "../../src/review/pictures.js";
import type { JsonObject } from "../../src/types.js";
import { HOSTILE, runAnnotate } from "../annotate/runs.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { openSession } from "./reviews.js";
import type { ReviewSession } from "../../src/review/session.js";

/** A run over an upright photograph and the same one as a camera that was held upright stores it. */
async function openTurned(): Promise<{ session: ReviewSession; ordinals: readonly number[] }> {
  const folder = join(temporaryFolder(), "out");
  const boxes = join(temporaryFolder(), "turned.json");
  const all = JSON.parse(await readFile(join(HOSTILE, "boxes.json"), "utf8")) as Record<
    "images" | "annotations",
    JsonObject[]
  >;
  const names = ["upright.jpg", "rotated-6.jpg"];
  const images = all.images.filter((image) => names.includes(image["file_name"] as string));
  const annotations = all.annotations.filter((annotation) => images.some(({ id }) => id === annotation["image_id"]));
  await writeFile(boxes, JSON.stringify({ ...all, images, annotations }));
  await runAnnotate({ out: folder, images: HOSTILE, boxes, candidates: 1 });
  const session = await openSession(folder, { order: "input" });
  return { session, ordinals: session.queuePage(-1, 2).rows.map(({ ordinal }) => ordinal) };
}

test("a photograph that a camera turned is shown upright, and its polygon and box lie in that frame", async () => {
  const { session, ordinals } = await openTurned();
  const [upright, turned] = await Promise.all(ordinals.map((ordinal) => session.instance(ordinal)));
  expect([turned!.imageWidth, turned!.imageHeight]).toEqual([240, 180]);
  expect([turned!.box, turned!.view]).toEqual([upright!.box, upright!.view]);
  const [straight, camera] = await Promise.all(
    ordinals.map(async (ordinal) =>
      sharp(await session.picture(ordinal, { margin: 0.5, side: 1600 }))
        .raw()
        .toBuffer(),
    ),
  );
  const off = straight!.reduce((sum, value, at) => sum + Math.abs(value - camera![at]!), 0) / straight!.length;
  expect(off).toBeLessThan(4);
});

test("a photograph that is replaced by one of the same size is read anew, and the page says so", async () => {
  const { session, ordinals } = await openTurned();
  const ordinal = ordinals[0]!;
  const image = session.run.images[session.run.imageOf[ordinal]!]!;
  const path = join(temporaryFolder(), "copy.png");
  const { imageWidth: width, imageHeight: height } = await session.instance(ordinal);
  const paint = (background: string, at: string): Promise<void> =>
    sharp({ create: { width, height, channels: 3, background } })
      .png()
      .toFile(path)
      .then(() => utimes(path, new Date(at), new Date(at)));
  await paint("red", "2020-01-01");
  Object.assign(image, { location: { kind: "file", path } });
  const format = { margin: 0, side: 100 };
  const colorOf = async (): Promise<number[]> =>
    (await sharp(await session.picture(ordinal, format)).stats()).channels.map(({ mean }) => Math.round(mean / 255));
  expect([await colorOf(), (await session.instance(ordinal)).notice]).toEqual([[1, 0, 0], undefined]);
  const asked = { revision: 0, ring: [], pins: [], moved: 0, give: "all" } as const;
  const before = await session.redraw(ordinal, { ...asked, request: 1 });
  await paint("blue", "2020-01-02");
  expect(await colorOf()).toEqual([0, 0, 1]);
  expect((await session.instance(ordinal)).notice).toContain("copy.png changed since this review began");
  expect((await session.redraw(ordinal, { ...asked, request: 2 })).ring).not.toEqual(before.ring);
  await utimes(path, new Date(), new Date());
  const fresh = new Pictures(new Date("2020-01-03"));
  expect(await fresh.open(image)).toMatchObject({ notice: expect.stringContaining("after the run began") as string });
});
