import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, expect, test } from "vitest";
import { createRandom } from "../../src/random.js";
import { FaultCase, IS_FULL, count, timeFor } from "./ledger.js";
import { FORMAT_KINDS } from "./malformed-formats.js";
import type { Place } from "./malformed-inputs.js";
import { HEIGHT, KIND_NAMES, WIDTH, writeInput } from "./malformed-inputs.js";
import type { Result } from "./malformed-runner.js";
import { MalformedRunner } from "./malformed-runner.js";
import { newHome, removeHome } from "./small-run.js";

const homes: string[] = [];
afterAll(() => {
  homes.forEach(removeHome);
});

const TIME_LIMIT_MS = 5000;
const MEMORY_LIMIT_MIB = 1024;
/** Sides of the image nobody may read: an outcome with them has read it. */
const CANARY_WIDTH = 37,
  CANARY_HEIGHT = 41;

async function makePlace(): Promise<Place> {
  const home = newHome();
  homes.push(home);
  const picture = (width: number, height: number): Promise<Buffer> =>
    sharp({
      create: { width, height, channels: 3, background: "#a63", noise: { type: "gaussian", mean: 120, sigma: 40 } },
    })
      .jpeg()
      .toBuffer();
  const canary = join(home, "canary.jpg");
  writeFileSync(canary, await picture(CANARY_WIDTH, CANARY_HEIGHT));
  return { home, given: join(home, "given"), canary, photograph: await picture(WIDTH, HEIGHT) };
}

/** Names, sizes and times of everything that is not the run's output. */
function outside(place: Place): string {
  return readdirSync(place.home, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.startsWith(join(place.given, "out")) && path !== place.given)
    .sort()
    .map((path) => {
      const { size, mtimeMs } = statSync(path);
      return `${path} ${size} ${mtimeMs}`;
    })
    .join("\n");
}

/** A rejection says which file, annotation or option it is about. */
const SAYS_WHERE =
  /boxes\.json|boxes\.(?:zip|csv|ndjson)|tasks\.json|cvat\.xml|given\/(?:labels|xml|label_2|json)|dataset\.json|polygons\.json|CityPersons\.json|polygons:|model\.json|\.safetensors|\/model|annotation|images?\b|--[a-z]/;

function problemsOf(result: Result, place: Place, before: string): string[] {
  if (result.kind === "hung") return [`no end within ${TIME_LIMIT_MS} ms`];
  if (result.kind === "died") return [`the process died: ${result.how}`];
  const problems: string[] = [];
  if (result.kind === "refused") {
    if (!result.isExpected) problems.push(`a bug: ${result.stack}`);
    else if (!SAYS_WHERE.test(result.message)) problems.push(`does not say where: ${result.message}`);
    if (result.message.length > 20_000) problems.push(`a message of ${result.message.length} characters`);
  }
  for (const { message } of result.failures)
    if (!SAYS_WHERE.test(message)) problems.push(`a failure does not say where: ${message}`);
  if (result.peakMiB > MEMORY_LIMIT_MIB) problems.push(`${Math.round(result.peakMiB)} MiB of memory`);
  if (outside(place) !== before) problems.push("something outside the output folder changed");
  const journal = journalOf(place);
  if (journal.includes(`"imageWidth":${CANARY_WIDTH},`) || journal.includes(`${CANARY_WIDTH} x ${CANARY_HEIGHT}`))
    problems.push("the image outside was read");
  return problems;
}

function journalOf(place: Place): string {
  try {
    return readFileSync(join(place.given, "out", "journal.ndjson"), "utf8");
  } catch {
    return ""; // The run was refused before it had one.
  }
}

test(
  "malformed inputs end in a rejection that says where, or in polygons; nothing crashes, hangs, grows or reaches outside",
  async () => {
    const wanted = count(10_000, 100);
    const workers = IS_FULL ? 2 : 1;
    const faults = new Map(
      [...KIND_NAMES, ...Object.keys(FORMAT_KINDS)].map((kind) => [kind, new FaultCase(`malformed: ${kind}`)]),
    );
    const slowest = new Map<string, number>(),
      largest = new Map<string, number>();
    const isTime = timeFor(55);
    let next = 0;
    const work = async (): Promise<void> => {
      const place = await makePlace();
      const runner = new MalformedRunner();
      for (let number = next++; number < wanted && isTime(); number = next++) {
        rmSync(place.given, { recursive: true, force: true });
        mkdirSync(place.given);
        const { kind, options } = writeInput(number, createRandom(`input ${number}`), place, FORMAT_KINDS);
        const before = outside(place);
        let result = await runner.run(options, TIME_LIMIT_MS);
        if (result.kind === "hung") {
          // A busy machine is no hang: once more, in a new process, before it counts.
          rmSync(options.out, { recursive: true, force: true });
          result = await runner.run(options, TIME_LIMIT_MS);
        }
        faults.get(kind)!.add(problemsOf(result, place, before).map((problem) => `input ${number}: ${problem}`));
        if (result.kind === "hung" || result.kind === "died") continue;
        slowest.set(kind, Math.max(slowest.get(kind) ?? 0, result.milliseconds));
        largest.set(kind, Math.max(largest.get(kind) ?? 0, result.peakMiB));
        // The peak is that of the process: the next input starts anew.
        if (result.peakMiB > MEMORY_LIMIT_MIB) runner.stop();
      }
      runner.stop();
    };
    await Promise.all(Array.from({ length: workers }, work));
    for (const [kind, fault] of faults) {
      fault.seen = `at most ${Math.round(slowest.get(kind) ?? 0)} ms, ${Math.round(largest.get(kind) ?? 0)} MiB`;
      fault.note();
    }
    expect([...faults.values()].flatMap(({ losses }) => losses)).toEqual([]);
    expect(
      [...faults.values()].reduce((sum, { tried }) => sum + tried, 0),
      "inputs tried in time",
    ).toBe(wanted);
  },
  count(3_600_000, 400_000),
);
