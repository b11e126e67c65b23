/**
 * What every measure shares: interleaved rounds, medians, ratios within one run, and the table.
 *
 * Variants take turns (A B A B), so that whatever else the machine does falls on all of them; a ratio is the median of
 * the rounds' own ratios, never a quotient of numbers from different runs. One round before the first is not counted.
 * Times are reported, not asserted: what holds on every machine is in test/.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";

export const ROOT = join(import.meta.dirname, "..");
export const COMMAND = join(ROOT, "bin", "polyrnn.js");
const RESULTS = join(import.meta.dirname, "results");

/** @param {readonly number[]} values at least one */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** Wall and processor seconds of some work in this process, all threads. */
export async function timed(work) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const value = await work();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { value, seconds, cpuSeconds: (user + system) / 1e6 };
}

/** Processor time of the main thread so far; NaN where it is not Linux. */
export function mainThreadSeconds() {
  const file = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, "utf8").split(" ", 1)[0]) / 1e9 : NaN;
}

let roundsAsked;

/** Repeats of every measure from now on, whatever it asks for. */
export function setRounds(rounds) {
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds: expected a whole number from 1, received ${rounds}`);
  roundsAsked = rounds;
}

/**
 * Runs the variants in turn. @param variants name -> what to do; its result is kept
 * @returns name -> one result per counted round
 */
export async function interleaved(rounds, variants, { warmUp = true } = {}) {
  const results = Object.fromEntries(Object.keys(variants).map((name) => [name, []]));
  for (let round = warmUp ? -1 : 0; round < (roundsAsked ?? rounds); round++) {
    for (const [name, work] of Object.entries(variants)) {
      const result = await work(round);
      if (round >= 0) results[name].push(result);
    }
  }
  return results;
}

/** Ratio of two columns of one run, round by round. @returns median and range */
export function ratio(above, below) {
  const each = above.map((value, round) => value / below[round]);
  return { median: median(each), low: Math.min(...each), high: Math.max(...each) };
}

/**
 * A row of the table of ratios. @param wanted for people, with the limit: { atMost: 0.3 }, { atLeast: 0.85 } or nothing
 */
export function ratioRow(what, value, wanted = {}) {
  const { atMost, atLeast } = wanted;
  const limit = atMost !== undefined ? `at most ${atMost}` : atLeast !== undefined ? `at least ${atLeast}` : "";
  const isReached =
    atMost !== undefined ? value.median <= atMost : atLeast !== undefined ? value.median >= atLeast : undefined;
  return { what, ...value, limit, ...(isReached === undefined ? {} : { isReached }) };
}

/**
 * A row of the table of limits: a number of its own, where no ratio says it. @param wanted { below: 200 } or { atLeast:
 * 25 }
 */
export function limitRow(what, value, unit, { below, atLeast }) {
  return {
    what,
    value: `${value >= 10 ? value.toFixed(0) : value.toFixed(2)} ${unit}`,
    limit: below !== undefined ? `under ${below} ${unit}` : `at least ${atLeast} ${unit}`,
    isReached: below !== undefined ? value < below : value >= atLeast,
  };
}

export const seconds = (value) => (value >= 10 ? value.toFixed(1) : value >= 0.1 ? value.toFixed(3) : value.toFixed(4));
export const mebibytes = (value) => Math.round(value).toString();
const short = (value) => value.toFixed(3);

/** Prints a result as Markdown and keeps it as JSON in bench/results. */
export function report(result) {
  const { name, title, columns, rows, ratios = [], limits = [], notes = [], machine } = result;
  const lines = [`## ${title}`, "", ...markdownTable(columns, rows)];
  if (ratios.length > 0) {
    lines.push(
      "",
      ...markdownTable(
        ["Ratio, within this run", "Median", "Lowest", "Highest", "Wanted", ""],
        ratios.map((row) => [
          row.what,
          short(row.median),
          short(row.low),
          short(row.high),
          row.limit,
          row.isReached === undefined ? "" : row.isReached ? "reached" : "missed",
        ]),
      ),
    );
  }
  if (limits.length > 0) {
    lines.push(
      "",
      ...markdownTable(
        ["Number of this machine, as busy as it was", "Median", "Wanted", ""],
        limits.map((row) => [row.what, row.value, row.limit, row.isReached ? "reached" : "missed"]),
      ),
    );
  }
  if (notes.length > 0) lines.push("", ...notes.map((note) => `- ${note}`));
  process.stdout.write(`${lines.join("\n")}\n\n`);
  mkdirSync(RESULTS, { recursive: true });
  writeFileSync(join(RESULTS, `${name}.json`), `${JSON.stringify({ machine, ...result }, null, 2)}\n`);
}

export function markdownTable(columns, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(columns), line(columns.map(() => "---")), ...rows.map((row) => line(row.map(String)))];
}

/** What the numbers were taken on. */
export function describeMachine() {
  const processors = cpus();
  const version = (name) => JSON.parse(readFileSync(join(ROOT, "node_modules", name, "package.json"), "utf8")).version;
  return {
    date: new Date().toISOString(),
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    packages: Object.fromEntries(["onnxruntime-node", "sharp"].map((name) => [name, version(name)])),
    commit: commit(),
    loadAtStart: loadavg()[0],
  };
}

export function machineLines(machine) {
  const { date, processor, cores, memoryGiB, platform, node, packages, commit, loadAtStart } = machine;
  const versions = Object.entries(packages)
    .map(([name, version]) => `${name} ${version}`)
    .join(", ");
  const busy = loadAtStart > cores / 4 ? " (not idle: trust the ratios, not the times)" : "";
  return [
    `${processor}, ${cores} cores, ${memoryGiB} GiB, ${platform}; node ${node}, ${versions}; polyrnn ${commit}; ${date}`,
    `Load when it began: ${loadAtStart.toFixed(1)}${busy}`,
  ];
}

function commit() {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  try {
    return `${version} at ${execFileSync("git", ["rev-parse", "--short", "HEAD"], { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim()}`;
  } catch {
    return version; // not a checkout
  }
}
