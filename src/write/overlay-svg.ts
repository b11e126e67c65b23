/**
 * What is drawn over a photograph, as one SVG in output pixels: thin dashed boxes, and polygons with a transparent
 * fill, a bright line on a dark edge (readable on any ground), a dot per vertex and a ring around the first one. Failed
 * boxes are crossed out in black and white.
 */
import type { Box, ImagePoint, Polygon, Ring } from "../types.js";
import { CATEGORY_COLORS, categoryColor } from "./labels.js";
import type { LabelRequest } from "./overlay-labels.js";
import { drawLabels } from "./overlay-labels.js";
import { toTenths as f } from "./rings.js";

/** One thing to show. Image pixels. */
export interface OverlayShape {
  /** drawn: a polygon of this run; existing: one of the input; failed: a box without a polygon. */
  readonly kind: "drawn" | "existing" | "failed";
  readonly box: Box;
  /** Empty for a failed one. */
  readonly polygon: Polygon;
  readonly category: string;
  /** Position of the category in the data set, from 0. */
  readonly categoryIndex: number;
  /** The score, or another remark. */
  readonly note: string;
}

interface OverlayFrame {
  /** Output size, pixels. */
  readonly width: number;
  readonly height: number;
  /** Output pixels per image pixel. */
  readonly scaleX: number;
  readonly scaleY: number;
  readonly hasFonts: boolean;
}

/** No category's color. */
const FAILED_COLOR = "#FFFFFF";

/** With more shapes than this, a category is named once, and its other shapes show only their note. */
const CROWDED = 12;

/** Draws large shapes first, so that small ones lie on top. */
export function drawOverlaySvg(shapes: readonly OverlayShape[], frame: OverlayFrame): string {
  const long = Math.max(frame.width, frame.height);
  const scaled = shapes.map((shape) => scaleShape(shape, frame)).sort((a, b) => areaOf(b.box) - areaOf(a.box));
  const colors = assignColors(shapes);
  const unit = Math.max(0.85, long / 1000);
  const fontSize = Math.min(22, Math.max(12, long * 0.015));
  const colorOf = ({ categoryIndex }: OverlayShape): string => categoryColor(colors.get(categoryIndex)!);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${frame.width}" height="${frame.height}">`,
    ...scaled.map((shape) =>
      shape.kind === "failed" ? drawFailed(shape, unit) : drawBox(shape, colorOf(shape), unit),
    ),
    ...scaled.map((shape) => drawPolygon(shape, colorOf(shape), unit)),
    drawLabels(labelRequests(scaled, colorOf), { ...frame, fontSize }),
    "</svg>",
  ].join("\n");
}

/** A category has the same color in every image, unless another one in this image has it and another color is free. */
function assignColors(shapes: readonly OverlayShape[]): ReadonlyMap<number, number> {
  const colors = new Map<number, number>();
  const taken = new Set<number>();
  for (const index of [...new Set(shapes.map(({ categoryIndex }) => categoryIndex))].sort((a, b) => a - b)) {
    let color = index % CATEGORY_COLORS.length;
    while (taken.has(color) && taken.size < CATEGORY_COLORS.length) color = (color + 1) % CATEGORY_COLORS.length;
    colors.set(index, color);
    taken.add(color);
  }
  return colors;
}

function labelRequests(shapes: readonly OverlayShape[], colorOf: (shape: OverlayShape) => string): LabelRequest[] {
  const named = new Set<string>();
  return shapes.flatMap((shape): LabelRequest[] => {
    const { kind, category, note, box } = shape;
    const isFailed = kind === "failed";
    const key = isFailed ? note : category;
    const isNamed = shapes.length <= CROWDED || !named.has(key);
    named.add(key);
    // The reason stands at the first cross; the others need no label.
    if (isFailed && !isNamed) return [];
    const text = isNamed ? `${category}${isFailed ? ":" : ""} ${note}` : note;
    return [{ text, box, isUrgent: isFailed, color: isFailed ? FAILED_COLOR : colorOf(shape) }];
  });
}

