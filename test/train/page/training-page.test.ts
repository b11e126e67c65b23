/**
 * training.html in a real browser, on a phone and on a desk, light and dark. Skipped where no Chromium is installed.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderTrainingHtml } from "../../../src/train/page/render-training.js";
import type { PageInBrowser } from "../../page-in-browser.js";
import {
  AUTOMATIC_COLOR,
  HAS_CHROMIUM,
  SCREENS,
  circle,
  expectToFit,
  placeInBrowser,
  strokeSeen,
} from "../../page-in-browser.js";
import { HOSTILE_NAMES, sampleFacts, sampleHistory } from "./sample-history.js";

const VALIDATIONS = 6;

test("a run that has not validated yet has a page of dashes, never a 0 or NaN", async () => {
  const { folder, crops } = sampleHistory(1);
  const page = await renderTrainingHtml({ folder, crops, lines: [] }, sampleFacts());
  expect(page).toContain("There was no validation yet");
  expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
});

test("the page says which step is the best and what its IoU is", async () => {
  const history = sampleHistory(VALIDATIONS);
  const best = history.lines.findLast((line) => line.type === "validation" && line.isBest);
  if (best?.type !== "validation") throw new Error("the sample has no best validation");
  const page = await renderTrainingHtml(history, sampleFacts());
  expect(best.step).toBe(2000);
  expect(page).toContain(`of step 2,000: mean IoU <b>${best.all.iou.toFixed(3)}</b>`);
});

test("the page of a long run does not grow with every step: curves are thinned and old strips sampled", async () => {
  const page = await renderTrainingHtml(sampleHistory(100), sampleFacts());
  expect(page.match(/at step/g)!.length).toBeLessThanOrEqual(60 * 8);
  expect(page).toContain("at step 500"); // The first validation.
  expect(page).toContain("at step 40000"); // The best one.
  expect(page.length).toBeLessThan(2_000_000);
});

test("sources called __proto__ and constructor change nothing outside the page", async () => {
  await renderTrainingHtml(sampleHistory(VALIDATIONS), sampleFacts());
  const inherited: string[] = [];
  for (const key in {}) inherited.push(key);
  expect(inherited).toEqual([]);
  expect(Object.keys(Object)).toEqual([]);
});

describe.skipIf(!HAS_CHROMIUM)("the training page", () => {
  let placed: PageInBrowser;

  beforeAll(async () => {
    placed = await placeInBrowser(await renderTrainingHtml(sampleHistory(VALIDATIONS), sampleFacts()));
  });
  afterAll(() => placed.close());

  test.each(SCREENS)(
    "at $width px, $colorScheme: opens without script or network, and nothing is wider than the page",
    async (screen) => {
      await expectToFit(placed, screen, "polyrnn training", ".scroll, .strip svg");
    },
  );

  test("an outline of 200 vertices is seen all around, in the newest strip and in an earlier one", async () => {
    const points = circle(112, 70);
    const { folder, crops, lines } = sampleHistory(4);
    const page = await placeInBrowser(
      await renderTrainingHtml(
        {
          folder,
          crops: crops.map((crop) => ({ ...crop, truth: [] })),
          lines: lines.map((line) =>
            line.type === "validation"
              ? { ...line, drawn: line.drawn.map((drawn) => ({ ...drawn, ring: points })) }
              : line,
          ),
        },
        sampleFacts(),
      ),
    );
    const seen = { points, side: 224, color: AUTOMATIC_COLOR };
    expect(await strokeSeen(page, ".strip svg", seen)).toBe(1);
    expect(await strokeSeen(page, "details .strip svg", seen)).toBe(1);
    expect(await strokeSeen(page, ".strip svg", { ...seen, points: circle(112, 50) })).toBe(0);
    await page.close();
  });

  test("every validation shows the same eight photographs with truth and prediction", async () => {
    const page = await placed.browser.newPage();
    await page.goto(placed.address);
    const strips = page.locator(".strip");
    expect(await strips.count()).toBe(VALIDATIONS);
    for (let at = 0; at < VALIDATIONS; at++) {
      expect(
        await strips
          .nth(at)
          .locator("use")
          .evaluateAll((uses) => uses.map((use) => use.getAttribute("href"))),
      ).toEqual(Array.from({ length: 8 }, (_, n) => `#crop-${n}`));
    }
    expect(await page.locator("defs polygon.truth").count()).toBe(8);
    // Seven crops have a polygon at every validation, the eighth from the middle of the run on.
    expect(await page.locator(".strip polygon.automatic").count()).toBe(7 * VALIDATIONS + 4);
    expect(await page.getByText("no polygon", { exact: false }).first().isVisible()).toBe(true);
    await page.close();
  });

  test("every chart has axes with names, and a legend with the sources as text", async () => {
    const page = await placed.browser.newPage();
    await page.goto(placed.address);
    const charts = await page
      .locator(".charts figure")
      .evaluateAll((figures) => figures.map((figure) => figure.querySelector("svg")!.textContent));
    expect(charts).toHaveLength(6);
    for (const text of charts) expect(text).toContain("step");
    const validation = charts.find((text) => text.includes("the box itself"))!;
    expect(validation).toContain("people");
    expect(validation).toContain(HOSTILE_NAMES[0].slice(0, 24));
    expect(validation).not.toContain("\u202E");
    await page.close();
  });
});
