import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { LabelRequest } from "../../src/write/overlay-labels.js";
import { drawLabels } from "../../src/write/overlay-labels.js";
import type { OverlayShape } from "../../src/write/overlay-svg.js";
import { drawOverlaySvg } from "../../src/write/overlay-svg.js";
import { CATEGORY_COLORS } from "../../src/write/labels.js";
import { TRIANGLE } from "./results.js";

const frame = { width: 800, height: 600, scaleX: 2, scaleY: 2, hasFonts: true };
const shape = (more: Partial<OverlayShape> = {}): OverlayShape => ({
  kind: "drawn",
  box: { left: 5, top: 6, width: 70, height: 50 },
  polygon: [TRIANGLE],
  category: "car",
  categoryIndex: 0,
  note: "0.81",
  ...more,
});
const textsOf = (svg: string): string[] => [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/gu)].map(([, text]) => text!);
const platesOf = (svg: string): { left: number; top: number; width: number; height: number }[] =>
  [...svg.matchAll(/<rect x="([^"]*)" y="([^"]*)" width="([^"]*)" height="([^"]*)" rx="[^"]*" fill="#101418"/gu)].map(
    ([, left, top, width, height]) => ({
      left: Number(left),
      top: Number(top),
      width: Number(width),
      height: Number(height),
    }),
  );

describe("a drawn polygon", () => {
  test("has its box, its outline twice (dark under bright), and a dot per vertex with the first one marked", () => {
    const svg = drawOverlaySvg([shape()], frame);
    expect(svg).toContain('<rect x="10.0" y="12.0" width="140.0" height="100.0" fill="none" stroke="#56B4E9"');
    expect(svg.match(/d="M20\.0 20\.0L120\.5 25\.0L60\.0 88\.3Z"/gu)).toHaveLength(2);
    expect(svg.match(/<circle/gu)).toHaveLength(TRIANGLE.length + 2);
    expect(svg.match(/<circle cx="20\.0" cy="20\.0"[^>]*fill="#fff"/gu)).toHaveLength(1);
    expect(textsOf(svg)).toEqual(["car 0.81"]);
  });

  test("without vertices draws nothing but its box", () => {
    expect(drawOverlaySvg([shape({ polygon: [] })], frame)).not.toContain("<path");
    expect(drawOverlaySvg([shape({ polygon: [[]] })], frame)).not.toContain("<circle");
  });
});

test("a polygon that was in the input has no vertex dots", () => {
  expect(drawOverlaySvg([shape({ kind: "existing" })], frame)).not.toContain("<circle");
});

test("a failed box is crossed out in white and says why", () => {
  const svg = drawOverlaySvg([shape({ kind: "failed", polygon: [], note: "too few vertices" })], frame);
  expect(svg).toContain('d="M10.0 12.0L150.0 112.0M150.0 12.0L10.0 112.0"');
  expect(svg).toMatch(/stroke="#FFFFFF"[^>]*stroke-dasharray/u);
  expect(textsOf(svg)).toEqual(["car: too few vertices"]);
});

describe("colours", () => {
  const strokes = (shapes: readonly OverlayShape[]): string[] => {
    const svg = drawOverlaySvg(shapes, frame);
    return CATEGORY_COLORS.filter((color) => svg.includes(`stroke="${color}"`));
  };

  test("a category has the same one in every image", () => {
    expect(strokes([shape({ categoryIndex: 2 })])).toEqual([CATEGORY_COLORS[2]]);
    expect(strokes([shape({ categoryIndex: 2 }), shape({ categoryIndex: 5 })])).toEqual([
      CATEGORY_COLORS[2],
      CATEGORY_COLORS[5],
    ]);
  });

  test("two categories that would share one are told apart in an image", () => {
    expect(strokes([shape({ categoryIndex: 0 }), shape({ categoryIndex: 7 })])).toHaveLength(2);
  });

  test("more categories than colours share some", () => {
    expect(strokes(Array.from({ length: 20 }, (_, categoryIndex) => shape({ categoryIndex })))).toHaveLength(
      CATEGORY_COLORS.length,
    );
  });
});

