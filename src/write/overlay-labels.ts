/**
 * Labels of an overlay: text on a dark plate with a stripe in the category's color, placed where it covers least. On a
 * machine without fonts (a bare container), a tiny font of our own keeps labels readable: 3 x 5 dots per character.
 */
import type { Box } from "../types.js";
import { toTenths as f } from "./rings.js";
import { escapeXml, toPlainText } from "./xml-text.js";

/** A label to place. Output pixels throughout. */
export interface LabelRequest {
  readonly text: string;
  readonly color: string;
  /** What the label belongs to. */
  readonly box: Box;
  /** Drawn even where it has to cover another label. */
  readonly isUrgent: boolean;
}

interface LabelStyle {
  /** Height of the letters, pixels. */
  readonly fontSize: number;
  /** False on a machine without fonts: this program then draws the letters. */
  readonly hasFonts: boolean;
  readonly width: number;
  readonly height: number;
}

const FONTS = "DejaVu Sans, Noto Sans, Arial, Helvetica, sans-serif";
/** Longest text of a label, characters. */
const MAX_LENGTH = 40;

/**
 * @param requests the first ones get the best places
 * @returns SVG; a label that finds no free place is left out, unless it is urgent
 */
export function drawLabels(requests: readonly LabelRequest[], style: LabelStyle): string {
  const placed: Box[] = [];
  const drawn: string[] = [];
  for (const request of requests) {
    const text = shortenText(request.text);
    const plate = plateSize(text, style);
    const places = candidatePlaces(request.box, plate, style);
    const place =
      places.find((candidate) => !placed.some((other) => overlaps(candidate, other))) ??
      (request.isUrgent ? places[0] : undefined);
    if (place === undefined) continue;
    placed.push(place);
    drawn.push(drawLabel(text, request.color, place, style));
  }
  return drawn.join("\n");
}

function shortenText(text: string): string {
  const characters = Array.from(toPlainText(text));
  return characters.length <= MAX_LENGTH ? characters.join("") : `${characters.slice(0, MAX_LENGTH - 1).join("")}…`;
}

function plateSize(text: string, { fontSize, hasFonts }: LabelStyle): { width: number; height: number } {
  const textWidth = hasFonts ? estimateTextWidth(text, fontSize) : pixelTextWidth(text, capitalHeight(fontSize));
  return { width: Math.ceil(textWidth + stripeWidth(fontSize) + fontSize * 0.7), height: Math.ceil(fontSize * 1.4) };
}

/** Above the box, inside it, below it, to its right; always inside the image. */
function candidatePlaces(box: Box, plate: { width: number; height: number }, style: LabelStyle): [Box, ...Box[]] {
  const { left, top } = box;
  const right = left + box.width;
  const bottom = top + box.height;
  const at = (x: number, y: number): Box => ({
    left: Math.max(0, Math.min(style.width - plate.width, x)),
    top: Math.max(0, Math.min(style.height - plate.height, y)),
    ...plate,
  });
  return [
    at(left, top - plate.height),
    at(left, bottom),
    at(right - plate.width, top - plate.height),
    at(right - plate.width, bottom),
    at(left, top),
    at(right, top),
    at(left - plate.width, top),
  ];
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.left + b.width && b.left < a.left + a.width && a.top < b.top + b.height && b.top < a.top + a.height;
}

function drawLabel(text: string, color: string, place: Box, { fontSize, hasFonts }: LabelStyle): string {
  const { left, top, width, height } = place;
  const stripe = stripeWidth(fontSize);
  const textLeft = left + stripe + fontSize * 0.35;
  const bar = (barWidth: number, fill: string): string =>
    `<rect x="${f(left)}" y="${f(top)}" width="${f(barWidth)}" height="${f(height)}" ` +
    `rx="${f(fontSize * 0.2)}" ${fill}/>`;
  const plate = bar(width, 'fill="#101418" fill-opacity="0.82"');
  const mark = bar(stripe, `fill="${color}"`);
  if (!hasFonts) {
    const size = capitalHeight(fontSize);
    return `${plate}${mark}<path d="${pixelTextPath(text, textLeft, top + (height - size) / 2, size)}" fill="#fff"/>`;
  }
  const font = `font-size="${f(fontSize)}" font-family="${FONTS}" fill="#fff"`;
  return `${plate}${mark}<text x="${f(textLeft)}" y="${f(top + height * 0.72)}" ${font}>${escapeXml(text)}</text>`;
}

