/** The options of `polyrnn worker` and of the commands below `polyrnn queue`. */
import type { DeviceChoice } from "../../runtime/devices.js";
import { colorRow, configRow, jsonRow, type ColorChoice, type ConfigOption, type JsonOption } from "./common-rows.js";
import { deviceRow, threadsRow } from "./drawing-rows.js";
import type { NumberRow, OptionTable, TextRow } from "./option-table.js";

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
