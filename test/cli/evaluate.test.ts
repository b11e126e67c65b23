import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { annotation, useFolder, writeCoco } from "../evaluate/small-dataset.js";
import { memoryTerminal } from "./memory-terminal.js";

const folder = useFolder();
const CAR = annotation(11, 10, 10, 20, 10);
const OTHER = annotation(12, 50, 40, 20, 10);

async function evaluate(
  more: readonly string[] = [],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const predictions = writeCoco(folder.path, "annotations.json", [CAR]);
  const truth = writeCoco(folder.path, "gt.json", [CAR, OTHER]);
  const terminal = memoryTerminal({ env });
  const code = await run(["evaluate", predictions, "--truth", truth, "--bootstrap", "50", ...more], terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

test("a run folder stands for its annotations.json, for the predictions and for files to compare with", async () => {
  const byFile = await evaluate(["--json", "--compare", "none"]);
  const truth = join(folder.path, "gt.json");
  const terminal = memoryTerminal({});
  const args = ["evaluate", folder.path, "--truth", truth, "--bootstrap", "50", "--force", "--json"];
  expect(await run([...args, "--compare", `again=${folder.path}`], terminal)).toBe(0);
  const { iou, compared, out } = JSON.parse(terminal.stdout.text) as {
    iou: unknown;
    compared: { name: string; instanceMean: unknown; classMean: unknown }[];
    out: string;
  };
  expect(iou).toEqual((JSON.parse(byFile.stdout) as { iou: unknown }).iou);
  expect(compared).toEqual([{ name: "again", ...(iou as object) }]);
  expect(out).toBe(join(folder.path, "polyrnn-eval"));
});

test.each([
  { why: "is no JSON", text: '{"model"', received: "run.json: expected JSON but" },
  { why: "is a list", text: "[]", received: "run.json: expected an object, received a list of 0" },
  {
    why: "has a context that is a text",
    text: '{"options":{"context":"0.2"}}',
    received: "expected a number options.c",
  },
  {
    why: "has a model without a name",
    text: '{"model":{"name":7}}',
    received: "expected a text model.name, received 7",
  },
])("a run folder whose run.json $why is refused; the predictions alone are not", async ({ text, received }) => {
  await evaluate();
  writeFileSync(join(folder.path, "run.json"), text);
  const [terminal, alone] = [memoryTerminal({}), memoryTerminal({})];
  const args = ["--truth", join(folder.path, "gt.json"), "--bootstrap", "0", "--force"];
  expect(await run(["evaluate", folder.path, ...args], terminal)).toBe(65);
  expect(terminal.stderr.text).toContain(received);
  expect(await run(["evaluate", join(folder.path, "annotations.json"), ...args], alone)).toBe(0);
  expect(alone.stderr.text).toContain(received);
});

test.each([
  { why: "a run that wrote no COCO file", files: ["run.json"], received: "received a run without it" },
  { why: "a folder that is no run", files: [], received: "received a folder without it" },
])("$why is refused with what to do", async ({ files, received }) => {
  await evaluate();
  const other = join(folder.path, "other");
  mkdirSync(other);
  for (const name of files) writeFileSync(join(other, name), "{}");
  const terminal = memoryTerminal({});
  expect(await run(["evaluate", other, "--truth", join(folder.path, "gt.json")], terminal)).toBe(66);
  expect(terminal.stderr.text).toContain(received);
});

test("published figures are shown on request only", async () => {
  await evaluate();
  const reports = (): string =>
    ["report.md", "report.html"].map((name) => readFileSync(join(folder.path, "polyrnn-eval", name), "utf8")).join();
  expect(reports()).not.toMatch(/published/i);
  await evaluate(["--published", "--force"]);
  expect(reports()).toContain("Published, other data");
  expect(reports()).toContain("Published numbers on Cityscapes");
  expect(reports()).not.toContain("61.40");
});

test("polyrnn evaluate writes the report beside the predictions and says the score, what failed and where it wrote", async () => {
  const { code, stdout, stderr } = await evaluate();
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  expect(readdirSync(join(folder.path, "polyrnn-eval")).sort()).toEqual([
    "instances.csv",
    "report.html",
    "report.json",
    "report.md",
  ]);
  expect(stderr).toContain("mean IoU 0.5000 (95 % interval ");
  expect(stderr).toContain("over 2 instances");
  expect(stderr).toContain("box 1.0000, square 0.5000, ellipse 0.");
  expect(stderr).toContain("1 counted as IoU 0: 1 prediction-missing");
  expect(stderr).toContain(
    `wrote ${join(folder.path, "polyrnn-eval")}/: report.html, report.md, report.json, instances.csv`,
  );
});

test("instances.csv has a line per truth annotation, with a column per method", async () => {
  await evaluate(["--compare", "box"]);
  const lines = readFileSync(join(folder.path, "polyrnn-eval", "instances.csv"), "utf8").split("\r\n");
  expect(lines[0]).toBe(
    "annotation_id,image_id,file_name,status,reason,from,category,source,truth_area,size,score,vertices,iou,boundary_iou,box iou,box boundary_iou,grid-ceiling iou,grid-ceiling boundary_iou",
  );
  expect(lines[1]).toMatch(/^11,1,weimar_000001\.jpg,evaluated,,,car,,200,small,,4,1,1,1,1,/);
  expect(lines[2]).toMatch(/^12,1,weimar_000001\.jpg,failed,prediction-missing,,car,,200,small,,0,0,0,1,1,/);
  expect(lines).toHaveLength(4);
});

test.each([
  { limit: "0.5", code: 0, passed: true },
  { limit: "0.51", code: 1, passed: false },
])("--fail-under $limit with a mean of 0.5 exits with $code, and --json says so", async ({ limit, code, passed }) => {
  const result = await evaluate(["--fail-under", limit, "--json", "--compare", "none"]);
  expect(result.code).toBe(code);
  expect(JSON.parse(result.stdout)).toMatchObject({
    version: 1,
    type: "evaluation",
    evaluated: 2,
    failed: 1,
    excluded: 0,
    iou: { instanceMean: { mean: 0.5, count: 2 } },
    compared: [],
    failUnder: { limit: Number(limit), passed },
    written: ["report.html", "report.md", "report.json", "instances.csv"],
  });
  expect(result.stdout.trimEnd().split("\n")).toHaveLength(1);
});

test("--quiet says nothing when all is well", async () => {
  expect(await evaluate(["--quiet"])).toEqual({ code: 0, stdout: "", stderr: "" });
});

test("a second report needs --force", async () => {
  await evaluate(["--quiet"]);
  const again = await evaluate(["--quiet"]);
  expect(again.code).toBe(73);
  expect(again.stderr).toContain("--force");
  expect((await evaluate(["--quiet", "--force"])).code).toBe(0);
});

test("an evaluation that fails leaves an earlier report as it was, and nothing half-written", async () => {
  await evaluate(["--quiet"]);
  const out = join(folder.path, "polyrnn-eval");
  const before = readFileSync(join(out, "report.json"), "utf8");
  const bad = join(folder.path, "bad.json");
  writeFileSync(bad, "[]");
  const terminal = memoryTerminal();
  expect(await run(["evaluate", bad, "--truth", join(folder.path, "gt.json"), "--force"], terminal)).toBe(65);
  expect(readFileSync(join(out, "report.json"), "utf8")).toBe(before);
  expect(readdirSync(out).sort()).toEqual(["instances.csv", "report.html", "report.json", "report.md"]);
});

test("GITHUB_STEP_SUMMARY gets the Markdown report", async () => {
  const path = join(folder.path, "summary.md");
  await evaluate(["--quiet"], { GITHUB_STEP_SUMMARY: path });
  expect(readFileSync(path, "utf8")).toBe(readFileSync(join(folder.path, "polyrnn-eval", "report.md"), "utf8"));
});

test.each([
  { words: ["--compare", "bx"], message: "Did you mean box?" },
  { words: ["--fail-under", "60"], message: "a number from 0 to 1" },
  { words: ["--seed", "1.5"], message: "a whole number from 0 to 4294967295" },
  { words: ["--group-by", "sorce"], message: '"sorce"' },
  { words: ["--compare", "grabcut"], message: "--images" },
])("polyrnn evaluate $words is refused: $message", async ({ words, message }) => {
  const { code, stderr } = await evaluate(words);
  expect([2, 65]).toContain(code);
  expect(stderr).toContain(message);
  expect(existsSync(join(folder.path, "polyrnn-eval", "report.json"))).toBe(false);
});

test("a stop leaves no report and exits with 130", async () => {
  const predictions = writeCoco(folder.path, "annotations.json", [CAR]);
  const truth = writeCoco(folder.path, "gt.json", [CAR, OTHER]);
  const terminal = memoryTerminal();
  terminal.stop.abort();
  expect(await run(["evaluate", predictions, "--truth", truth], terminal)).toBe(130);
  expect(terminal.stderr.text).toContain("no report was written");
  expect(existsSync(join(folder.path, "polyrnn-eval"))).toBe(false);
});

test.skipIf(process.platform !== "linux")(
  "a report folder in a place that takes no new folders (/proc) is refused at once",
  async () => {
    const { code, stderr } = await evaluate(["--out", "/proc/polyrnn/report"]);
    expect(code).toBe(73);
    expect(stderr).toContain("/proc/polyrnn: expected to make a folder here, but /proc takes none");
  },
);
