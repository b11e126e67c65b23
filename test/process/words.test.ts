import { expect, test } from "vitest";
import { runToEnd } from "./start.js";

test.each([
  { words: ["--version"], code: 0 },
  { words: ["annotat"], code: 2 },
  { words: ["annotate", "x", "--boxes", "y", "--batch-size", "0"], code: 2 },
  { words: ["annotate", "x", "--boxes", "y", "--config", "nowhere.json"], code: 66 },
  { words: ["models", "show", "mobil"], code: 69 },
])("polyrnn $words ends with $code", async ({ words, code }) => {
  const ended = await runToEnd(words);
  expect(ended.code).toBe(code);
  expect(ended[code === 0 ? "stderr" : "stdout"]).toBe("");
});
