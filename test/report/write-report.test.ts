import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { markdownCells } from "./markdown-cells.js";
import { plainText } from "../../src/report/markdown-text.js";
import { defaultReportFolder, finishReportFolder, prepareReportFolder } from "../../src/report/folder.js";
import { appendStepSummary, writeReportFiles } from "../../src/report/write-report.js";
import { reportMarkdown } from "../../src/report/markdown.js";
import { checkReport } from "./check-report.js";
import { HOSTILE_NAMES, sampleReport } from "./sample-report.js";
import { annotation, evaluateFiles, useFolder, writeCoco } from "../evaluate/small-dataset.js";

/** What keeps others out is looked at in test/cli/output-folders.test.ts. */
function prepare(out: string, inputs: readonly string[], force: boolean): ReturnType<typeof prepareReportFolder> {
  const lock = (): Promise<{ release: () => Promise<void> }> => Promise.resolve({ release: () => Promise.resolve() });
  return prepareReportFolder(out, inputs, { force, lock });
}

const folder = useFolder();
const CAR = annotation(11, 10, 10, 20, 10);

test("an evaluation becomes report.json, report.md and report.html; the JSON fits its schema", async () => {
  const evaluation = await evaluateFiles(
    writeCoco(folder.path, "p.json", [CAR]),
    writeCoco(folder.path, "t.json", [CAR]),
    {
      compare: [
        { kind: "shape", name: "box" },
        { kind: "shape", name: "ellipse" },
      ],
      groupBy: { kind: "prefix" },
    },
  );
  const written = await writeReportFiles(evaluation, folder.path, () => undefined);
  expect(written).toEqual(["report.html", "report.md", "report.json"]);
  const json = JSON.parse(readFileSync(join(folder.path, "report.json"), "utf8")) as unknown;
  expect(checkReport(json)).toBeUndefined();
  expect(json).toEqual(evaluation.report);
  expect(readFileSync(join(folder.path, "report.html"), "utf8")).toContain("<!doctype html>");
  const markdown = readFileSync(join(folder.path, "report.md"), "utf8");
  expect(markdown).toContain("| polyrnn | polygon | 1.000 (–) |");
  expect(markdown).toContain("COCO's rule");
});

test("the Markdown has the paper's tables, with the published numbers in columns that say so", () => {
  const markdown = reportMarkdown(sampleReport());
  for (const heading of [
    "## IoU by method",
    "## IoU by class",
    "## By object size",
    "## By source",
    "### All classes",
    "### Cars",
    "### Corrections at T = 1",
  ]) {
    expect(markdown).toContain(`${heading}\n`);
  }
  expect(markdown).toContain("\n## Where the error comes from\n");
  expect(markdown).toMatch(/\n\| vertices 9 to 16 \| 10 \| 0\.70\d .*\| \+0\.05\d .*, 17 % \|\n/);
  // Table 3's shape: methods are rows, groups are columns; masks say so.
  const sizes = markdown
    .split("## By object size")[1]!
    .split("\n")
    .filter((line) => line.startsWith("|"));
  expect(sizes[0]).toBe("| Method | Compared as | small | medium | large |");
  expect(sizes.find((line) => line.startsWith("| grabcut |"))).toContain("| mask |");
  // Methods without an annotator stand in Table 4 and beside Figure 5's numbers.
  expect(markdown.match(/\n\| grabcut, automatic \| 0 \|/g)).toHaveLength(2);
  expect(markdown.match(/\n\| grabcut, automatic \| 0\.720 \| – \|/g)).toHaveLength(1);
  const table = markdown
    .split("### All classes")[1]!
    .split("\n")
    .filter((line) => line.startsWith("|"));
  expect(table[0]).toContain("Published, other data: clicks");
  // T = 2 of the paper's Table 4: 11.77 clicks, IoU 81.43 %.
  expect(table.find((line) => line.startsWith("| 2 |"))).toMatch(/\| 11\.8 \| 0\.814 \|$/);
  expect(markdown).not.toMatch(/NaN|undefined|null/);
});

test("names from files stay text: no row gets another number of cells, and no HTML or link comes out", () => {
  const markdown = reportMarkdown(sampleReport());
  let width = 0;
  for (const line of markdown.split("\n")) {
    const cells = line.startsWith("|") ? markdownCells(line) : 0;
    if (cells > 0 && width > 0) expect(cells, line).toBe(width);
    width = cells;
  }
  expect(markdown).not.toMatch(/(?<!\\)<(?!details>|summary>|\/details>|\/summary>)/);
  expect(markdown).not.toMatch(/[\u0000\u202e]/); // eslint-disable-line no-control-regex -- what is looked for
  for (const name of HOSTILE_NAMES) expect(plainText(name).length).toBeLessThan(300);
  expect(plainText("a | b [x](http://y) `c` <i> &lt; @team #1\n# head")).toBe(
    "a \\| b \\[x\\]\\(http\\://y\\) \\`c\\` \\<i\\> \\&lt; \\@team \\#1 \\# head",
  );
});

