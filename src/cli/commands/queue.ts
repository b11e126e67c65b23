/** The options of `polyrnn worker` and of the commands below `polyrnn queue`. */
import type { DeviceChoice } from "../../engine/devices.js";
import type { ExitCode } from "../../errors.js";
import { EXIT } from "../../errors.js";
import { parseRedisAddress } from "../../queue/address.js";
import type { ModelQueue, QueueAction, QueueStatus } from "../../queue/operate.js";
import { packageVersion } from "../../version.js";
import type { NumberRow, OptionTable, TextRow } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import { colorRow, configRow, deviceRow, jsonRow, threadsRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";

export const queueRow = {
  type: "text",
  placeholder: "ADDRESS",
  group: "common",
  describe: "Redis server that hands out the work: redis://HOST:6379, or rediss://USER:PASSWORD@HOST for TLS",
} as const satisfies TextRow<string>;

export const queueTimeoutRow = {
  type: "number",
  min: 1,
  max: 3600,
  unit: "s",
  group: "advanced",
  default: 60,
  describe: "Give up when Redis is silent for so long",
} as const satisfies NumberRow & { default: number };

export interface WorkerFlags extends JsonOption, ConfigOption {
  readonly queue: string;
  readonly images: string;
  readonly model: string;
  readonly device: DeviceChoice;
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

export const workerTable = {
  queue: { ...queueRow, required: true },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: ".",
    describe: "Folder with the images of the run; nothing outside it is opened",
  },
  model: {
    type: "text",
    placeholder: "NAME|DIR",
    group: "common",
    default: "mobile",
    describe: "Folder of a model, or a bundled one; jobs for other models wait for other workers",
  },
  device: deviceRow,
  threads: {
    ...threadsRow,
    describe: "Where the CPU draws, compute on so many cores: several workers on one machine share them",
    whenAbsent: "all",
  },
  concurrency: {
    type: "number",
    integer: true,
    min: 1,
    max: 64,
    unit: "jobs",
    group: "advanced",
    whenAbsent: "one more than are drawn",
    describe:
      "Jobs held at once: two per core are drawn (one with --threads 1), the crops of the others are cut meanwhile",
  },
  rate: {
    type: "number",
    integer: true,
    min: 1,
    unit: "jobs per second",
    group: "advanced",
    whenAbsent: "no limit",
    describe: "Most jobs that all workers of the model together begin",
  },
  stalledAfter: {
    type: "number",
    min: 1,
    max: 3600,
    unit: "s",
    group: "advanced",
    default: 30,
    describe: "A worker that is silent for so long has lost its jobs to others; the same for all workers",
  },
  queueTimeout: queueTimeoutRow,
  maxImageBytes: {
    type: "number",
    integer: true,
    min: 1,
    unit: "bytes",
    group: "advanced",
    default: 104857600,
    describe: "Largest image that is fetched from an http(s) address",
  },
  imageTimeout: {
    type: "number",
    min: 1,
    max: 3600,
    unit: "s",
    group: "advanced",
    default: 30,
    describe: "Longest time one image may take to fetch",
  },
  allowPrivateAddresses: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Fetch images from addresses of private networks too, this machine included",
  },
  metricsPort: {
    type: "number",
    integer: true,
    min: 0,
    max: 65535,
    group: "advanced",
    whenAbsent: "no endpoint",
    describe: "Port of a Prometheus text endpoint at /metrics; 0 takes a free one",
  },
  metricsHost: {
    type: "text",
    placeholder: "ADDRESS",
    group: "advanced",
    default: "127.0.0.1",
    describe: "Address the endpoint listens on",
  },
  config: configRow,
  json: jsonRow,
  quiet: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Say nothing; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<WorkerFlags>;

export interface QueueFlags extends JsonOption {
  readonly queue: string;
  readonly queueTimeout: number;
}

export const queueTable = {
  queue: { ...queueRow, required: true },
  queueTimeout: { ...queueTimeoutRow, default: 10 },
  json: jsonRow,
} as const satisfies OptionTable<QueueFlags>;

/* `polyrnn queue status|pause|resume|drain|retry-failed`: a table, or one JSON object; the work is queue/operate.ts. */

export function queueCommand(action: QueueAction) {
  return async (flags: QueueFlags, terminal: Terminal): Promise<ExitCode> => {
    const { operateQueue } = await import("../../queue/operate.js");
    const status = await operateQueue(action, {
      queue: parseRedisAddress(flags.queue),
      timeoutMs: 1000 * flags.queueTimeout,
    });
    const lines = flags.json
      ? [JSON.stringify(status)]
      : [...actionWords(action, status.touched), ...statusMessages(status)];
    for (const line of lines) await writeLine(terminal.stdout, flags.json ? line : printable(line));
    return EXIT.ok;
  };
}

function actionWords(action: QueueAction, touched: number): string[] {
  switch (action) {
    case "status":
      return [];
    case "pause":
      return [`paused ${touched} queue(s): workers finish what they have and take nothing more`];
    case "resume":
      return [`resumed ${touched} queue(s)`];
    case "drain":
      return [`removed ${touched} job(s)`];
    case "retry-failed":
      return [`put ${touched} job(s) up again; their results are fetched by the coordinator, or by annotate --resume`];
  }
}

const HEAD = ["model", "state", "waiting", "active", "delayed", "failed", "completed", "workers"];

export function statusMessages({ server, queues, coordinators }: QueueStatus): string[] {
  if (queues.length === 0) return [`${server}: no queue; nothing was ever handed out here and no worker was there`];
  const lines = table([HEAD, ...queues.map(rowOf)]);
  for (const { workers, failedJobs } of queues) {
    for (const worker of workers)
      lines.push(
        `worker ${worker.id}: ${worker.modelName} on ${worker.device} (${worker.engineVersion}), ${worker.instances} instances, ${worker.failed} failed`,
      );
    for (const { id, reason } of failedJobs) lines.push(`set aside: job ${id}: ${reason}`);
  }
  for (const coordinator of coordinators) lines.push(`coordinator: ${coordinator}`);
  return lines;
}

function rowOf(queue: ModelQueue): string[] {
  const { modelName, model, isPaused, waiting, active, delayed, failed, completed, workers } = queue;
  return [
    `${modelName} ${model.slice(0, 12)}`,
    isPaused ? "paused" : "open",
    ...[waiting, active, delayed, failed, completed, workers.length].map(String),
  ];
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  "),
  );
}

/* `polyrnn worker`: options in, words and exit code out; the work is queue/worker.ts. */

export async function workerCommand(flags: WorkerFlags, terminal: Terminal): Promise<ExitCode> {
  const note = (line: string): void => {
    if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
  };
  note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    note("stopping after what is being drawn; interrupt again to stop at once");
  });
  const { runWorker } = await import("../../queue/worker.js");
  const { queue, images, model, device, threads, concurrency, rate, allowPrivateAddresses, metricsPort, metricsHost } =
    flags;
  const summary = await runWorker(
    {
      queue: parseRedisAddress(queue),
      images,
      model,
      device,
      allowPrivateAddresses,
      metricsHost,
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
  note(
    `stopped: ${summary.jobs} job(s) with ${summary.instances} instance(s) drawn, ${summary.failed} failed, ${summary.rejected} job(s) rejected, ${summary.givenBack} given back`,
  );
  if (flags.json) await writeLine(terminal.stdout, JSON.stringify(summary));
  return EXIT.ok;
}
