import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../src/random.js";
import type { Ended } from "../helpers/command.js";
import { endAll, runToEnd } from "../helpers/command.js";
import { FaultCase, IS_FULL, count } from "./ledger.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  ALL_FORMATS,
  annotateArgs,
  makeSmallData,
  newHome,
  problemsAfterDeath,
  removeHome,
  resumeProblems,
  runTool,
  runUndisturbed,
} from "./small-run.js";

const home = newHome();
let data: SmallData;
let straight: Undisturbed;
beforeAll(async () => {
  data = await makeSmallData(home, count(10, 4), count(6, 3));
  straight = await runUndisturbed(data, ...ALL_FORMATS);
}, 120_000);
afterEach(endAll);
afterAll(() => {
  removeHome(home);
});

const has = (tool: string, ...words: string[]): boolean => spawnSync(tool, words, { stdio: "ignore" }).status === 0;
const canLimitFiles = has("prlimit", "--version");
const canMount =
  process.getuid?.() === 0 &&
  (() => {
    const place = join(home, "try");
    mkdirSync(place);
    const works = has("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place);
    if (works) execFileSync("umount", [place]);
    return works;
  })();
/**
 * Only the calls in question stop the process (--seccomp-bpf), not each of its calls. strace counts them by thread: with
 * one in libuv's pool the third sync is the third of the run.
 */
const STRACE = ["-f", "--seccomp-bpf", "-E", "UV_THREADPOOL_SIZE=1"];
const canInject = has("strace", ...STRACE, "-o", "/dev/null", "-e", "inject=fdatasync:error=EIO:when=1000", "true");

/**
 * After a run that could not write: the right exit code, words that name a path, a valid journal, nothing half-written.
 */
function problemsOf(ended: Ended, out: string, words: RegExp): string[] {
  // Of many random limits some lie beyond what a run needs; the only one of the short form is reached.
  if (ended.code === straight.code) return IS_FULL ? [] : ["the limit was not reached"];
  const problems = problemsAfterDeath(out, straight.files);
  if (ended.code !== 73) problems.push(`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`);
  else if (!words.test(ended.stderr)) problems.push(`not a clear error: ${ended.stderr}`);
  return problems;
}

test.skipIf(!canLimitFiles)(
  "a file size limit reached at any byte, as a full disk: exit code 73, and --resume completes when there is room",
  async () => {
    const faults = new FaultCase("file size limit during journal, annotations, overlays");
    const largest = Math.max(
      ...readdirSync(straight.out, { recursive: true, encoding: "utf8" }).map(
        (name) => statSync(join(straight.out, name)).size,
      ),
    );
    for (let number = 0; number < count(24, 1); number++) {
      const out = join(home, `limited-${number}`);
      // Even spread of orders: small limits stop the journal, larger ones the files built from it.
      const limit = Math.round(200 * (largest / 200) ** createRandom(`limit ${number}`).next());
      const words = [
        "--fsize=" + String(limit),
        process.execPath,
        join(import.meta.dirname, "..", "..", "bin", "polyrnn.js"),
        ...annotateArgs(data, out, ...ALL_FORMATS),
      ];
      const problems = problemsOf(
        await runTool("prlimit", words),
        out,
        /larger than this system allows|File too large|EFBIG/,
      );
      problems.push(...(await resumeProblems(data, out, straight, ...ALL_FORMATS)).problems);
      faults.add(problems.map((problem) => `limit ${limit}: ${problem}`));
      removeHome(out);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

test.skipIf(!canMount)(
  "a disk that is full at any moment: exit code 73, and --resume completes when there is room",
  async () => {
    const faults = new FaultCase("disk full (tmpfs of bytes or of files)");
    const total = readdirSync(straight.out, { recursive: true, encoding: "utf8" }).reduce(
      (bytes, name) => bytes + Math.ceil(statSync(join(straight.out, name)).size / 4096) * 4096,
      0,
    );
    for (let number = 0; number < count(24, 1); number++) {
      const random = createRandom(`disk ${number}`);
      const out = join(home, `disk-${number}`); // The disk itself: at another depth, relative paths in the files would differ.
      mkdirSync(out);
      const limit =
        number % 4 === 3
          ? `size=100m,nr_inodes=${3 + random.integer(20)}`
          : `size=${Math.max(4096, Math.round(total * random.next() ** 2))}`;
      execFileSync("mount", ["-t", "tmpfs", "-o", limit, "tmpfs", out]);
      try {
        const problems = problemsOf(
          await runToEnd(annotateArgs(data, out, ...ALL_FORMATS)),
          out,
          /disk is full|ENOSPC|no space/i,
        );
        execFileSync("mount", ["-o", "remount,size=100m,nr_inodes=10000", out]);
        problems.push(...(await resumeProblems(data, out, straight, ...ALL_FORMATS)).problems);
        faults.add(problems.map((problem) => `${limit}: ${problem}`));
      } finally {
        execFileSync("umount", [out]);
      }
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

test.skipIf(!canInject)(
  "an I/O error of a sync, a rename or a cut: exit code 73, and --resume completes on a sound disk",
  async () => {
    const faults = new FaultCase("I/O errors (EIO) of fdatasync, fsync, rename");
    for (let number = 0; number < count(15, 1); number++) {
      const random = createRandom(`error ${number}`);
      const call = ["fdatasync", "fsync", "rename"][number % 3]!;
      const out = join(home, `failing-${number}`);
      const inject = `inject=${call}:error=EIO:when=${1 + random.integer(call === "fdatasync" ? count(15, 3) : 12)}`;
      const words = [
        ...STRACE,
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        `trace=${call}`,
        "-e",
        inject,
        process.execPath,
        join(import.meta.dirname, "..", "..", "bin", "polyrnn.js"),
        ...annotateArgs(data, out, ...ALL_FORMATS),
      ];
      const problems = problemsOf(await runTool("strace", words), out, /EIO|i\/o error/i);
      problems.push(...(await resumeProblems(data, out, straight, ...ALL_FORMATS)).problems);
      faults.add(problems.map((problem) => `${inject}: ${problem}`));
      removeHome(out);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

test.skipIf(process.platform !== "linux")(
  "standard output on a full disk: exit code 73 and a clear error",
  async () => {
    const faults = new FaultCase("standard output on a full disk");
    const bin = join(import.meta.dirname, "..", "..", "bin", "polyrnn.js");
    const words = annotateArgs(data, "-", "--quiet")
      .map((word) => `'${word}'`)
      .join(" ");
    const ended = await runTool("bash", ["-c", `'${process.execPath}' '${bin}' ${words} > /dev/full`]);
    faults.add(
      ended.code === 73 && ended.stderr.includes("standard output")
        ? []
        : [`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`],
    );
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  120_000,
);

if (!canLimitFiles || !canMount || !canInject) {
  console.log(
    `left out for want of ${[canLimitFiles ? "" : "prlimit", canMount ? "" : "mount as root", canInject ? "" : "strace"].filter((name) => name !== "").join(", ")}`,
  );
}
