/**
 * Benchmarks: prints tables as Markdown and keeps them as JSON in bench/results.
 *
 *     npm run bench                                everything (about 20 minutes on two cores)
 *     npm run bench -- decoder help                only these
 *     npm run bench -- --quick                     a minute: shows that every measure runs, its numbers mean little
 *     npm run bench -- --rounds 1 clicks           fewer or more repeats than a measure takes by itself
 *     npm run bench -- --full memory read          100,000 instances, a file of 1,000,000 annotations
 *     npm run bench -- devices --device webgpu     a device that `auto` would pass over
 *     npm run bench -- options --quantized FOLDER  with the models that quantize.py made
 *
 * A benchmark says how fast it is; it never fails because something is slow.
 */
import { loadavg } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeMachine, machineLines, report, setRounds } from "./harness.mjs";

const MEASURES = [
  "help",
  "stages",
  "decoder",
  "kernels",
  "train",
  "clicks",
  "memory",
  "cost",
  "read",
  "readers",
  "queue",
  "devices",
  "host",
  "flip",
  "drawing",
  "options",
  "review",
  "opening",
];

const { values: options, positionals } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    full: { type: "boolean", default: false },
    device: { type: "string" },
    quantized: { type: "string" },
    rounds: { type: "string" },
  },
  allowPositionals: true,
});
const unknown = positionals.filter((name) => !MEASURES.includes(name));
if (unknown.length > 0 || (options.quick && options.full)) {
  process.stderr.write(
    `bench: expected some of ${MEASURES.join(", ")} and --quick or --full, received ${process.argv.slice(2).join(" ")}\n`,
  );
  process.exit(2);
}
if (options.rounds !== undefined) setRounds(Number(options.rounds));
const machine = describeMachine();
process.stdout.write(`# Benchmarks\n\n${machineLines(machine).join("\n\n")}\n\n`);
for (const name of positionals.length > 0 ? positionals : MEASURES) {
  const { measure } = await import(`./${name}.mjs`);
  for await (const result of await measure(options))
    report({ ...result, machine: { ...machine, loadNow: loadavg()[0] }, options });
}
