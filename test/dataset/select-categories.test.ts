import { describe, expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { selectCategories } from "../../src/dataset/select-categories.js";
import type { Category, Id } from "../../src/types.js";

const category = (id: Id, name: string): Category => ({ id, name, raw: { id, name } });
const CATEGORIES = [
  category(3, "car"),
  category(17, "person"),
  category("d-4", "door"),
  category(90, "door"),
  category(5, "17"),
];

describe("categories are meant", () => {
  test.each([
    { wanted: [], ids: undefined, why: "all where none is named" },
    { wanted: ["car"], ids: [3], why: "by name" },
    { wanted: ["3"], ids: [3], why: "by number" },
    { wanted: ["d-4"], ids: ["d-4"], why: "by an id that is text" },
    { wanted: ["door"], ids: ["d-4", 90], why: "both where two have one name" },
    { wanted: ["17"], ids: [17, 5], why: "by id and by name where a word is both" },
    { wanted: ["car", "person", "3"], ids: [3, 17], why: "once, however often they are named" },
  ])("$why: $wanted", ({ wanted, ids }) => {
    expect(selectCategories(CATEGORIES, wanted)).toEqual(ids === undefined ? undefined : new Set(ids));
  });
});

describe("a word that is none is refused", () => {
  const refusalOf = (categories: readonly Category[], word: string): PolyrnnError => {
    try {
      selectCategories(
        categories,
        ["car", word].filter((wanted) => wanted === word || categories.length > 0),
      );
    } catch (error) {
      if (error instanceof PolyrnnError) return error;
      throw error;
    }
    throw new Error("it was taken");
  };

  test.each([
    { word: "cars", hint: 'Did you mean "car"?', why: "with the nearest name" },
    { word: "Car", hint: 'Did you mean "car"?', why: "also where only the case differs" },
    {
      word: "quadrilateral",
      hint: 'The data set has "car", "person", "door", "door", "17".',
      why: "with all names where none is near",
    },
  ])("$why: $word", ({ word, hint }) => {
    expect(refusalOf(CATEGORIES, word)).toMatchObject({
      exitCode: 2,
      hint,
      message: `--categories: expected a name or an id of the data set, received "${word}"`,
    });
  });

  test("with the first twenty names where there are many", () => {
    const many = [category(0, "car"), ...Array.from({ length: 30 }, (_, i) => category(i + 1, `kind-${i}`))];
    expect(refusalOf(many, "quadrilateral").hint).toMatch(/"kind-18" and 11 more\.$/);
  });

  test("with a way out where the data set has no categories", () => {
    expect(refusalOf([], "car").hint).toBe("The data set has no categories; leave --categories out.");
  });
});
