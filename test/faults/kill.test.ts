import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { afterAll, afterEach, expect, test } from "vitest";
import type { Random } from "../../src/random.js";
import { createRandom } from "../../src/random.js";
import { endAll, start } from "../helpers/command.js";
import { FaultCase, count, timeFor } from "./ledger.js";
import type { SmallData, Undisturbed } from "./small-run.js";
import {
  ALL_FORMATS,
  annotateArgs,
  makeSmallData,
  newHome,
  problemsAfterDeath,
  removeHome,
  resumeProblems,
  undisturbed,
} from "./small-run.js";

const home = newHome();
afterEach(endAll);
afterAll(() => {
  removeHome(home);
});

/** A phase of the process's life, known by what it says when the phase begins, and how long it takes undisturbed. */
interface Phase {
  readonly says: string | undefined;
  readonly milliseconds: number;
  readonly share: number;
}

/** Two threads: what they have in work ends in any order. */
const WORDS = [...ALL_FORMATS, "--threads", "2"];

/** Of a process that nothing disturbs, whose files are what the killed ones are compared with. */
async function measurePhases(data: SmallData): Promise<{ phases: Phase[]; straight: Undisturbed }> {
  const out = join(data.home, "undisturbed");
  const begin = performance.now();
  const run = start(annotateArgs(data, out, ...WORDS));
  await run.says("drawing with");
  const drawing = performance.now();
  await run.says("writing coco");
  const writing = performance.now();
  const ended = await run.ended;
  const end = performance.now();
  const phases = [
    { says: undefined, milliseconds: drawing - begin, share: 0.15 },
    { says: "drawing with", milliseconds: writing - drawing, share: 0.45 },
    { says: "writing coco", milliseconds: end - writing, share: 0.4 },
  ];
  return { phases, straight: undisturbed(out, ended) };
}

function pickPhase(random: Random, phases: readonly Phase[]): Phase {
  let at = random.next();
  return phases.find((phase) => (at -= phase.share) < 0) ?? phases.at(-1)!;
}

/** @returns true when the process was killed, false when it had ended by then */
async function killOnce(
  data: SmallData,
  out: string,
  resume: boolean,
  phase: Phase,
  afterMs: number,
): Promise<boolean> {
  const run = start(annotateArgs(data, out, ...WORDS, ...(resume ? ["--resume"] : [])));
  // A resumed run may have nothing to draw or end early; then there is nothing to wait for.
  if (phase.says !== undefined) await run.says(phase.says).catch(() => undefined);
  await Promise.race([wait(afterMs), run.ended]);
  run.child.kill("SIGKILL");
  return (await run.ended).signal === "SIGKILL";
}

/** Kills, resumes, sometimes kills the resumed run as well, until one gets through. */
async function killChain(
  data: SmallData,
  out: string,
  straight: Undisturbed,
  phases: readonly Phase[],
  random: Random,
): Promise<{ kills: number; problems: string[] }> {
  const problems: string[] = [];
  let kills = 0;
  do {
    const phase = pickPhase(random, phases);
    if (await killOnce(data, out, kills > 0, phase, random.next() * phase.milliseconds * 1.05)) kills++;
    else if (kills === 0) return { kills: 0, problems: [] };
    problems.push(...problemsAfterDeath(out, straight.files));
  } while (kills < 4 && random.next() < 0.5);
  problems.push(...(await resumeProblems(data, out, straight, ...ALL_FORMATS)).problems);
  return { kills, problems };
}

test(
  "kill -9 at random moments of a whole run, the resumed ones included, loses nothing: every file ends in the same bytes",
  async () => {
    const data = await makeSmallData(home, count(20, 8), count(6, 3));
    const { phases, straight } = await measurePhases(data);
    const wanted = count(200, 3);
    const faults = new FaultCase("kill -9, then --resume");
    const isTime = timeFor(35);
    let chain = 0;
    const work = async (): Promise<void> => {
      while (faults.tried < wanted && chain < 3 * wanted && isTime()) {
        const number = ++chain;
        const out = join(home, `killed-${number}`);
        const { kills, problems } = await killChain(data, out, straight, phases, createRandom(`kill ${number}`));
        for (let kill = 0; kill < kills; kill++)
          faults.add(kill === kills - 1 ? problems.map((problem) => `chain ${number}: ${problem}`) : []);
        removeHome(out);
      }
    };
    await Promise.all([work(), work()]);
    faults.note();
    expect(faults.losses).toEqual([]);
    expect(faults.tried).toBeGreaterThanOrEqual(wanted);
  },
  count(2_400_000, 400_000),
);
