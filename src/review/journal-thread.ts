/** Reads the journal that review/journal-heads.ts asks for, and hands over what it found. */
import { parentPort, workerData } from "node:worker_threads";
import { readHeads } from "./journal-heads.js";

const heads = await readHeads(workerData as string);
parentPort?.postMessage(
  heads,
  Object.values(heads).map(({ buffer }) => buffer as ArrayBuffer),
);
