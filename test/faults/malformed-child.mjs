// Runs the built `annotate` in this process, one input after the other as the parent asks, and says what came of each. A process of its
// own: its memory and its end are measured.
import { annotate } from "../../dist/annotate/annotate.js";

process.on("message", async (options) => {
  const begin = performance.now();
  const messages = [];
  const notes = [];
  const host = {
    signal: new AbortController().signal,
    note: (line) => { notes.push(line); },
    progress: () => undefined,
    failure: (failure) => { messages.push(failure); },
    data: () => Promise.resolve(),
  };
  const outcome = await annotate(options, host).then(
    ({ done, failed, skipped }) => ({ kind: "ran", done, failed, skipped }),
    (error) => ({ kind: "refused", isExpected: error?.name === "PolyrnnError", message: String(error?.message), hint: String(error?.hint), exitCode: error?.exitCode, stack: String(error?.stack) }),
  );
  process.send({ ...outcome, failures: messages.slice(0, 50), notes, milliseconds: performance.now() - begin, peakMiB: process.resourceUsage().maxRSS / 1024 });
});
process.send({ kind: "ready" });
