/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** report.html in a real browser, on a phone and on a desk, light and dark. Skipped where no Chromium is installed. */
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderReportHtml } from "../../src/report/html.js";
import type { PageInBrowser } from "../page-in-browser.js";
import {
  AUTOMATIC_COLOR,
  HAS_CHROMIUM,
  SCREENS,
  circle,
  expectToFit,
  placeInBrowser,
  strokeSeen,
} from "../page-in-browser.js";
import { emptyReport, sampleReport } from "./sample-report.js";

test("an evaluation of nothing gives a page of dashes, never a 0 or NaN", () => {
  const page = renderReportHtml(emptyReport(), new Map());
  expect(page).toContain("There was nothing to evaluate");
  expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
});

test("a method without an annotator has its name at the end of its line, whatever it is called", () => {
  const report = sampleReport();
  const [own, other] = report.methods;
  const names = ["sharpmask", "__proto__"];
  const methods = [own!, ...names.map((name) => ({ ...other!, name }))];
  const page = renderReportHtml({ ...report, methods }, new Map());
  for (const name of ["sharpmask", "&quot;__proto__&quot;"]) {
    expect(page.match(new RegExp(`<text [^>]*>${name}</text>`, "g")), name).toHaveLength(2);
  }
  expect(Object.keys(Object.prototype)).toEqual([]);
});

test("outlines after corrections have a key only where clicks were simulated", () => {
  const { clicks, ...report } = sampleReport();
  expect(renderReportHtml({ ...report, clicks: clicks! }, new Map())).toContain("</span>after corrections");
  expect(renderReportHtml(report, new Map())).not.toContain("</span>after corrections");
});

describe.skipIf(!HAS_CHROMIUM)("the report page", () => {
  let placed: PageInBrowser;
  let round: PageInBrowser;
  const ROUND = circle(55, 40);

  beforeAll(async () => {
    const report = sampleReport();
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#486" } })
      .jpeg()
      .toBuffer();
    const pictures = new Map(
      report.examples.worst.map((example) => [example, { window: { left: 0, top: 0, side: 110 }, jpeg }]),
    );
    placed = await placeInBrowser(renderReportHtml(report, pictures));
    const { corrected, ...worst } = report.examples.worst[0]!;
    expect(corrected).toBeDefined();
    const example = { ...worst, truth: [], automatic: [ROUND.map(({ x, y }) => [x, y] as const)] };
    round = await placeInBrowser(
      renderReportHtml(
        { ...report, examples: { worst: [example], median: [], best: [] } },
        new Map([[example, { window: { left: 0, top: 0, side: 110 }, jpeg }]]),
      ),
    );
  });
  afterAll(() => Promise.all([placed.close(), round.close()]));

  test("an outline of 200 vertices is seen all around", async () => {
    const seen = { points: ROUND, side: 110, color: AUTOMATIC_COLOR };
    expect(await strokeSeen(round, ".examples svg", seen)).toBe(1);
    // Beside the outline there is nothing of its color.
    expect(await strokeSeen(round, ".examples svg", { ...seen, points: circle(55, 25) })).toBe(0);
  });

  test.each(SCREENS)(
    "at $width px, $colorScheme: opens without script or network, and nothing is wider than the page",
    async (screen) => {
      await expectToFit(placed, screen, "polyrnn report", ".scroll");
    },
  );

  test("every chart has axes with names, and every picture is drawn", async () => {
    const page = await placed.browser.newPage();
    await page.goto(placed.address);
    const charts = await page
      .locator(".charts figure")
      .evaluateAll((figures) => figures.map((figure) => figure.querySelector("svg")!.textContent));
    expect(charts).toHaveLength(6);
    const names = [
      ["clicks per instance", "mean IoU"],
      ["corrections allowed per instance", "mean IoU"],
      ["IoU", "instances"],
      ["vertices", "instances"],
      ["square root of the object's area, pixels", "IoU"],
      ["score", "IoU"],
    ];
    names.forEach((axes, at) => {
      for (const name of axes) expect(charts[at]).toContain(name);
    });
    expect(await page.locator(".examples polygon.truth").count()).toBe(9);
    const broken = await page.locator(".examples image").evaluateAll(async (images) => {
      const loads = images.map(async (element) => {
        const image = new Image();
        image.src = element.getAttribute("href")!;
        await image.decode();
        return image.naturalWidth;
      });
      return (await Promise.all(loads)).filter((width) => width === 0).length;
    });
    expect(broken).toBe(0);
    await page.close();
  });
});