function scaleShape(shape: OverlayShape, { scaleX, scaleY }: OverlayFrame): OverlayShape {
  const { left, top, width, height } = shape.box;
  return {
    ...shape,
    box: { left: left * scaleX, top: top * scaleY, width: width * scaleX, height: height * scaleY },
    polygon: shape.polygon.map((ring) => ring.map(({ x, y }) => ({ x: x * scaleX, y: y * scaleY }))),
  };
}

function areaOf({ width, height }: Box): number {
  return width * height;
}

function drawBox({ box }: OverlayShape, color: string, unit: number): string {
  const dash = `stroke-dasharray="${f(6 * unit)} ${f(5 * unit)}"`;
  return (
    rect(box, `stroke="#000" stroke-opacity="0.45" stroke-width="${f(2.6 * unit)}" ${dash}`) +
    rect(box, `stroke="${color}" stroke-width="${f(1.3 * unit)}" ${dash}`)
  );
}

function drawFailed({ box }: OverlayShape, unit: number): string {
  const { left, top, width, height } = box;
  const right = left + width;
  const bottom = top + height;
  const cross = `M${f(left)} ${f(top)}L${f(right)} ${f(bottom)}M${f(right)} ${f(top)}L${f(left)} ${f(bottom)}`;
  const dash = `stroke-dasharray="${f(9 * unit)} ${f(9 * unit)}"`;
  return (
    rect(box, `stroke="#000" stroke-width="${f(3 * unit)}"`) +
    rect(box, `stroke="${FAILED_COLOR}" stroke-width="${f(3 * unit)}" ${dash}`) +
    `<path d="${cross}" stroke="#000" stroke-opacity="0.6" stroke-width="${f(2.2 * unit)}"/>` +
    `<path d="${cross}" stroke="${FAILED_COLOR}" stroke-width="${f(unit)}" ${dash}/>`
  );
}

function drawPolygon({ kind, box, polygon }: OverlayShape, color: string, unit: number): string {
  if (polygon.length === 0) return "";
  const path = polygon.map(ringPath).join("");
  // Small instances get thinner lines and dots, which would hide them otherwise.
  const size = Math.min(1, Math.max(0.6, Math.sqrt(areaOf(box)) / (110 * unit)));
  const line = 2.4 * unit * size;
  const edge = `stroke="#000" stroke-opacity="0.7" stroke-width="${f(line + 2.2 * unit * size)}"`;
  return (
    `<path d="${path}" fill="${color}" fill-opacity="0.22" fill-rule="evenodd" ${edge} stroke-linejoin="round"/>` +
    `<path d="${path}" fill="none" stroke="${color}" stroke-width="${f(line)}" stroke-linejoin="round"/>` +
    (kind === "drawn" ? polygon.map((ring) => drawVertices(ring, color, 3.1 * unit * size)).join("") : "")
  );
}

function drawVertices(ring: Ring, color: string, radius: number): string {
  const dots = ring
    .map((point) => circle(point, radius, `fill="${color}" stroke="#000" stroke-width="${f(radius * 0.35)}"`))
    .join("");
  const first = ring[0];
  if (first === undefined) return dots;
  const mark = circle(first, radius * 1.9, `fill="#fff" stroke="#000" stroke-width="${f(radius * 0.5)}"`);
  return `${dots}${mark}${circle(first, radius * 0.9, `fill="${color}"`)}`;
}

function ringPath(ring: Ring): string {
  return `M${ring.map(({ x, y }) => `${f(x)} ${f(y)}`).join("L")}Z`;
}

function circle({ x, y }: ImagePoint, radius: number, style: string): string {
  return `<circle cx="${f(x)}" cy="${f(y)}" r="${f(radius)}" ${style}/>`;
}

function rect({ left, top, width, height }: Box, style: string): string {
  return `<rect x="${f(left)}" y="${f(top)}" width="${f(width)}" height="${f(height)}" fill="none" ${style}/>`;
}
