import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Sharp } from "sharp";
import sharp from "sharp";
import { beforeAll, describe, expect, test } from "vitest";
import { nameCategories } from "../../src/write/labels.js";
import { AUTO_LIMIT, chooseOverlays, detectFonts, drawOverlay, openOverlays } from "../../src/write/overlays.js";
import type { ImageResult, ResultItem } from "../../src/write/writer.js";
import {
  CATEGORIES,
  TRIANGLE,
  contextOf,
  done,
  failed,
  instanceOf,
  listFiles,
  rejected,
  resultOf,
  skipped,
  useFolder,
} from "./results.js";

const folder = useFolder();
const names = nameCategories(CATEGORIES);
let hasFonts = false;
beforeAll(async () => {
  hasFonts = await detectFonts();
});

describe("the choice of images", () => {
  const chosen = (mode: "auto" | "all" | "none", count: number): number[] =>
    Array.from({ length: count }, (_, index) => index).filter(chooseOverlays(mode, count));

  test.each([
    { mode: "all", count: 1000, shown: 1000, why: "all shows every image" },
    { mode: "none", count: 10, shown: 0, why: "none shows no image" },
    { mode: "auto", count: 0, shown: 0, why: "auto shows nothing when there is nothing" },
    { mode: "auto", count: 50, shown: 50, why: "auto shows every image up to 50" },
    { mode: "auto", count: 51, shown: 50, why: "auto shows 50 of 51" },
    { mode: "auto", count: 99_999, shown: 50, why: "auto shows 50 of many" },
  ] as const)("$why", ({ mode, count, shown }) => {
    expect(chosen(mode, count)).toHaveLength(shown);
  });

  test("auto's sample is even: the gaps between shown images differ by one at most", () => {
    const indices = chosen("auto", 1234);
    const gaps = indices.slice(1).map((index, i) => index - indices[i]!);
    expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    expect(indices).toHaveLength(AUTO_LIMIT);
  });
});

/** A plain photograph of a colour, and what is drawn on it. */
async function photo(
  name: string,
  width: number,
  height: number,
  change: (image: Sharp) => Sharp = (image) => image,
): Promise<string> {
  const path = join(folder.path, name);
  await change(sharp({ create: { width, height, channels: 3, background: "#804020" } })).toFile(path);
  return path;
}

const target = (): string => join(folder.path, "overlays", "a.jpg");
const draw = async (path: string, result: Partial<ImageResult> = {}): Promise<void> => {
  expect(
    await drawOverlay(target(), { ...resultOf([done(instanceOf(0))]), path, ...result }, { names, hasFonts }),
  ).toEqual({ kind: "drawn" });
};
const size = async (): Promise<[number, number]> => {
  const { width, height } = await sharp(target()).metadata();
  return [width, height];
};
async function pixelAt(x: number, y: number): Promise<number[]> {
  const { data, info } = await sharp(target()).raw().toBuffer({ resolveWithObject: true });
  expect(info.channels).toBe(3);
  return [...data.subarray((y * info.width + x) * 3, (y * info.width + x) * 3 + 3)];
}

