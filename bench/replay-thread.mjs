/**
 * An engine that knows the answers to everything that is asked for some crops, in order and again from the start, so
 * that judging can be measured without a device. As a thread it serves one to each thread that judges.
 */
import { isMainThread, parentPort, workerData } from "node:worker_threads";

/** @param answers what an engine gave, in order */
export function replayed(answers) {
  let at = 0;
  const next = () => answers[at++ % answers.length];
  const replay = (batch) => ({
    ...batch,
    decode: async () => next(),
    select: () => replay(batch),
    dispose() {},
  });
  return { encode: async () => ({ ...replay(next()), flipped: async () => replay(next()) }) };
}

/** Masks are handed over, so that each asker gets its own. */
function givingAway({ encode }) {
  const copied = ({ maskLogits, fineMaskLogits, flipped, ...batch }) => ({
    ...batch,
    flipped: flipped && (async () => copied(await flipped())),
    maskLogits: maskLogits?.slice(),
    fineMaskLogits: fineMaskLogits?.slice(),
  });
  return { encode: async () => copied(await encode()) };
}

if (!isMainThread && workerData?.answers !== undefined) {
  const { serveEngine } = await import("../dist/predict/engine-port.js");
  parentPort.on("message", (port) => serveEngine(givingAway(replayed(workerData.answers)), port));
}
