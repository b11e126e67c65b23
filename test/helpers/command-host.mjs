// The built command line in a process that stays open: runs what its parent sends, one line after the other or side by
// side, and answers with what each said and the exit code it ended with. See command.ts.
import { Readable, Writable } from "node:stream";
import { run } from "../../dist/cli/run.js";

class MemoryStream extends Writable {
  isTTY = false;
  columns = 80;
  constructor(onText) {
    super({ decodeStrings: false });
    this.onText = onText;
  }
  _write(chunk, _encoding, done) {
    this.onText(String(chunk));
    done();
  }
}

/** By id; asked to stop, a command ends as after the first stop signal. */
const atWork = new Map();

/** What preloaded files of the tests ask the environment for; that of the latest command counts. */
function passOnTestVariables(env) {
  for (const name of Object.keys(process.env)) if (name.startsWith("TEST_")) Reflect.deleteProperty(process.env, name);
  for (const [name, value] of Object.entries(env)) if (name.startsWith("TEST_")) process.env[name] = value;
}

process.on("message", async ({ id, args, env }) => {
  if (args === undefined) {
    atWork.get(id)?.stop.abort();
    return;
  }
  passOnTestVariables(env);
  let written = "";
  const stdout = new MemoryStream((text) => {
    written += text;
  });
  const stderr = new MemoryStream((text) => {
    process.send({ id, stderr: text });
  });
  const stop = new AbortController();
  atWork.set(id, { stop, stderr });
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
  process.send({ id, code, stdout: written });
});
// In a process of its own these words of node would be on the command's standard error.
process.on("warning", ({ name, message }) => {
  for (const { stderr } of atWork.values()) stderr.write(`${name}: ${message}\n`);
});
process.on("disconnect", () => {
  process.exit();
});