test("the summary of a CI job is added to, not replaced; one that cannot be written is an error", async () => {
  const path = join(folder.path, "summary.md");
  writeFileSync(path, "earlier step\n");
  await appendStepSummary(path, { report: sampleReport(), imagePaths: new Map() });
  const text = readFileSync(path, "utf8");
  expect(text.startsWith("earlier step\n# Polygons against ground truth")).toBe(true);
  await expect(appendStepSummary(folder.path, { report: sampleReport(), imagePaths: new Map() })).rejects.toMatchObject(
    { exitCode: 73 },
  );
});

test("a report that GitHub would refuse for its size is replaced by a line that says where it is", async () => {
  const report = sampleReport();
  const group = report.methods[0]!.perClass[0]!;
  const perClass = Array.from({ length: 20_000 }, () => group);
  const path = join(folder.path, "summary.md");
  const methods = report.methods.map((method) => ({ ...method, perClass }));
  await appendStepSummary(path, {
    report: { ...report, methods, gridCeiling: { ...report.gridCeiling, perClass } },
    imagePaths: new Map(),
  });
  expect(readFileSync(path, "utf8")).toBe("The report is larger than a step summary may be; see report.md.\n");
});

test("the report goes beside the predictions; a folder with something in it needs --force, which keeps what is not a report's", async () => {
  const out = defaultReportFolder(join(folder.path, "annotations.json"));
  expect(out).toBe(join(folder.path, "polyrnn-eval"));
  await prepare(out, [], false);
  await prepare(out, [], false);
  writeFileSync(join(out, "notes.txt"), "mine");
  await expect(prepare(out, [], false)).rejects.toMatchObject({
    code: "E_OUT_NOT_EMPTY",
    exitCode: 73,
    message: expect.stringContaining("notes.txt") as string,
  });
  const ready = await prepare(out, [], true);
  await ready.takeBack();
  expect(readdirSync(out)).toEqual(["notes.txt"]);
});

test("what a killed report has left is no report: it is replaced", async () => {
  const out = join(folder.path, "killed");
  await prepare(out, [], false); // and the process is killed
  for (const name of ["instances.csv.partial", "clicks.csv.partial", "report.json.partial"])
    writeFileSync(join(out, name), "half");
  await prepare(out, [], false);
  expect(readdirSync(out)).toEqual(["report.unfinished"]);
  for (const name of ["instances.csv", "automatic.json", "report.md", "report.html.partial"])
    writeFileSync(join(out, name), "cut off before report.json");
  await prepare(out, [], false);
  for (const theirs of ["report.json", "notes.txt.partial"]) {
    writeFileSync(join(out, theirs), "{}");
    await expect(prepare(out, [], false)).rejects.toMatchObject({ code: "E_OUT_NOT_EMPTY" });
    rmSync(join(out, theirs));
  }
});

test("files of people stay, also where they have the names of a report's", async () => {
  const out = join(folder.path, "theirs");
  mkdirSync(out);
  for (const name of ["instances.csv", "report.md", "report.json.partial"]) {
    writeFileSync(join(out, name), "mine");
    await expect(prepare(out, [], false)).rejects.toMatchObject({ code: "E_OUT_NOT_EMPTY" });
    expect(readFileSync(join(out, name), "utf8")).toBe("mine");
    expect(readdirSync(out)).toEqual([name]);
    rmSync(join(out, name));
  }
});

test("a report that fails takes back what it began, and a whole one says that it is whole", async () => {
  const out = join(folder.path, "begun", "deep");
  const ready = await prepare(out, [], false);
  writeFileSync(join(out, "instances.csv"), "");
  await ready.takeBack();
  expect(existsSync(join(folder.path, "begun"))).toBe(false);
  await prepare(out, [], false);
  writeFileSync(join(out, "report.json"), "{}");
  await finishReportFolder(out);
  expect(readdirSync(out)).toEqual(["report.json"]);
});

test("an input is never written over, also when it is reached through a link", async () => {
  const out = join(folder.path, "out");
  mkdirSync(out);
  const input = join(out, "report.json");
  writeFileSync(input, "[]");
  symlinkSync(out, join(folder.path, "link"));
  await expect(prepare(join(folder.path, "link"), [input], true)).rejects.toMatchObject({ exitCode: 2 });
  expect(readFileSync(input, "utf8")).toBe("[]");
});

test.skipIf(process.getuid?.() === 0)("a folder that may not be written is said to be one", async () => {
  chmodSync(folder.path, 0o500);
  await expect(prepare(join(folder.path, "out"), [], false)).rejects.toMatchObject({ exitCode: 73 });
  expect(existsSync(join(folder.path, "out"))).toBe(false);
  chmodSync(folder.path, 0o700);
});
