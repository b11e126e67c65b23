/**
 * libuv's pool, as the command's process really has it. A thread that opens a pipe without a writer waits there: with
 * one thread fewer waiting than the pool has, another operation ends; with all of them waiting, none does.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BIN } from "../helpers/command.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** For --require, which uses no pool itself. It measures when the command has ended. */
const MEASURE = `
const { closeSync, open, openSync, stat } = require("node:fs");
const pipes = process.env.PIPES.split(" ");
const isThreadFree = (ms) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms, false);
    stat(".", () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
const keepWaiting = (pipe) => open(pipe, (error, handle) => closeSync(handle));
process.exit = () => undefined; // the command ends a process that something keeps open
process.once("beforeExit", async () => {
  pipes.slice(1).forEach(keepWaiting);
  const withOneMore = await isThreadFree(20000);
  keepWaiting(pipes[0]);
  const withAll = await isThreadFree(500);
  process.stderr.write("\\n" + JSON.stringify({ withOneMore, withAll }));
  for (const pipe of pipes) openSync(pipe, "r+"); // a writer, so that those who wait go on
});`;

/** Whether another operation ends while all threads of a pool of that size but one wait, and while all wait. */
function measurePool(size: number, env: NodeJS.ProcessEnv): unknown {
  const folder = temporaryFolder();
  const preload = join(folder, "measure.cjs");
  writeFileSync(preload, MEASURE);
  const pipes = Array.from({ length: size }, (_, at) => join(folder, String(at)));
  expect(spawnSync("mkfifo", pipes).status).toBe(0);
  const { UV_THREADPOOL_SIZE: _ours, ...inherited } = process.env;
  const { status, stderr } = spawnSync(process.execPath, ["--require", preload, BIN, "--version"], {
    encoding: "utf8",
    env: { ...inherited, PIPES: pipes.join(" "), ...env },
  });
  expect(status, stderr).toBe(0);
  return JSON.parse(stderr.trim().split("\n").at(-1)!);
}

const EXACTLY = { withOneMore: true, withAll: false };
const hasPipes = process.platform !== "win32";

test.runIf(hasPipes)("the pool has a thread for each core, 4 at least and 64 at most", () => {
  expect(measurePool(Math.min(64, Math.max(4, availableParallelism())), {})).toEqual(EXACTLY);
});

/** Says that the machine has another number of cores. */
function machineOf(cores: number): string {
  const file = join(temporaryFolder(), "cores.cjs");
  writeFileSync(file, `require("node:os").availableParallelism = () => ${cores};`);
  return `--require ${file}`;
}

test.runIf(hasPipes).each([
  { cores: 1, size: 4 },
  { cores: 11, size: 11 },
  { cores: 192, size: 64 },
])("on a machine of $cores cores it has $size", ({ cores, size }) => {
  expect(measurePool(size, { NODE_OPTIONS: machineOf(cores) })).toEqual(EXACTLY);
});

test.runIf(hasPipes)("the user's number goes first, an empty one is none", () => {
  expect(measurePool(2, { UV_THREADPOOL_SIZE: "2" })).toEqual(EXACTLY);
  expect(measurePool(7, { UV_THREADPOOL_SIZE: "", NODE_OPTIONS: machineOf(7) })).toEqual(EXACTLY);
});