describe("an overlay", () => {
  test.each([
    { from: [100, 80], to: [640, 512], why: "a tiny photograph is enlarged" },
    { from: [1000, 800], to: [1000, 800], why: "an ordinary one keeps its size" },
    { from: [4000, 1000], to: [1600, 400], why: "a big one is reduced" },
    { from: [1, 1], to: [640, 640], why: "a single pixel can be looked at" },
    { from: [3000, 1], to: [1600, 1], why: "a line keeps a pixel" },
  ] as const)("$why", async ({ from, to }) => {
    await draw(await photo("a.png", from[0], from[1]), { size: { width: from[0], height: from[1] } });
    expect(await size()).toEqual(to);
  });

  test("shows the photograph, the polygon's fill and its bright line in their places", async () => {
    await draw(await photo("a.png", 100, 80));
    const [red, green, blue] = await pixelAt(600, 480);
    expect([red, green, blue].map((value, i) => Math.abs(value! - [0x80, 0x40, 0x20][i]!) < 6)).toEqual([
      true,
      true,
      true,
    ]);
    const inside = await pixelAt(200, 120);
    expect(inside[2]).toBeGreaterThan(0x20 + 25);
    // Middle of the edge from (60.25, 12.5) to (30, 44.13), enlarged 6.4 times.
    const line = await pixelAt(Math.round(45.125 * 6.4), Math.round(28.315 * 6.4));
    expect(line[2]).toBeGreaterThan(150);
  });

  test.each([
    { why: "16-bit grey", name: "a.png", change: (image: Sharp): Sharp => image.toColourspace("grey16").png() },
    { why: "8-bit grey", name: "a.png", change: (image: Sharp): Sharp => image.toColourspace("b-w").png() },
    { why: "16-bit colour", name: "a.png", change: (image: Sharp): Sharp => image.toColourspace("rgb16").png() },
    { why: "CMYK", name: "a.jpg", change: (image: Sharp): Sharp => image.toColourspace("cmyk").jpeg() },
    { why: "see-through", name: "a.png", change: (image: Sharp): Sharp => image.ensureAlpha(0).png() },
  ])("works on a $why photograph: the line keeps its colour", async ({ name, change }) => {
    await draw(await photo(name, 100, 80, change));
    const [red, , blue] = await pixelAt(Math.round(45.125 * 6.4), Math.round(28.315 * 6.4));
    expect(blue! - red!).toBeGreaterThan(60);
  });

  test("turns the photograph as the boxes saw it", async () => {
    const path = await photo("a.jpg", 800, 600, (image) => image.withMetadata({ orientation: 6 }).jpeg());
    await draw(path, { size: { width: 600, height: 800 } });
    expect(await size()).toEqual([600, 800]);
    await draw(path, { size: { width: 800, height: 600 } });
    expect(await size()).toEqual([800, 600]);
    await draw(path, { size: { width: 5, height: 5 } });
    expect(await size()).toEqual([600, 800]);
  });

  test("shows failed, kept and drawn instances, and leaves out boxes that are none", async () => {
    const path = await photo("a.png", 100, 80);
    const kept = { category_id: 99, segmentation: [[50, 50, 60, 50, 60, 60]] };
    await draw(path, {
      items: [
        failed(instanceOf(0)),
        failed({ ...instanceOf(1), box: { left: Number.NaN, top: 0, width: 1, height: 1 } }),
        skipped(instanceOf(2, { truth: { kind: "polygon", polygon: [TRIANGLE] } }), "kept"),
        rejected(kept, { status: "skipped", reason: "kept" }),
        rejected({}, { status: "failed", reason: "box-invalid", message: "" }),
        skipped(instanceOf(3), "hidden"),
      ],
    });
    expect(await size()).toEqual([640, 512]);
  });

  test("of a huge name in a hostile script is still drawn", async () => {
    const path = await photo("a.png", 100, 80);
    const hostile = new Map([[3, "\u0000]]>&<svg onload='x'>\u202e".repeat(50)]]);
    expect(
      await drawOverlay(target(), { ...resultOf([done(instanceOf(0))]), path }, { names: hostile, hasFonts }),
    ).toEqual({ kind: "drawn" });
  });

  test("that cannot be written is an error that names it", async () => {
    const path = await photo("a.png", 100, 80);
    await writeFile(join(folder.path, "overlays"), "");
    await expect(draw(path)).rejects.toThrow(/overlays/u);
  });
});

describe("a photograph that cannot be shown is a reason, not a crash:", () => {
  test.each([
    { why: "a text file", content: "not an image" },
    { why: "an empty file", content: "" },
  ])("$why", async ({ content }) => {
    const path = join(folder.path, "bad.jpg");
    await writeFile(path, content);
    expect(await drawOverlay(target(), { ...resultOf([]), path }, { names, hasFonts })).toMatchObject({
      kind: "skipped",
      reason: expect.stringMatching(/bad\.jpg: expected an image, received .* It has no overlay\.$/u) as string,
    });
    expect(await listFiles(folder.path)).toEqual(["bad.jpg"]);
  });

  test("a truncated file", async () => {
    const path = join(folder.path, "cut.jpg");
    const noise = await sharp({
      create: {
        width: 300,
        height: 300,
        channels: 3,
        background: "#000",
        noise: { type: "gaussian", mean: 128, sigma: 40 },
      },
    })
      .jpeg()
      .toBuffer();
    await writeFile(path, noise.subarray(0, noise.length / 2));
    expect(await drawOverlay(target(), { ...resultOf([]), path }, { names, hasFonts })).toMatchObject({
      kind: "skipped",
    });
  });

  test("one that was not found", async () => {
    const { image, items } = resultOf([]);
    expect(await drawOverlay(target(), { image, items }, { names, hasFonts })).toEqual({
      kind: "skipped",
      reason: "street.jpg: no overlay, the image was not found",
    });
  });
});