function stripeWidth(fontSize: number): number {
  return fontSize * 0.35;
}

function capitalHeight(fontSize: number): number {
  return fontSize * 0.75;
}

/** SVG cannot measure text before it is drawn; widths as in common sans-serif fonts, a little generous. */
function estimateTextWidth(text: string, fontSize: number): number {
  let ems = 0;
  for (const character of text) {
    if (/[ilj.,:;'|!I]/u.test(character)) ems += 0.32;
    else if (/[mwMW@%]/u.test(character)) ems += 0.95;
    else if (/[\u1100-\u11ff\u2e80-\ud7ff\uf900-\ufaff\uff00-\uffef]|[\u{1f000}-\u{3ffff}]/u.test(character))
      ems += 1.05;
    else ems += /[A-Z]/u.test(character) ? 0.7 : 0.61;
  }
  return ems * fontSize;
}

/**
 * Capitals, digits and a few marks; small letters become capitals, accents are dropped, anything else is "?". Five rows
 * per character, top first; an octal digit is a row, its bits the dots from left to right.
 */
const GLYPHS: Readonly<Record<string, string>> = {
  A: "25755",
  B: "65656",
  C: "34443",
  D: "65556",
  E: "74647",
  F: "74644",
  G: "34553",
  H: "55755",
  I: "72227",
  J: "11152",
  K: "55655",
  L: "44447",
  M: "57755",
  N: "65555",
  O: "25552",
  P: "65644",
  Q: "25573",
  R: "65655",
  S: "34216",
  T: "72222",
  U: "55557",
  V: "55552",
  W: "55775",
  X: "55255",
  Y: "55222",
  Z: "71247",
  "0": "75557",
  "1": "26227",
  "2": "71747",
  "3": "71317",
  "4": "55711",
  "5": "74717",
  "6": "74757",
  "7": "71122",
  "8": "75757",
  "9": "75717",
  " ": "00000",
  ".": "00002",
  ",": "00024",
  ":": "02020",
  "-": "00700",
  _: "00007",
  "'": "22000",
  "/": "11244",
  "%": "51245",
  "(": "24442",
  ")": "21112",
  "+": "02720",
  "=": "07070",
  "#": "57575",
  "?": "71202",
};
const ROWS = 5;
const COLUMNS = 3;
/** Width of a character with the gap behind it, in dots. */
const ADVANCE = COLUMNS + 1;

/** @param size height of the capitals, pixels. @returns width in pixels */
export function pixelTextWidth(text: string, size: number): number {
  return Math.max(0, toGlyphs(text).length * ADVANCE - 1) * (size / ROWS);
}

/**
 * SVG path data of a line of text.
 * @param left pixels; likewise `top`, the upper edge of the capitals
 * @param size height of the capitals, pixels
 */
export function pixelTextPath(text: string, left: number, top: number, size: number): string {
  const dot = size / ROWS;
  const side = dot.toFixed(2);
  return toGlyphs(text)
    .map((glyph, at) =>
      dotsOf(glyph)
        .map(({ column, row }) => {
          const x = (left + (at * ADVANCE + column) * dot).toFixed(2);
          const y = (top + row * dot).toFixed(2);
          return `M${x} ${y}h${side}v${side}h-${side}z`;
        })
        .join(""),
    )
    .join("");
}

function toGlyphs(text: string): string[] {
  const plain = text.normalize("NFD").replace(/\p{M}/gu, "").toUpperCase();
  return Array.from(plain, (character) => (Object.hasOwn(GLYPHS, character) ? GLYPHS[character]! : GLYPHS["?"]!));
}

function dotsOf(glyph: string): { column: number; row: number }[] {
  return Array.from(glyph).flatMap((digit, row) =>
    Array.from({ length: COLUMNS }, (_, column) => ({ column, row })).filter(
      ({ column }) => (Number(digit) >> (COLUMNS - 1 - column)) & 1,
    ),
  );
}
