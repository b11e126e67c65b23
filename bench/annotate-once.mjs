/**
 * One run of the main path in a process of its own: prints its time, processor time and peak memory. Started by
 * memory.mjs.
 */
import process from "node:process";
import { annotateInProcess } from "./inputs.mjs";

const { summary, drawingSeconds, drawingCpuSeconds } = await annotateInProcess(JSON.parse(process.argv[2]));
const { finishedNow, seconds, peakMemoryMiB } = summary;
process.stdout.write(
  JSON.stringify({ finishedNow, seconds, peakMemoryMiB, drawingSeconds, cpuSeconds: drawingCpuSeconds }),
);