describe("the overlays of a run", () => {
  test("are one per image that something was asked for, named by the image; problems are told, in words", async () => {
    const path = await photo("a.png", 100, 80);
    const problems: string[] = [];
    const writer = openOverlays(contextOf(folder.path), {
      mode: "auto",
      imageCount: 3,
      onProblem: (line) => problems.push(line),
    });
    await writer.image(resultOf([done(instanceOf(0))], { fileName: "x/street.jpg", path }));
    await writer.image(resultOf([skipped(instanceOf(1), "kept")], { fileName: "kept.jpg", path }));
    await writer.image(
      resultOf([rejected({}, { status: "failed", reason: "box-invalid", message: "" })], {
        fileName: "invalid.jpg",
        path,
      }),
    );
    await writer.image(resultOf([skipped(instanceOf(2), "score-below-minimum")], { fileName: "low.png", path }));
    await writer.image(
      resultOf([failed(instanceOf(3))], { fileName: "gone.jpg", path: join(folder.path, "gone.jpg") }),
    );
    expect(await writer.finish()).toEqual(["overlays/"]);
    await writer.abort();
    expect(await listFiles(join(folder.path, "overlays"))).toEqual(["low.jpg", "x/street.jpg"]);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/gone\.jpg: expected an image file, received no file\..* It has no overlay\.$/u);
  });

  test("are not missed where every annotation has failed for its image and said so", async () => {
    const path = await photo("a.png", 100, 80);
    const problems: string[] = [];
    const writer = openOverlays(contextOf(folder.path), {
      mode: "all",
      imageCount: 2,
      onProblem: (line) => problems.push(line),
    });
    const unreadable = (ordinal: number): ResultItem => {
      const item = failed(instanceOf(ordinal));
      return { ...item, outcome: { ...item.outcome, reason: "image-unreadable" } } as ResultItem;
    };
    await writer.image(
      resultOf([unreadable(0), unreadable(1)], { fileName: "gone.jpg", path: join(folder.path, "gone.jpg") }),
    );
    await writer.image(resultOf([failed(instanceOf(2)), unreadable(3)], { fileName: "mixed.jpg", path }));
    await writer.finish();
    expect(problems).toEqual([]);
    expect(await listFiles(join(folder.path, "overlays"))).toEqual(["mixed.jpg"]);
  });

  test("are none when none were asked for", async () => {
    const writer = openOverlays(contextOf(folder.path), { mode: "none", imageCount: 1, onProblem: () => undefined });
    await writer.image(resultOf([done(instanceOf(0))], { path: await photo("a.png", 100, 80) }));
    expect(await writer.finish()).toEqual([]);
    expect(await listFiles(folder.path)).toEqual(["a.png"]);
  });

  test("beyond fifty are a sample", async () => {
    const path = await photo("a.png", 8, 8);
    await mkdir(join(folder.path, "out"));
    const writer = openOverlays(contextOf(join(folder.path, "out")), {
      mode: "auto",
      imageCount: 100,
      onProblem: () => undefined,
    });
    for (let i = 0; i < 10; i++)
      await writer.image(
        resultOf([done(instanceOf(i))], { fileName: `${i}.jpg`, path, size: { width: 8, height: 8 } }),
      );
    expect(await listFiles(join(folder.path, "out/overlays"))).toEqual(["1.jpg", "3.jpg", "5.jpg", "7.jpg", "9.jpg"]);
  });
});
