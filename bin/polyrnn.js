#!/usr/bin/env node
// The first file to run. An old Node must understand all of it, to say which one is needed: no import statement, no
// await at the top, nothing younger than Node 10. test/cli/old-node.test.ts holds that, and the versions.
//
// It is CommonJS (bin/package.json), because Node reads that without libuv's pool. A module is read through the pool,
// whose size is then decided: test/cli/thread-pool.test.ts.
/* global process, require */
const [major, minor] = process.versions.node.split(".").map(Number);

if ((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22) {
  sizePool();
  import("./start.mjs");
} else {
  const message = `expected Node 20.19 or later, or 22.12 or later, but this is Node ${process.versions.node}`;
  const hint = `${process.execPath} is too old: install another one (https://nodejs.org) and run the command again.`;
  process.stderr.write(`polyrnn: ${message}\n${hint}\n`);
  if (process.argv.indexOf("--json") >= 0) {
    const report = { version: 1, type: "error", code: "E_UNAVAILABLE", message, hint };
    process.stdout.write(`${JSON.stringify(report)}\n`);
  }
  process.exitCode = 69;
}

// Images are decoded in libuv's pool: a thread for each core, at least libuv's own 4. The user's number goes first.
function sizePool() {
  if (process.env.UV_THREADPOOL_SIZE) return;
  const cores = require("os").availableParallelism();
  process.env.UV_THREADPOOL_SIZE = String(Math.min(64, Math.max(4, cores)));
}
