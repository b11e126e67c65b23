/**
 * The steps of action.yml, run as GitHub runs them: `bash --noprofile --norc -eo pipefail` with the step's environment.
 * The step that installs finds the build of this checkout and has nothing to do; with POLYRNN_INSTALL_TEST=1, which
 * .ci/run sets, it also runs in a fresh clone, where it installs and builds.
 */
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const ROOT = join(import.meta.dirname, "..", "..");
const FIXTURES = join(ROOT, "fixtures");
const folder = temporaryFolder();

/** Two images of the sample; random weights draw a polygon for each of their boxes. */
const BOXES = join(folder, "boxes.json");
const sample = JSON.parse(readFileSync(join(FIXTURES, "boxes.json"), "utf8")) as {
  images: { id: number; file_name: string }[];
  annotations: { image_id: number; iscrowd?: number }[];
};
sample.images = sample.images.filter(({ file_name }) => /^(park|street)\.jpg$/.test(file_name));
sample.annotations = sample.annotations.filter(({ image_id }) => sample.images.some(({ id }) => id === image_id));
writeFileSync(BOXES, JSON.stringify(sample));
const DRAWN = sample.annotations.filter(({ iscrowd }) => iscrowd !== 1).length;

interface Step {
  readonly name: string;
  readonly id?: string;
  readonly if?: string;
  readonly shell: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly run: string;
}
interface Action {
  readonly inputs: Readonly<Record<string, { readonly required?: boolean; readonly default?: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
}
const action = parse(readFileSync(join(ROOT, "action.yml"), "utf8")) as Action;

const hasBash = process.platform !== "win32" && existsSync("/bin/bash");

interface Job {
  readonly code: number;
  readonly text: string;
  readonly outputs: string;
  readonly markdown: string;
  readonly ran: readonly string[];
  readonly out: string;
}

let jobs = 0;
/** All steps until one fails. @param only the steps of these names; of the others one knows how they end */
async function runJob(
  given: Readonly<Record<string, string>>,
  {
    actionPath = ROOT,
    runner = {},
    only,
  }: { actionPath?: string; runner?: Readonly<Record<string, string>>; only?: string } = {},
): Promise<Job> {
  const home = join(folder, `job ${++jobs}`); // Paths with spaces happen.
  mkdirSync(home);
  const files = {
    GITHUB_OUTPUT: join(home, "output"),
    GITHUB_STEP_SUMMARY: join(home, "summary.md"),
    RUNNER_TEMP: home,
    GITHUB_ACTION_PATH: actionPath,
  };
  for (const path of [files.GITHUB_OUTPUT, files.GITHUB_STEP_SUMMARY]) writeFileSync(path, "");
  const inputs: Record<string, string> = {
    images: join(FIXTURES, "images"),
    boxes: BOXES,
    out: join(home, "out"),
    ...given,
  };
  for (const name of Object.keys(given)) expect(Object.keys(action.inputs)).toContain(name);
  const valueOf = (name: string): string => inputs[name] ?? action.inputs[name]!.default!;
  let text = "",
    code = 0;
  const ran: string[] = [];
  for (const step of action.runs.steps) {
    if (only !== undefined && step.name !== only) continue;
    const condition = /^\$\{\{ inputs\.([\w-]+) != '' \}\}$/.exec(step.if ?? "")?.[1];
    if (step.if !== undefined && condition === undefined)
      throw new Error(`the test does not know the condition ${step.if}`);
    if (condition !== undefined && valueOf(condition) === "") continue;
    const env = Object.fromEntries(
      Object.entries(step.env ?? {}).map(([name, value]) => [
        name,
        value.replace(/\$\{\{ inputs\.([\w-]+) \}\}/g, (_, input: string) => valueOf(input)),
      ]),
    );
    const script = join(home, "step.sh");
    writeFileSync(script, step.run);
    ran.push(step.name);
    const ended = await shell(script, { ...runner, ...files, ...env }, home);
    text += ended.text;
    code = ended.code;
    if (code !== 0) break;
  }
  return {
    code,
    text,
    outputs: readFileSync(files.GITHUB_OUTPUT, "utf8"),
    markdown: readFileSync(files.GITHUB_STEP_SUMMARY, "utf8"),
    ran,
    out: inputs["out"]!,
  };
}

function shell(
  script: string,
  env: Readonly<Record<string, string>>,
  cwd: string,
): Promise<{ code: number; text: string }> {
  const child = spawn("bash", ["--noprofile", "--norc", "-eo", "pipefail", script], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, POLYRNN_THREADS: "1", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (some: string) => {
      text += some;
    });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code: code ?? -1, text });
    });
  });
}

const ARGS = `--model=${join(FIXTURES, "models", "tiny-random")}\n--device=cpu\n--overlays=none\n\n--max-steps=4`;

test("the action uses no other action, and inputs reach the shell as variables only", () => {
  expect(action.runs.using).toBe("composite");
  for (const step of action.runs.steps) {
    expect(step).not.toHaveProperty("uses");
    expect(step.shell).toBe("bash");
    expect(step.run).not.toContain("${{");
  }
});

