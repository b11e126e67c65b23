import { expect, test } from "vitest";
import { PolyrnnError } from "../../src/errors.js";
import { annotateTable } from "../../src/cli/commands/annotate.js";
import type { GivenArguments } from "../../src/cli/parse-arguments.js";
import { parseArguments } from "../../src/cli/parse-arguments.js";

const parse = (...words: string[]): GivenArguments => parseArguments(words, annotateTable, "polyrnn annotate --help");

function refusal(...words: string[]): PolyrnnError {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
  throw new Error("expected a refusal");
}

test.each([
  { words: ["images", "--boxes", "b.json"], name: "boxes", given: ["b.json"], why: "a value in the next word" },
  { words: ["--boxes=b.json"], name: "boxes", given: ["b.json"], why: "a value after =" },
  { words: ["--boxes=a=b.json"], name: "boxes", given: ["a=b.json"], why: "only the first = separates" },
  { words: ["--out", "-"], name: "out", given: ["-"], why: "a lone dash is a value" },
  { words: ["--out=-x"], name: "out", given: ["-x"], why: "after = a value may begin with a dash" },
  {
    words: ["--simplify", "-1.5"],
    name: "simplify",
    given: ["-1.5"],
    why: "a negative number is a value, its range is checked later",
  },
  { words: ["--batch-size", "007"], name: "batchSize", given: ["007"], why: "numbers stay text" },
  {
    words: ["--categories", "1", "--categories", "2,3"],
    name: "categories",
    given: ["1", "2,3"],
    why: "lists may be repeated",
  },
  {
    words: ["--format", "coco", "images"],
    name: "format",
    given: ["coco"],
    why: "a list takes one word, the next one is the folder",
  },
  { words: ["--resume"], name: "resume", given: [true], why: "a flag alone is true" },
  { words: ["--no-resume"], name: "resume", given: [false], why: "no- takes a flag back" },
  { words: ["--resume=false"], name: "resume", given: [false], why: "a flag may be spelled out" },
  {
    words: ["--resume", "--no-resume"],
    name: "resume",
    given: [false],
    why: "of a flag given both ways the last counts",
  },
  {
    words: ["--out", "a", "--out", "b"],
    name: "out",
    given: ["a", "b"],
    why: "repetition is kept for the check that refuses it",
  },
  { words: ["--model", "a.b"], name: "model", given: ["a.b"], why: "dots make no objects" },
])("$words gives $name = $given: $why", ({ words, name, given }) => {
  expect(parse(...words).options.get(name)).toEqual(given);
});

test("words that are no options are positionals, after -- all of them, and numbers among them stay text", () => {
  expect(parse("images", "7.0", "--quiet", "--", "--odd", "-x").positionals).toEqual(["images", "7.0", "--odd", "-x"]);
});

test("what was not given has no entry, whatever the default", () => {
  expect([...parse("images").options.keys()]).toEqual([]);
});

test.each([
  { words: ["--boxs", "b"], message: "unknown option --boxs", hint: "--boxes", why: "the nearest name is suggested" },
  {
    words: ["--batchSize", "8"],
    message: "unknown option --batchSize",
    hint: "--batch-size",
    why: "flags are written with dashes",
  },
  {
    words: ["--overlay=none"],
    message: "unknown option --overlay",
    hint: "--overlays",
    why: "the value is no part of the name",
  },
  {
    words: ["--zzz"],
    message: "unknown option --zzz",
    hint: "polyrnn annotate --help",
    why: "nothing is near: help is suggested",
  },
  { words: ["--images", "x"], message: "unknown option --images", hint: "--help", why: "a positional has no flag" },
  { words: ["-q"], message: "unknown option -q", hint: "--help", why: "there are no short options" },
  { words: ["--no-model"], message: "unknown option --no-model", hint: "--help", why: "only flags can be taken back" },
  {
    words: ["--__proto__", "x"],
    message: "unknown option --__proto__",
    hint: "--help",
    why: "a name that every object has is no option",
  },
  {
    words: ["--resume=maybe"],
    message: "--resume: expected no value",
    hint: "--help",
    why: "yargs would take this for false",
  },
  {
    words: ["--out"],
    message: "--out: expected DIR|- but received nothing",
    hint: "value",
    why: "the value is missing at the end",
  },
  {
    words: ["--out", "--json"],
    message: "--out: expected DIR|- but received nothing",
    hint: "value",
    why: "the next option is not the value",
  },
])("$words is refused: $why", ({ words, message, hint }) => {
  const error = refusal(...words);
  expect(error.exitCode).toBe(2);
  expect(error.message).toContain(message);
  expect(error.hint).toContain(hint);
});