describe("labels", () => {
  test("on a crowded image name each category once and show scores otherwise; one failure says why for all", () => {
    const shapes = Array.from({ length: 20 }, (_, i) =>
      shape({
        kind: i % 5 === 4 ? "failed" : "drawn",
        note: i % 5 === 4 ? "too few vertices" : "0.81",
        box: { left: (i % 5) * 70, top: Math.floor(i / 5) * 60 + 20, width: 30, height: 30 },
      }),
    );
    const texts = textsOf(drawOverlaySvg(shapes, frame));
    expect(texts.filter((text) => text === "car 0.81")).toHaveLength(1);
    expect(texts.filter((text) => text === "car: too few vertices")).toHaveLength(1);
    expect(texts.filter((text) => text === "0.81")).toHaveLength(15);
  });

  test("cannot break out of the drawing", () => {
    const svg = drawOverlaySvg([shape({ category: "</text><script>alert(1)</script>\u0000" })], frame);
    expect(svg).not.toContain("<script");
    expect(textsOf(svg)).toEqual(["&lt;/text&gt;&lt;script&gt;alert(1)&lt;/script&gt;  0.81"]);
  });

  test("end with an ellipsis when they are long", () => {
    const [text] = textsOf(drawOverlaySvg([shape({ category: "猫".repeat(100) })], frame));
    expect(Array.from(text!)).toHaveLength(40);
    expect(text).toMatch(/…$/u);
  });

  const style = { fontSize: 14, hasFonts: true, width: 640, height: 480 };
  const anyRequest: fc.Arbitrary<LabelRequest> = fc.record({
    text: fc.string({ maxLength: 20 }),
    color: fc.constant("#fff"),
    isUrgent: fc.boolean(),
    box: fc.record({
      left: fc.integer({ min: -500, max: 1000 }),
      top: fc.integer({ min: -500, max: 1000 }),
      width: fc.integer({ min: 0, max: 900 }),
      height: fc.integer({ min: 0, max: 900 }),
    }),
  });

  test("lie inside the image, and only an urgent one covers another", () => {
    fc.assert(
      fc.property(fc.array(anyRequest, { maxLength: 15 }), (requests) => {
        const plates = platesOf(drawLabels(requests, style));
        for (const { left, top, width, height } of plates) {
          expect(left >= 0 && top >= 0 && left + width <= style.width && top + height <= style.height).toBe(true);
        }
        if (requests.some(({ isUrgent }) => isUrgent)) return;
        plates.forEach((a, i) => {
          for (const b of plates.slice(i + 1)) {
            expect(
              a.left + a.width <= b.left ||
                b.left + b.width <= a.left ||
                a.top + a.height <= b.top ||
                b.top + b.height <= a.top,
            ).toBe(true);
          }
        });
      }),
    );
  });

  test("that find no place are left out, unless they are urgent", () => {
    const request = { text: "car", color: "#fff", box: { left: 0, top: 0, width: 30, height: 20 } };
    const tight = { ...style, width: 40, height: 20 };
    expect(
      platesOf(
        drawLabels(
          [
            { ...request, isUrgent: false },
            { ...request, isUrgent: false },
          ],
          tight,
        ),
      ),
    ).toHaveLength(1);
    expect(
      platesOf(
        drawLabels(
          [
            { ...request, isUrgent: true },
            { ...request, isUrgent: true },
          ],
          tight,
        ),
      ),
    ).toHaveLength(2);
  });

  test("are drawn by the program on a machine without fonts", () => {
    const svg = drawOverlaySvg([shape()], { ...frame, hasFonts: false });
    expect(svg).not.toContain("<text");
    expect(svg).toMatch(/<path d="M[^"]*z" fill="#fff"\/>/u);
  });
});
