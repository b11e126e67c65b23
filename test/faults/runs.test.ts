import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../src/random.js";
import type { AtWork } from "../helpers/command.js";
import { BIN, endAll, runToEnd, start, startInHost } from "../helpers/command.js";
import { FaultCase, IS_FULL, count } from "./ledger.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  ALL_FORMATS,
  FEW_FORMATS,
  annotateArgs,
  differences,
  filesOf,
  makeSmallData,
  newHome,
  problemsAfterDeath,
  removeHome,
  resumeProblems,
  runTool,
  runSoundly,
  runUndisturbed,
  undisturbed,
} from "./small-run.js";

/** Boxes per image: in the short form 60 on three images, so that a run can be met in the middle. */
const PER_IMAGE = count(60, 20);

const home = newHome();
let data: SmallData;
let straight: Undisturbed;
beforeAll(async () => {
  data = await makeSmallData(home, PER_IMAGE, count(6, 3));
  straight = await runUndisturbed(data, ...FEW_FORMATS);
}, 120_000);
afterEach(endAll);
afterAll(() => {
  removeHome(home);
});

let outputs = 0;
const newOut = (): string => join(home, `out-${++outputs}`);

async function inTheMiddle(run: AtWork, out: string, lines = 5): Promise<void> {
  await run.says("drawing with");
  const journal = join(out, "journal.ndjson");
  const isOver = run.ended.then(() => true);
  while (!existsSync(journal) || readFileSync(journal, "latin1").split("\n").length < lines)
    if (await Promise.race([isOver, wait(5, false)])) return;
}

