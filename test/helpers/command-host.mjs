// The built command line in a process that stays open: runs what its parent sends, one line after the other or side by
// side, and answers with what each said and the exit code it ended with. See command.ts.
import { Readable, Writable } from "node:stream";
import { run } from "../../dist/cli/run.js";

class MemoryStream extends Writable {
  text = "";
  isTTY = false;
  columns = 80;
  _write(chunk, _encoding, done) {
    this.text += String(chunk);
    done();
  }
}

/** By id; asked to stop, a command ends as after the first stop signal. */
const atWork = new Map();

process.on("message", async ({ id, args, env }) => {
  if (args === undefined) {
    atWork.get(id)?.abort();
    return;
  }
  const [stdout, stderr] = [new MemoryStream({ decodeStrings: false }), new MemoryStream({ decodeStrings: false })];
  const stop = new AbortController();
  atWork.set(id, stop);
  const terminal = {
    stdin: Readable.from([]),
    stdout,
    stderr,
    env,
    now: () => performance.now(),
    stopSignal: () => stop.signal,
  };
  const code = await run(args, terminal);
  atWork.delete(id);
  process.send({ id, code, stdout: stdout.text, stderr: stderr.text });
});
process.on("disconnect", () => {
  process.exit();
});
