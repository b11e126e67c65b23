import { expect, test } from "vitest";
import { pixelTextPath, pixelTextWidth } from "../../src/write/overlay-labels.js";

/** The dots of a text at one pixel per dot, row by row. */
function dots(text: string): string[] {
  const places = [...pixelTextPath(text, 0, 0, 5).matchAll(/M([\d.]+) ([\d.]+)h/gu)].map(
    ([, x, y]) => `${Number(x)},${Number(y)}`,
  );
  return Array.from({ length: 5 }, (_, y) =>
    Array.from({ length: pixelTextWidth(text, 5) }, (__, x) => (places.includes(`${x},${y}`) ? "#" : ".")).join(""),
  );
}

test("letters and digits look like themselves", () => {
  expect(dots("A1")).toEqual([".#...#.", "#.#.##.", "###..#.", "#.#..#.", "#.#.###"]);
});

test.each([
  { text: "car", same: "CAR", why: "small letters are capitals" },
  { text: "Crème", same: "CREME", why: "accents are dropped" },
  { text: "猫~", same: "??", why: "what the font does not have is a question mark" },
  { text: "😀", same: "?", why: "a character is one, however long it is stored" },
])("$why", ({ text, same }) => {
  expect(dots(text)).toEqual(dots(same));
});

test("every character of the font is told apart from every other", () => {
  const all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,:-_'/%()+=#?";
  const pictures = new Set(Array.from(all, (character) => dots(character).join("\n")));
  expect(pictures.size).toBe(all.length);
});

test("no text takes no room", () => {
  expect(pixelTextWidth("", 10)).toBe(0);
  expect(pixelTextPath("", 0, 0, 10)).toBe("");
});