test(
  "a second run into one folder is refused, by name of the first, whatever it asks for; the first is not disturbed",
  async () => {
    const faults = new FaultCase("two runs into one folder");
    for (let number = 0; number < count(5, 1); number++) {
      const out = newOut(),
        link = newOut();
      const first = start(annotateArgs(data, out, ...FEW_FORMATS));
      await inTheMiddle(first, out);
      symlinkSync(out, link);
      first.child.kill("SIGSTOP"); // So that it is still at work when the others come.
      const others = await Promise.all(
        [[], ["--resume"], ["--force"]].flatMap((more) =>
          [out, link].map((path) => runSoundly(annotateArgs(data, path, ...more))),
        ),
      );
      first.child.kill("SIGCONT");
      for (const { code, stderr } of others)
        faults.add(
          code === 73 && stderr.includes(`process ${first.child.pid} on `)
            ? []
            : [`the second ended with ${code}: ${stderr}`],
        );
      const { code } = await first.ended;
      faults.add(code === straight.code ? differences(straight.files, filesOf(out)) : [`the first ended with ${code}`]);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

test(
  "of several runs that resume a killed one at the same moment one goes on and the others are refused",
  async () => {
    const faults = new FaultCase("stale lock, several runs at once");
    for (let number = 0; number < count(5, 1); number++) {
      const out = newOut();
      const first = start(annotateArgs(data, out, ...FEW_FORMATS));
      await inTheMiddle(first, out);
      first.child.kill("SIGKILL");
      await first.ended;
      const ended = await Promise.all(
        [1, 2, 3].map(() => runToEnd(annotateArgs(data, out, ...FEW_FORMATS, "--resume"))),
      );
      const won = ended.filter(({ code }) => code === straight.code),
        refused = ended.filter(({ code }) => code === 73);
      // A slow starter may come when the winner is done: it then finds a finished run and resumes it, which changes
      // nothing.
      const problems =
        won.length >= 1 && won.length + refused.length === 3
          ? []
          : [`ended with ${ended.map(({ code, stderr }) => `${code}: ${stderr}`).join("\n")}`];
      if (!ended.some(({ stderr }) => stderr.includes("ended without a word; taking over")))
        problems.push("nobody says that a dead run's lock was taken over");
      faults.add([...problems, ...differences(straight.files, filesOf(out))]);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

/** What happens to an image that is still to be read. */
const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  vanishes: (path) => {
    rmSync(path);
  },
  "is cut": (path) => {
    truncateSync(path, 900);
  },
  "is emptied": (path) => {
    truncateSync(path, 0);
  },
  "becomes text": (path) => {
    writeFileSync(path, "no image");
  },
  "becomes another image": (path) => {
    copyFileSync(join(import.meta.dirname, "..", "..", "fixtures", "images", "park.jpg"), path);
  },
  "becomes a folder": (path) => {
    rmSync(path);
    mkdirSync(path);
  },
  "becomes a pipe": (path) => {
    rmSync(path);
    execFileSync("mkfifo", [path]);
  },
  "becomes a link to a device": (path) => {
    rmSync(path);
    symlinkSync("/dev/zero", path);
  },
  "becomes a link out of the folder": (path) => {
    const outside = join(home, `moved-${basename(path)}`);
    renameSync(path, outside);
    symlinkSync(outside, path);
  },
};

test.skipIf(process.platform === "win32")(
  "an image that vanishes, changes or becomes unreadable during the run is a failure with its reason; brought back, --resume completes",
  async () => {
    const faults = new FaultCase("images that vanish, change or become unreadable");
    const changed = data.imageNames.slice(-2),
      kept = join(home, "kept");
    mkdirSync(kept);
    for (const name of changed) copyFileSync(join(data.images, name), join(kept, name));
    const whole = newOut();
    const straight = undisturbed(whole, await runSoundly(annotateArgs(data, whole, ...ALL_FORMATS)));
    for (const [what, change] of Object.entries(CHANGES).filter((_, i) => IS_FULL || i % 6 === 0 || i === 7)) {
      const out = newOut();
      const run = (IS_FULL ? start : startInHost)(annotateArgs(data, out, ...ALL_FORMATS));
      await inTheMiddle(run, out);
      process.kill(run.pid, "SIGSTOP"); // A fast run may read on meanwhile.
      try {
        for (const name of changed) change(join(data.images, name));
      } finally {
        process.kill(run.pid, "SIGCONT");
      }
      const ended = await Promise.race([run.ended, wait(60_000)]);
      const problems =
        ended === undefined
          ? ["hangs"]
          : ended.code === 1
            ? []
            : [`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`];
      if (ended === undefined) process.kill(run.pid, "SIGKILL");
      if (ended?.code === 1) {
        const { failed, failedByReason } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as {
          failed: number;
          failedByReason: Record<string, number>;
        };
        const ofImages = Object.entries(failedByReason)
          .filter(([reason]) => reason.startsWith("image-"))
          .reduce((sum, [, times]) => sum + times, 0);
        if (ofImages === 0 || ofImages > 2 * PER_IMAGE)
          problems.push(`${ofImages} of ${failed} failures are of images`);
      }
      for (const name of changed) {
        rmSync(join(data.images, name), { recursive: true, force: true });
        copyFileSync(join(kept, name), join(data.images, name));
      }
      problems.push(...(await resumeProblems(data, out, straight, ...ALL_FORMATS)).problems);
      faults.add(problems.map((problem) => `${what}: ${problem}`));
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

/** Signals, each with a pause before it, and how the process may end. */
const STOPS: Readonly<
  Record<
    string,
    { readonly signals: readonly (readonly [NodeJS.Signals, number])[]; readonly codes: readonly (number | string)[] }
  >
> = {
  SIGTERM: { signals: [["SIGTERM", 0]], codes: [130] },
  SIGINT: { signals: [["SIGINT", 0]], codes: [130] },
  "SIGINT twice": {
    signals: [
      ["SIGINT", 0],
      ["SIGINT", 400],
    ],
    codes: [130, "SIGINT"],
  },
  SIGHUP: { signals: [["SIGHUP", 0]], codes: [130] },
  "SIGINT, SIGTERM, SIGHUP at once": {
    signals: [
      ["SIGINT", 0],
      ["SIGTERM", 0],
      ["SIGHUP", 0],
    ],
    codes: [130],
  },
};

test(
  "a stop by signal, once or twice, leaves a run that --resume completes",
  async () => {
    // The short form: one signal, one twice, several at once.
    for (const [name, { signals, codes }] of Object.entries(STOPS).filter((_, i) => IS_FULL || i % 2 === 0)) {
      const faults = new FaultCase(`stop: ${name}`);
      for (let number = 0; number < count(6, 1); number++) {
        const out = newOut();
        const run = start(annotateArgs(data, out, ...FEW_FORMATS));
        await inTheMiddle(run, out, 2 + createRandom(`${name} ${number}`).integer(count(100, 40)));
        for (const [signal, pause] of signals) {
          await wait(pause);
          run.child.kill(signal);
        }
        const { code, signal, stderr } = await run.ended;
        // Stopped while the last files are written: the run is as good as done and ends as usual. Later still, when
        // everything is said and written, node takes its handlers down some 20 ms before the process is gone, and a
        // signal then ends what is left of it.
        const isTooLate = signals.some(([name]) => name === signal) && isFinished(out);
        const problems =
          [...codes, straight.code].includes(code ?? signal) || isTooLate
            ? []
            : [`ended with ${code ?? signal}: ${stderr}`];
        problems.push(
          ...problemsAfterDeath(out, straight.files),
          ...(await resumeProblems(data, out, straight, ...FEW_FORMATS)).problems,
        );
        faults.add(problems);
        removeHome(out);
      }
      faults.note();
      expect(faults.losses).toEqual([]);
    }
  },
  count(1_200_000, 300_000),
);

/** Nobody is at work in the folder any more, and its summary says that nothing was left. */
function isFinished(out: string): boolean {
  const summary = join(out, "summary.json");
  return (
    !existsSync(join(out, "run.lock")) &&
    existsSync(summary) &&
    (JSON.parse(readFileSync(summary, "utf8")) as { remaining: number }).remaining === 0
  );
}

test.skipIf(process.platform === "win32")(
  "a reader that takes one line and goes (| head -1) ends the run quietly with 0",
  async () => {
    const faults = new FaultCase("closed pipe on standard output (| head -1)");
    for (let number = 0; number < count(6, 1); number++) {
      const words = annotateArgs(data, "-", "--quiet")
        .map((word) => `'${word}'`)
        .join(" ");
      const { code, stdout, stderr } = await runTool("bash", [
        "-c",
        `set -o pipefail; '${process.execPath}' '${BIN}' ${words} | head -1`,
      ]);
      const isLine = stdout.endsWith("\n") && "segmentation" in (JSON.parse(stdout) as object);
      faults.add(
        code === 0 && isLine && !/EPIPE|polyrnn: /.test(stderr) ? [] : [`ended with ${code}: ${stdout} ${stderr}`],
      );
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(600_000, 300_000),
);

test.skipIf(process.platform !== "linux")(
  "a terminal that goes away stops the run in good order, and --resume completes",
  async () => {
    const faults = new FaultCase("terminal goes away");
    for (let number = 0; number < count(6, 1); number++) {
      const out = newOut();
      // script opens a terminal and runs the command in it; when script dies, the terminal is gone and the kernel sends
      // SIGHUP.
      const words = annotateArgs(data, out, ...FEW_FORMATS, "--json")
        .map((word) => `'${word}'`)
        .join(" ");
      const terminal = spawn("script", ["-qec", `exec '${process.execPath}' '${BIN}' ${words}`, "/dev/null"], {
        stdio: ["pipe", "ignore", "ignore"],
        detached: true,
      });
      const gone = once(terminal, "exit");
      const journal = join(out, "journal.ndjson");
      while (!existsSync(journal) || readFileSync(journal, "latin1").split("\n").length < 5) await wait(5);
      const { pid } = JSON.parse(readFileSync(join(out, "run.lock"), "utf8")) as { pid: number };
      terminal.kill("SIGKILL");
      await gone;
      const problems = (await hasEnded(pid)) ? [] : ["the run goes on for nobody"];
      if (existsSync(join(out, "run.lock"))) problems.push("the lock was not released: it did not end in good order");
      else if (!existsSync(join(out, "summary.json"))) problems.push("there is no summary");
      problems.push(
        ...problemsAfterDeath(out, straight.files),
        ...(await resumeProblems(data, out, straight, ...FEW_FORMATS)).problems,
      );
      faults.add(problems);
      removeHome(out);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(600_000, 300_000),
);

/** Waits up to half a minute for a process that is not our child. */
async function hasEnded(pid: number): Promise<boolean> {
  for (let i = 0; i < 300; i++) {
    if (!existsSync(`/proc/${pid}`)) return true;
    await wait(100);
  }
  process.kill(pid, "SIGKILL");
  return false;
}
