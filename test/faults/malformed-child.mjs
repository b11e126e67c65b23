// Runs the built `annotate` in this process, one input after the other as the parent asks, and says what came of each.
// A process of its own: its memory and its end are measured.
import { annotate } from "../../dist/annotate/annotate.js";
import { openLocalPredictor } from "../../dist/annotate/local-predictor.js";
import { openBatchDecoder } from "../../dist/predict/decoder.js";

/**
 * The decoder of the sound model stays open: most inputs are refused or drawn in less time than opening one takes.
 * Other models get their own.
 */
const soundModel = process.argv[2];
let kept;
const drawWithKept = (model, given, host) =>
  openLocalPredictor(model, given, host, async (...words) => {
    const { decoder, passedOver } = await (kept ??= openBatchDecoder(...words));
    return { passedOver, decoder: { ...decoder, dispose: () => Promise.resolve() } };
  });

process.on("message", async (options) => {
  const begin = performance.now();
  const messages = [];
  const notes = [];
  const host = {
    signal: new AbortController().signal,
    note: (line) => {
      notes.push(line);
    },
    progress: () => undefined,
    failure: (failure) => {
      messages.push(failure);
    },
    data: () => Promise.resolve(),
  };
  const outcome = await annotate(options, host, ...(options.model === soundModel ? [drawWithKept] : [])).then(
    ({ done, failed, skipped }) => ({ kind: "ran", done, failed, skipped }),
    (error) => ({
      kind: "refused",
      isExpected: error?.name === "PolyrnnError",
      message: String(error?.message),
      hint: String(error?.hint),
      exitCode: error?.exitCode,
      stack: String(error?.stack),
    }),
  );
  process.send({
    ...outcome,
    failures: messages.slice(0, 50),
    notes,
    milliseconds: performance.now() - begin,
    peakMiB: process.resourceUsage().maxRSS / 1024,
  });
});
process.send({ kind: "ready" });
