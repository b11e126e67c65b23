/** `polyrnn worker`: predicts for runs that other machines hand out; the work is queue/worker.ts. */
import { count } from "../../count.js";
import type { DeviceChoice } from "../../engine/devices.js";
import type { PrecisionChoice } from "../../engine/precision.js";
import { EXIT } from "../../errors.js";
import { parseRedisAddress } from "../../queue/address.js";
import type { Secret } from "../../secret.js";
import { packageVersion } from "../../version.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  colorRow,
  configRow,
  deviceRow,
  jsonRow,
  modelRow,
  precisionRow,
  queueRow,
  queueTimeoutRow,
  quietRow,
  threadsRow,
} from "../shared-rows.js";
import { printable, writeJsonLine } from "../terminal.js";

interface WorkerFlags extends JsonOption, ConfigOption {
  readonly queue: Secret;
  readonly images: string;
  readonly model: string;
  readonly device: DeviceChoice;
  readonly precision: PrecisionChoice;
  readonly threads?: number;
  readonly concurrency?: number;
  readonly rate?: number;
  readonly stalledAfter: number;
  readonly queueTimeout: number;
  readonly maxImageBytes: number;
  readonly imageTimeout: number;
  readonly allowPrivateAddresses: boolean;
  readonly metricsPort?: number;
  readonly metricsHost: string;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

const workerTable = {
  queue: { ...queueRow, required: true },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: ".",
    describe: "Folder with the images of the run; nothing outside it is opened",
  },
  model: {
    ...modelRow,
    default: "mobile",
    describe: "Bundled model or the folder of a model; jobs for other models are left to other workers",
  },
  device: deviceRow,
  precision: precisionRow,
  threads: {
    ...threadsRow,
    describe: "CPU cores to compute on; share them out where several workers run on one machine",
    whenAbsent: "all",
  },
  concurrency: {
    type: "number",
    integer: true,
    min: 1,
    max: 64,
    unit: "jobs",
    group: "advanced",
    whenAbsent: "one more than are predicted at a time",
    describe: "Jobs held at once; while some are predicted, the crops of the others are cut",
  },
  rate: {
    type: "number",
    integer: true,
    min: 1,
    unit: "jobs per second",
    group: "advanced",
    whenAbsent: "no limit",
    describe: "Jobs that all workers of the model together may start",
  },
  stalledAfter: {
    type: "number",
    min: 1,
    max: 3600,
    unit: "s",
    group: "advanced",
    default: 30,
    describe: "A worker silent for this long loses its jobs to others; the same for all workers",
  },
  queueTimeout: queueTimeoutRow,
  maxImageBytes: {
    type: "number",
    integer: true,
    min: 1,
    unit: "bytes",
    group: "advanced",
    default: 104857600,
    describe: "Largest image to fetch from an http(s) address",
  },
  imageTimeout: {
    type: "number",
    min: 1,
    max: 3600,
    unit: "s",
    group: "advanced",
    default: 30,
    describe: "Longest time to spend fetching one image",
  },
  allowPrivateAddresses: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Also fetch images from private network addresses, this machine included",
  },
  metricsPort: {
    type: "number",
    integer: true,
    min: 0,
    max: 65535,
    group: "advanced",
    whenAbsent: "no endpoint",
    describe: "Port for Prometheus metrics at /metrics; 0 picks a free one",
  },
  metricsHost: {
    type: "text",
    placeholder: "ADDRESS",
    group: "advanced",
    default: "127.0.0.1",
    describe: "Address that the metrics endpoint listens on",
  },
  config: configRow,
  json: jsonRow,
  quiet: quietRow,
  color: colorRow,
} as const satisfies OptionTable<WorkerFlags>;

export const workerCommand = defineCommand<WorkerFlags>({
  path: ["worker"],
  summary: "predict polygons for runs that other machines hand out",
  examples: [
    {
      why: "take jobs until stopped; the images lie in ./images here too",
      line: "polyrnn worker --queue redis://host:6379 --images ./images",
    },
    { why: "with metrics for Prometheus", line: "polyrnn worker --queue redis://host:6379 --metrics-port 9400" },
  ],
  table: workerTable,
  async run(flags, terminal) {
    const note = (line: string): void => {
      if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
    };
    note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
    const signal = terminal.stopSignal();
    signal.addEventListener("abort", () => {
      note("stopping after what is being drawn; interrupt again to stop at once");
    });
    const { runWorker } = await import("../../queue/worker.js");
    const { queue, images, model, device, precision, threads, concurrency, rate, metricsPort } = flags;
    const summary = await runWorker(
      {
        queue: parseRedisAddress(queue),
        images,
        model,
        device,
        precision,
        allowPrivateAddresses: flags.allowPrivateAddresses,
        metricsHost: flags.metricsHost,
        queueTimeoutMs: 1000 * flags.queueTimeout,
        stalledAfterMs: 1000 * flags.stalledAfter,
        maxBytes: flags.maxImageBytes,
        timeoutMs: 1000 * flags.imageTimeout,
        ...(rate !== undefined && { rate }),
        ...(threads !== undefined && { threads }),
        ...(concurrency !== undefined && { concurrency }),
        ...(metricsPort !== undefined && { metricsPort }),
      },
      { signal, note },
    );
    const { jobs, instances, failed, rejected, givenBack } = summary;
    note(
      `stopped: ${count(jobs, "job")} with ${count(instances, "instance")} drawn, ${failed} failed, ` +
        `${count(rejected, "job")} rejected, ${givenBack} given back`,
    );
    if (flags.json) await writeJsonLine(terminal.stdout, summary);
    return EXIT.ok;
  },
});