describe.skipIf(!hasBash)("the steps by a plain shell", () => {
  test("draw all, write the job summary and the outputs", async () => {
    const job = await runJob({ args: ARGS });
    expect(job.code, job.text).toBe(0);
    expect(job.ran).toEqual(["Install polyrnn", "Draw polygons"]);
    expect(job.outputs).toBe(`done=${DRAWN}\nfailed=0\n`);
    expect(job.markdown).toContain(`| **Polygons drawn** | **${DRAWN}** |`);
    expect(existsSync(join(job.out, "annotations.json"))).toBe(true);
  });

  test("the next night draws what is new; where there is no last run, all", async () => {
    const boxes = join(folder, "fewer.json");
    writeFileSync(boxes, JSON.stringify({ ...sample, annotations: sample.annotations.slice(0, 10) }));
    const last = join(folder, "last run.json");
    const first = await runJob({ args: ARGS, boxes, "only-new": last });
    expect(first.code, first.text).toBe(0);
    expect(first.text).toContain("is not there: drawing all");
    cpSync(join(first.out, "annotations.json"), last);
    const second = await runJob({ args: ARGS, "only-new": last });
    expect(second.code, second.text).toBe(0);
    const done = (job: Job): number => Number(/done=(\d+)/.exec(job.outputs)?.[1]);
    expect(done(first) + done(second)).toBe(DRAWN);
    expect(second.markdown).toContain(`| already-done | ${done(first)} |`);
  });

  test("failures fail the job, unless max-failed allows them; the summary names them", async () => {
    const images = join(folder, "images");
    mkdirSync(images);
    cpSync(join(FIXTURES, "images", "street.jpg"), join(images, "street.jpg"));
    const strict = await runJob({ args: ARGS, images });
    expect(strict.code, strict.text).toBe(1);
    const failed = Number(/failed=(\d+)/.exec(strict.outputs)?.[1]);
    expect(failed).toBeGreaterThan(1);
    expect(strict.markdown).toContain(`| image-missing | ${failed} |`);
    expect((await runJob({ args: ARGS, images, "max-failed": String(failed - 1) })).code).toBe(1);
    expect((await runJob({ args: ARGS, images, "max-failed": String(failed) })).code).toBe(0);
  });

  test("a mean IoU below fail-under fails the job, with the report in its summary", async () => {
    const given = { args: `${ARGS}\n--limit=4`, truth: BOXES };
    const low = await runJob({ ...given, "fail-under": "0.99" });
    expect(low.code, low.text).toBe(1);
    expect(low.ran).toEqual(["Install polyrnn", "Draw polygons", "Compare with the ground truth"]);
    expect(low.markdown).toContain("IoU");
    const out = join(folder, "drawn"); // without the report of the first
    mkdirSync(out);
    cpSync(join(low.out, "annotations.json"), join(out, "annotations.json"));
    const high = await runJob({ ...given, out, "fail-under": "0" }, { only: "Compare with the ground truth" });
    expect({ code: high.code, ran: high.ran }).toEqual({ code: 0, ran: ["Compare with the ground truth"] });
  });

  test("wrong usage and hostile inputs end the job with the program's own exit code and words, and run nothing else", async () => {
    const usage = await runJob({ args: "--no-such-option" });
    expect(usage.code, usage.text).toBe(2);
    expect(usage.text).toContain("unknown option --no-such-option");
    const hostile = await runJob({ args: ARGS, boxes: `$(touch ${join(folder, "owned")}); "quoted' *` });
    expect(hostile.code, hostile.text).toBe(66);
    expect(existsSync(join(folder, "owned"))).toBe(false);
    expect((await runJob({ args: ARGS, images: "--force" })).code).toBe(66);
  });
});

const isAsked = process.env["POLYRNN_INSTALL_TEST"] === "1" && existsSync(join(ROOT, ".git"));
if (!isAsked) console.log("the action's npm ci skipped: it takes minutes; set POLYRNN_INSTALL_TEST=1 in a checkout");

test.skipIf(!hasBash || !isAsked)(
  "in a checkout without a build the action installs and builds itself, also where the runner says production, and draws",
  async () => {
    const clone = join(folder, "action of a runner");
    const cloned = spawnSync("git", ["clone", "--quiet", ROOT, clone], { encoding: "utf8" });
    expect(cloned.status, cloned.stderr).toBe(0);
    expect(existsSync(join(clone, "dist"))).toBe(false);
    // npm's own configuration lies in the home folder.
    const runner = { HOME: process.env["HOME"] ?? folder, NODE_ENV: "production" };
    const job = await runJob({ args: ARGS }, { actionPath: clone, runner });
    expect(job.code, job.text).toBe(0);
    expect(existsSync(join(clone, "dist", "cli", "main.js"))).toBe(true);
    expect(job.outputs).toBe(`done=${DRAWN}\nfailed=0\n`);
  },
  900_000,
);

describe.skipIf(!hasBash)("a process that is killed", () => {
  test.each([
    { end: "kill -9 $$", code: 137, says: "polyrnn was killed (exit code 137)" },
    { end: "printf '{\"version\":1,'; kill -9 $$", code: 137, says: "polyrnn was killed (exit code 137)" },
    { end: "kill -15 $$", code: 143, says: "polyrnn was ended by signal 15 (exit code 143)" },
    { end: "exit 70", code: 70, says: "polyrnn ended without a summary (exit code 70)" },
  ])("says so, with its exit code: $end", async ({ end, code, says }) => {
    const bin = mkdtempSync(join(folder, "bin-"));
    const script = `#!/bin/bash\ncase " $* " in *" annotate "*) ${end};; *) exec "${process.execPath}" "$@";; esac\n`;
    writeFileSync(join(bin, "node"), script, { mode: 0o755 });
    const job = await runJob({ args: ARGS }, { runner: { PATH: `${bin}:${process.env["PATH"] ?? ""}` } });
    expect(job.code, job.text).toBe(code);
    expect(job.text).toContain(says);
    expect(job.text).not.toContain("SyntaxError");
    expect(job.outputs).toBe("");
  });
});
