import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import type { Ended } from "../helpers/command.js";
import { runInHost } from "../helpers/command.js";
import { schemaProblems } from "../helpers/schemas.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const folder = temporaryFolder();

/** The sample without the one box for which random weights draw no polygon. */
const BOXES = join(folder, "boxes.json");
const sample = JSON.parse(readFileSync(join(FIXTURES, "boxes.json"), "utf8")) as { annotations: { id: number }[] };
writeFileSync(BOXES, JSON.stringify({ ...sample, annotations: sample.annotations.filter(({ id }) => id !== 89) }));

const annotate = (out: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> =>
  runInHost(
    [
      "annotate",
      join(FIXTURES, "images"),
      "--boxes",
      BOXES,
      "--model",
      join(FIXTURES, "models", "tiny-random"),
      "--device",
      "cpu",
      "--overlays",
      "none",
      "--max-steps",
      "6",
      "--out",
      join(folder, out),
      ...words,
    ],
    env,
  );

const fileOf = (out: string, name: string): string => readFileSync(join(folder, out, name), "utf8");
const summaryOf = (ended: Ended): Record<string, unknown> => JSON.parse(ended.stdout) as Record<string, unknown>;

beforeAll(async () => {
  const ended = [
    await annotate("whole", []),
    await annotate("part,1", ["--shard", "1/3"]), // A name with a comma is one name.
    await annotate("part-2", ["--shard", "auto"], { JOB_COMPLETION_INDEX: "1", JOB_COMPLETIONS: "3" }),
    await annotate("part-3", ["--shard", "auto"], { CI_NODE_INDEX: "3", CI_NODE_TOTAL: "3" }),
  ];
  expect(
    ended.map(({ code }) => code),
    ended.map(({ stderr }) => stderr).join("\n"),
  ).toEqual([0, 0, 0, 0]);
}, 120_000);

const parts = (...names: string[]): string[] => names.map((name) => join(folder, name));

test("0: the parts of a matrix, an indexed job and a parallel job merge to the bytes of one machine", async () => {
  const ended = await runInHost([
    "merge",
    ...parts("part-3", "part,1", "part-2"),
    "--out",
    join(folder, "all"),
    "--json",
  ]);
  expect(ended.code, ended.stderr).toBe(0);
  for (const name of ["annotations.json", "journal.ndjson"]) expect(fileOf("all", name)).toBe(fileOf("whole", name));
  expect(summaryOf(ended)).toMatchObject({ type: "summary", remaining: 0, merged: { count: 3, missing: [] } });
  expect(ended.stderr).toContain("3 of 3 shards");
  for (const run of ["all", "part-2"]) expect(schemaProblems(join(folder, run)).problems).toEqual([]);
});

test("1: a missing shard is named, the rest is written, and what to do is said", async () => {
  const ended = await runInHost(["merge", ...parts("part-3", "part,1"), "--out", join(folder, "some"), "--json"]);
  expect(ended.code, ended.stderr).toBe(1);
  expect(ended.stderr).toContain("shard 2/3 is missing");
  expect(ended.stderr).toContain("next: ");
  expect(JSON.parse(fileOf("some", "annotations.json"))).toHaveProperty("annotations");
  const again = await runInHost(["merge", ...parts("part-3", "part,1", "part-2"), "--out", join(folder, "some")]);
  expect(again.code).toBe(73);
  expect(
    (
      await runInHost([
        "merge",
        ...parts("part-3", "part,1", "part-2"),
        "--out",
        join(folder, "some"),
        "--force",
        "--quiet",
      ])
    ).stderr,
  ).toBe("");
  expect(fileOf("some", "annotations.json")).toBe(fileOf("whole", "annotations.json"));
});

test.each([
  { code: 2, why: "no part at all", words: [], says: "PART... is missing" },
  { code: 2, why: "a part twice", words: parts("part-2", "part-2", "part-3"), says: "one folder" },
  { code: 65, why: "a run of the whole", words: parts("part-2", "whole"), says: "a run of the whole input" },
  { code: 66, why: "a folder that is not there", words: parts("part-9"), says: "part-9" },
])("$code: $why", async ({ code, words, says }) => {
  const ended = await runInHost(["merge", ...words, "--out", join(folder, "none"), "--json"]);
  expect(ended.code, ended.stderr).toBe(code);
  expect(summaryOf(ended)).toMatchObject({ type: "error" });
  expect(ended.stderr).toContain(says);
});

test("2: --shard auto outside a job names what it looked for", async () => {
  const ended = await annotate("lonely", ["--shard", "auto"]);
  expect(ended.code).toBe(2);
  expect(ended.stderr).toContain("JOB_COMPLETION_INDEX and JOB_COMPLETIONS (Kubernetes indexed job)");
});
