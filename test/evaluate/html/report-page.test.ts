/// <reference lib="dom" />
/// <reference lib="dom.iterable" />
/** report.html in a real browser (Debian's chromium), on a phone and on a desk, light and dark. Skipped where no Chromium is installed. */
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium } from "playwright-core";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderReportHtml } from "../../../src/evaluate/html/render-report.js";
import { emptyReport, sampleReport } from "./sample-report.js";

const EXECUTABLE = process.env["CHROMIUM"] ?? "/usr/bin/chromium";
const isHere = existsSync(EXECUTABLE);
if (!isHere) console.log(`report page tests skipped: no Chromium at ${EXECUTABLE} (Debian: apt-get install chromium)`);

test("an evaluation of nothing gives a page of dashes, never a 0 or NaN", () => {
  const page = renderReportHtml(emptyReport(), new Map());
  expect(page).toContain("There was nothing to evaluate");
  expect(page).not.toMatch(/NaN|Infinity|undefined|null/);
});

describe.skipIf(!isHere)("the report page", () => {
  let browser: Browser;
  let folder: string;
  let address: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "polyrnn-report-"));
    const report = sampleReport();
    const jpeg = await sharp({ create: { width: 64, height: 64, channels: 3, background: "#486" } }).jpeg().toBuffer();
    const pictures = new Map(report.examples.worst.map((example) => [example, { window: { left: 0, top: 0, side: 110 }, jpeg }]));
    await writeFile(join(folder, "report.html"), renderReportHtml(report, pictures));
    address = pathToFileURL(join(folder, "report.html")).href;
    browser = await chromium.launch({
      executablePath: EXECUTABLE,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
    });
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  test.each([
    { width: 360, colorScheme: "light" }, { width: 360, colorScheme: "dark" }, { width: 1440, colorScheme: "light" }, { width: 1440, colorScheme: "dark" },
  ] as const)("at $width px, $colorScheme: opens without script or network, and nothing is wider than the page", async ({ width, colorScheme }) => {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme });
    const page = await context.newPage();
    const requests: string[] = [];
    page.on("request", (request) => { if (!request.url().startsWith("data:")) requests.push(request.url()); });
    await page.goto(address);
    expect(requests).toEqual([address]);
    expect(await page.title()).toBe("polyrnn report");
    expect(await page.locator("script").count()).toBe(0);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    // Tables scroll inside themselves; everything else must fit.
    const tooWide = await page.evaluate(() => [...document.querySelectorAll("body *")]
      .filter((element) => element.closest(".scroll") === null && element.getBoundingClientRect().right > window.innerWidth + 1)
      .map((element) => element.outerHTML.slice(0, 80)));
    expect(tooWide).toEqual([]);
    await context.close();
  });

  test("every chart has axes with names, and every picture is drawn", async () => {
    const page = await browser.newPage();
    await page.goto(address);
    const charts = await page.locator(".charts figure").evaluateAll((figures) => figures.map((figure) => figure.querySelector("svg")!.textContent));
    expect(charts).toHaveLength(6);
    const names = [
      ["clicks per instance", "mean IoU"], ["corrections allowed per instance", "mean IoU"], ["IoU", "instances"], ["vertices", "instances"],
      ["square root of the object's area, pixels", "IoU"], ["score", "IoU"],
    ];
    names.forEach((axes, at) => { for (const name of axes) expect(charts[at]).toContain(name); });
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
