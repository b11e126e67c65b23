// Loaded before a worker by the tests (node --import): makes its life as hard as the environment says.
//   TEST_SLOW_MS     every image takes so long to open; may change while the process runs
//   TEST_POISON      an image whose path holds this text kills the process, as a crash in native code would
//   TEST_CLOCK_MS    the wall clock is wrong by so much; may change while the process runs
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import process from "node:process";

const poison = process.env.TEST_POISON;

const realpath = fs.promises.realpath;
fs.promises.realpath = async (path, ...rest) => {
  if (poison !== undefined && String(path).endsWith(poison)) process.kill(process.pid, "SIGKILL");
  const slow = Number(process.env.TEST_SLOW_MS ?? 0);
  if (slow > 0 && String(path).endsWith(".jpg"))
    await new Promise((resolve) => {
      globalThis.setTimeout(resolve, slow);
    });
  return realpath(path, ...rest);
};
syncBuiltinESMExports();

const now = Date.now;
Date.now = () => now() + Number(process.env.TEST_CLOCK_MS ?? 0);
