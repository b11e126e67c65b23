import {
  copyFileSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
  writeSync,
  closeSync,
  existsSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { createRandom } from "../../src/random.js";
import { endAll, start } from "../helpers/command.js";
import { DAMAGES, damagedLines } from "./damages.js";
import { FaultCase, count } from "./ledger.js";
import type { Result } from "./malformed-runner.js";
import { MalformedRunner } from "./malformed-runner.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  ALL_FORMATS,
  FEW_FORMATS,
  annotateOptions,
  annotateArgs,
  differences,
  filesOf,
  makeSmallData,
  newHome,
  removeHome,
  resumeProblems,
  runUndisturbed,
} from "./small-run.js";

const homes: string[] = [];
const madeHome = (): string => {
  const home = newHome();
  homes.push(home);
  return home;
};
/** What is damaged between two runs, and the process that resumes. */
let data: SmallData;
let straight: Undisturbed;
const runner = new MalformedRunner();
const resumed = (out: string): Promise<Result> =>
  runner.run({ ...annotateOptions(data, out, true), threads: count(2, 1) }, 60_000);
beforeAll(async () => {
  data = await makeSmallData(madeHome(), count(5, 15), count(6, 2));
  straight = await runUndisturbed(data, ...ALL_FORMATS);
}, 120_000);
afterEach(endAll);
afterAll(() => {
  runner.stop();
  homes.forEach(removeHome);
});

test(
  "a journal cut, flipped or torn anywhere gives the same bytes after --resume, every damaged line named; never another polygon",
  async () => {
    const journal = readFileSync(join(straight.out, "journal.ndjson"));
    for (const [name, damage] of Object.entries(DAMAGES)) {
      const faults = new FaultCase(`journal: ${name}`);
      for (let number = 0; number < count(100, 1); number++) {
        const out = join(data.home, "damaged");
        mkdirSync(out);
        const damaged = damage(createRandom(`${name} ${number}`), journal);
        writeFileSync(join(out, "journal.ndjson"), damaged);
        const lines = damagedLines(journal, damaged);
        const isHeaderLost = lines[0] === 1 || !damaged.includes("\n");
        const result = await resumed(out);
        const problems: string[] = [];
        if (result.kind === "refused") {
          if (!isHeaderLost || result.exitCode !== 65 || !result.message.includes("line 1"))
            problems.push(`refused: ${result.message}`);
        } else if (result.kind === "ran") {
          if (isHeaderLost) problems.push("went on with a journal whose first line is lost");
          problems.push(...differences(straight.files, filesOf(out)));
          const note = result.notes.find((line) => line.includes("damaged line")) ?? "";
          for (const line of lines.slice(0, 10))
            if (!new RegExp(`\\b${line}\\b`).test(note))
              problems.push(`damaged line ${line} is not named in "${note}"`);
        } else {
          problems.push(result.kind);
        }
        faults.add(problems.map((problem) => `${name} ${number}: ${problem}`));
        removeHome(out);
      }
      faults.note();
      expect(faults.losses).toEqual([]);
    }
  },
  count(1_800_000, 300_000),
);

test(
  "damaged run.json, summary.json, annotations.json and leftovers of a killed run are written anew by --resume",
  async () => {
    const faults = new FaultCase("run.json, summary.json, annotations.json damaged; leftovers");
    const random = createRandom("files");
    for (const name of [
      "run.json",
      "summary.json",
      "annotations.json",
      "label-studio.json",
      "run.json.partial",
      "annotations.json.partial",
      "journal.ndjson.partial",
      "summary.json.partial",
    ]) {
      for (let number = 0; number < count(10, 1); number++) {
        const out = join(data.home, "damaged");
        mkdirSync(out);
        copyFileSync(join(straight.out, "journal.ndjson"), join(out, "journal.ndjson"));
        const source = join(straight.out, name.replace(".partial", ""));
        writeFileSync(
          join(out, name),
          DAMAGES[random.pick(["cut", "bytes flipped", "zeros at the end"])]!(random, readFileSync(source)),
        );
        const result = await resumed(out);
        const problems = result.kind === "ran" ? differences(straight.files, filesOf(out)) : [JSON.stringify(result)];
        if (result.kind === "ran")
          for (const json of ["run.json", "summary.json"]) JSON.parse(readFileSync(join(out, json), "utf8"));
        // The leftover of a journal's first line is cleared by the next new run; with a journal in place nobody needs
        // it.
        faults.add(
          problems
            .filter((problem) => problem !== "journal.ndjson.partial is too much")
            .map((problem) => `${name}: ${problem}`),
        );
        removeHome(out);
      }
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);

test(
  "a journal damaged while the run goes on is an error that names it, and --resume completes the run",
  async () => {
    const data = await makeSmallData(madeHome(), count(40, 24), count(6, 3));
    const straight = await runUndisturbed(data, ...FEW_FORMATS);
    const faults = new FaultCase("journal damaged while the run goes on");
    for (let number = 0; number < count(10, 1); number++) {
      const out = join(data.home, `flipped-${number}`);
      const run = start(annotateArgs(data, out, ...FEW_FORMATS));
      await run.says("drawing with");
      const journal = join(out, "journal.ndjson");
      const lines = (): Buffer[] =>
        existsSync(journal)
          ? readFileSync(journal)
              .toString("latin1")
              .split("\n")
              .map((line) => Buffer.from(line, "latin1"))
          : [];
      while (lines().length < 12) await wait(5);
      run.child.kill("SIGSTOP"); // Else a fast run may have read the line before it is damaged.
      if (lines().length > data.count) throw new Error("the run was over before its journal could be damaged");
      const before = lines()
        .slice(0, 4 + (number % 5))
        .reduce((bytes, line) => bytes + line.length + 1, 0);
      const file = openSync(journal, "r+");
      writeSync(file, Buffer.from([0x01]), 0, 1, before + 30);
      closeSync(file);
      run.child.kill("SIGCONT");
      const ended = await run.ended;
      const problems =
        ended.code === 65 && ended.stderr.includes("journal.ndjson")
          ? []
          : [`ended with ${ended.code ?? ended.signal}: ${ended.stderr}`];
      if (existsSync(join(out, "annotations.json"))) problems.push("annotations.json is there, incomplete");
      problems.push(...(await resumeProblems(data, out, straight, ...FEW_FORMATS)).problems);
      faults.add(problems);
    }
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  count(900_000, 300_000),
);
