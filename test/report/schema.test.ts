import { expect, test } from "vitest";
import { checkReport } from "./check-report.js";
import { sampleReport } from "./sample-report.js";

test("a report with every part filled fits the schema, also after a trip through JSON", () => {
  expect(checkReport(sampleReport())).toBeUndefined();
  expect(checkReport(JSON.parse(JSON.stringify(sampleReport())))).toBeUndefined();
});

test.each([
  { why: "another version", change: { version: 2 }, at: "/version" },
  { why: "a field it does not know", change: { extra: 1 }, at: "/extra" },
  { why: "no methods", change: { methods: [] }, at: "/methods" },
  { why: "a missing part", change: { examples: undefined }, at: "/examples" },
  { why: "nothing where a text belongs", change: { generator: null }, at: "/generator" },
])("a report with $why is refused", ({ change, at }) => {
  expect(checkReport(JSON.parse(JSON.stringify({ ...sampleReport(), ...change })))).toMatchObject({ at });
});
