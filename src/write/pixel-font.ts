/**
 * A tiny font of our own, 3 x 5 dots, for machines without any fonts (bare containers): labels stay readable there.
 * Capitals, digits and a few marks; small letters are drawn as capitals, accents are dropped, anything else is "?".
 */

/** Five rows per character, top first; an octal digit is a row, its bits the dots from left to right. */
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
        .map(
          ({ column, row }) =>
            `M${(left + (at * ADVANCE + column) * dot).toFixed(2)} ${(top + row * dot).toFixed(2)}h${side}v${side}h-${side}z`,
        )
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
