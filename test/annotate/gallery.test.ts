/** gallery.html: what is on it, in which order, and that it works in a browser as one file without a script. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { MOST_TILES, openGallery } from "../../src/annotate/gallery.js";
import type { Instance } from "../../src/types.js";
import { expectToFit, HAS_CHROMIUM, placeInBrowser, SCREENS } from "../page-in-browser.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { boxesWith, IMAGES, runAnnotate } from "./runs.js";

const HOSTILE = `<script>alert(1)</script>"'&`;

const ran = boxesWith((coco) => {
  coco.categories[0]!.name = HOSTILE;
  coco.annotations.at(-1)!.bbox = [1e6, 1e6, 20, 20];
}).then(async (boxes) => {
  const { out, summary } = await runAnnotate({ boxes, overlays: "auto", minScore: 0.3, candidates: 1 });
  return { summary, page: await readFile(join(out, "gallery.html"), "utf8") };
});

test("every instance that was predicted has a tile, the lowest score first", async () => {
  const { page, summary } = await ran;
  expect(summary.written).toContain("gallery.html");
  const heads = [...page.matchAll(/<figcaption><b>([^<]*)<\/b>/g)].map(([, head]) => head!);
  const scores = heads.map(Number).filter((score) => !Number.isNaN(score));
  expect(scores).toHaveLength(summary.done);
  expect(scores).toEqual(scores.toSorted((a, b) => a - b));
  expect(heads.slice(0, heads.length - scores.length).every((head) => head === "score below minimum")).toBe(true);
  expect(heads).toHaveLength(summary.done + (summary.skippedByReason["score-below-minimum"] ?? 0));
});

test("what cannot be shown is counted, and names from files are text", async () => {
  const { page } = await ran;
  expect(page).toContain("1 instance cannot be shown");
  expect(page).not.toContain("<script");
  expect(page).toContain("&#60;script&#62;alert(1)");
});

test("no page is written where no pictures are wanted", async () => {
  const { summary } = await runAnnotate({ overlays: "none", limit: 1 });
  expect(summary.written).not.toContain("gallery.html");
});

test("of a larger run it shows an even sample and says so", async () => {
  const out = temporaryFolder();
  const total = 3 * MOST_TILES;
  const gallery = openGallery({ out, categories: [{ id: 1, name: "car", raw: {} }], header: {}, generator: "" }, total);
  const path = join(IMAGES, "park.jpg");
  for (let ordinal = 0; ordinal < total; ordinal++) {
    const box = { left: 10, top: 10, width: 20, height: 20 };
    const instance = { ordinal, annotationId: ordinal, categoryId: 1, box } as Instance;
    const outcome = {
      ordinal,
      annotationId: ordinal,
      imageId: 1,
      status: "done",
      ring: [
        { x: 10, y: 10 },
        { x: 30, y: 10 },
        { x: 30, y: 30 },
      ],
      score: ordinal / total,
      ended: true,
      clipped: false,
      imageWidth: 640,
      imageHeight: 480,
    } as const;
    // One photograph for all would be decoded 500 times: most of the images have nothing that is chosen.
    await gallery.image({
      image: { id: 1, fileName: "park.jpg", raw: {} },
      ...(ordinal < 30 && { path }),
      items: [{ kind: "outcome", instance, outcome }],
    });
  }
  expect(await gallery.finish()).toEqual(["gallery.html"]);
  const page = await readFile(join(out, "gallery.html"), "utf8");
  expect(page).toContain("an even sample of 1500 instances");
  expect(page).toContain("490 instances cannot be shown");
});

test.skipIf(!HAS_CHROMIUM)("fits a phone, and a check box hides its tiles", async () => {
  const { page, summary } = await ran;
  const placed = await placeInBrowser(page);
  try {
    for (const screen of SCREENS) await expectToFit(placed, screen, "Gallery", ".scroll");
    const tab = await placed.browser.newPage();
    await tab.goto(placed.address);
    const visible = (): Promise<number> => tab.locator(".tile:visible").count();
    const before = await visible();
    const first = tab.locator("label", { has: tab.locator("#c0") });
    const size = Number(await first.locator("span").innerText());
    await first.click();
    expect(await visible()).toBe(before - size);
    await first.click();
    expect(await visible()).toBe(before);
    expect(before).toBe(summary.done + (summary.skippedByReason["score-below-minimum"] ?? 0));
  } finally {
    await placed.close();
  }
});
