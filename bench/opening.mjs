/**
 * How long `polyrnn review` takes to open a run of 100,000 instances: from the command to the first picture, as a page
 * asks for it. The polygons of a small run are dealt to all boxes, because 100,000 would take minutes to predict.
 */
/* global fetch */
import { execFileSync, spawn } from "node:child_process";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { sealLine } from "../dist/runs/journal.js";
import { COMMAND, limitRow, median, seconds } from "./harness.mjs";
import { IMAGES, TINY_MODEL, writeBoxes } from "./inputs.mjs";

/** Instances that are really predicted. */
const PREDICTED = 240;

export async function measure({ quick, rounds }) {
  const instances = quick ? 2000 : 100_000;
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const run = makeRun(folder, instances);
    const results = [];
    for (let round = 0; round < Number(rounds ?? (quick ? 1 : 5)); round++) results.push(await open(run));
    const of = (name) => median(results.map((result) => result[name]));
    return [
      {
        name: "opening",
        title: "Opening a review",
        columns: ["", "Median, s", "Least, s", "n"],
        rows: ["session", "picture", "processor"].map((name) => [
          WORDS[name],
          seconds(of(name)),
          seconds(Math.min(...results.map((result) => result[name]))),
          results.length,
        ]),
        limits: [limitRow(`${instances} instances, ${WORDS.picture}`, of("picture"), "s", { below: 2 })],
        notes: ["A tiny network; the files are in the cache of the system."],
      },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const WORDS = {
  session: "command until the counts are answered",
  picture: "command until the first picture has come",
  processor: "processor time of the command by then",
};

/** @returns the run folder */
export function makeRun(folder, instances) {
  const boxes = join(folder, "boxes.json");
  const run = join(folder, "run");
  writeBoxes(boxes, instances);
  const words = ["--boxes", boxes, "--out", run, "--model", TINY_MODEL, "--max-steps", "20", "--candidates", "1"];
  execFileSync(
    process.execPath,
    [COMMAND, "annotate", IMAGES, ...words, "--limit", String(PREDICTED), "--overlays", "none"],
    {
      stdio: "ignore",
    },
  );
  const journal = join(run, "journal.ndjson");
  const predicted = readFileSync(journal, "utf8")
    .split("\n")
    .slice(1, -1)
    .map((line) => JSON.parse(line));
  let text = "";
  for (let ordinal = predicted.length; ordinal < instances; ordinal++) {
    const { check: _check, ...outcome } = predicted[ordinal % predicted.length];
    text += `${sealLine({ ...outcome, ordinal, annotationId: ordinal + 1, imageId: Math.floor(ordinal / 6) + 1 })}\n`;
  }
  appendFileSync(journal, text);
  return run;
}

/** @returns seconds from the start of the process */
async function open(run) {
  const from = performance.now();
  const since = () => (performance.now() - from) / 1000;
  const child = spawn(process.execPath, [COMMAND, "review", run, "--no-open"], { stdio: ["ignore", "ignore", "pipe"] });
  try {
    const { origin, hash } = new URL(await addressOf(child));
    const ask = (path) => fetch(`${origin}/api/${path}`, { headers: { "x-polyrnn-token": hash.slice("#t=".length) } });
    const { next } = await (await ask("session")).json();
    const session = since();
    const { rows } = await (await ask(`queue?after=${next - 1}&limit=50`)).json();
    await (await ask(`instances/${rows[0].ordinal}`)).json();
    await (await ask(`instances/${rows[0].ordinal}/picture?margin=0.5&side=1600`)).arrayBuffer();
    return { session, picture: since(), processor: processorSeconds(child.pid) };
  } finally {
    child.kill("SIGINT");
    await new Promise((resolve) => child.once("exit", resolve));
  }
}

async function addressOf(child) {
  let text = "";
  for await (const part of child.stderr) {
    text += part.toString();
    const address = /open (http:\S+)/.exec(text)?.[1];
    if (address !== undefined) return address;
  }
  throw new Error(`review: expected an address, received ${text}`);
}

/** User and system, all threads; Linux only. */
function processorSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
