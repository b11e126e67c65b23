/**
 * `polyrnn doctor`: what this machine can compute on, why each other choice was passed over, and what would change
 * that.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import { count } from "../../count.js";
import type { ProbeReport } from "../../engine/devices.js";
import type { AdapterReport } from "../../engine/webgpu/adapter.js";
import type { ChosenTiles } from "../../engine/webgpu/trial.js";
import { EXIT } from "../../errors.js";
import { packageVersion } from "../../version.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow } from "../shared-rows.js";
import { printable, writeJsonLine, writeLine } from "../terminal.js";

const doctorTable = { json: jsonRow } as const satisfies OptionTable<JsonOption>;

/** What computes, and what decodes images: their versions decide what a bug report means. */
const PACKAGES = ["onnxruntime-node", "webgpu", "@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node", "sharp"] as const;

export const doctorCommand = defineCommand<JsonOption>({
  path: ["doctor"],
  summary: "show what this machine can compute on, and what would change that",
  examples: [
    { why: "what --device auto takes here, and why", line: "polyrnn doctor" },
    { why: "the same for a program", line: "polyrnn doctor --json | jq .devices" },
  ],
  table: doctorTable,
  async run(options, terminal) {
    const report = await examine();
    if (options.json) await writeJsonLine(terminal.stdout, { version: 1, type: "doctor", ...report });
    else for (const line of reportLines(report)) await writeLine(terminal.stdout, line);
    return report.devices.some((device) => device.works) ? EXIT.ok : EXIT.unavailable;
  },
});

export interface Report {
  readonly polyrnn: string;
  readonly node: string;
  readonly platform: string;
  readonly cores: number;
  readonly memoryMiB: number;
  /** null: not installed. */
  readonly packages: Readonly<Record<string, string | null>>;
  readonly models: readonly { readonly name: string; readonly usable: boolean; readonly problem?: string }[];
  /** In the order of `--device auto`, which takes the first that works. */
  readonly devices: readonly ProbeReport[];
}

async function examine(): Promise<Report> {
  const { probeDevices } = await import("../../engine/devices.js");
  const { listModels } = await import("../../model/folder.js");
  const models = await listModels();
  return {
    polyrnn: packageVersion(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cores: availableParallelism(),
    memoryMiB: Math.round(totalmem() / 2 ** 20),
    packages: Object.fromEntries(PACKAGES.map((name) => [name, installedVersion(name)])),
    models: models.map((model) =>
      "card" in model
        ? { name: model.name, usable: true }
        : { name: model.name, usable: false, problem: model.problem.message },
    ),
    devices: await probeDevices(),
  };
}

/** Reads the package's own file instead of loading it: a native library that cannot load would end the examination. */
function installedVersion(name: string): string | null {
  for (const folder of createRequire(import.meta.url).resolve.paths(name) ?? []) {
    try {
      return (JSON.parse(readFileSync(join(folder, name, "package.json"), "utf8")) as { readonly version: string })
        .version;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    }
  }
  return null;
}

/** For people. */
export function reportLines({
  polyrnn,
  node,
  platform,
  cores,
  memoryMiB,
  packages,
  models,
  devices,
}: Report): string[] {
  const taken = devices.find((device) => device.works);
  const left = (name: string): string => `  ${name.padEnd(26)}`;
  return [
    `polyrnn ${polyrnn}, node ${node}, ${platform}, ${count(cores, "core")}, ${memoryMiB} MiB memory`,
    "",
    "Packages",
    ...Object.entries(packages).map(([name, version]) => `${left(name)} ${version ?? "not installed"}`),
    "",
    "Models",
    ...models.map(({ name, problem }) => {
      const state = problem === undefined ? "card is sound" : printable(problem);
      return `${left(printable(name))} ${state}`;
    }),
    "",
    "Devices, in the order of --device auto",
    ...devices.flatMap((device) => {
      const name = left(`${device.device} by ${device.engine}`);
      const adapter = [
        ...(device.adapter === undefined ? [] : adapterLines(device.adapter)),
        ...(device.tiles === undefined ? [] : [tilesLine(device.tiles)]),
        ...(device.precision === undefined ? [] : [`precision: ${printable(device.precision)}`]),
      ].map(indented);
      if (!device.works)
        return [`${name} no: ${printable(device.reason)}`, indented(printable(device.fix)), ...adapter];
      const first = devices.find((other) => other.works && other.device === device.device)!;
      const role =
        device === taken
          ? "; --device auto takes this one"
          : device === first
            ? ""
            : `; for models that ${first.engine} does not run there`;
      return [`${name} works${role}`, ...adapter];
    }),
  ];
}

function indented(line: string): string {
  return `${" ".repeat(29)}${line}`;
}

function tilesLine({ tiles, from, note }: ChosenTiles): string {
  const source = {
    default: "the safe default",
    trial: "chosen by a trial just now",
    cache: "chosen by an earlier trial",
  }[from];
  const { columns, groups, threads } = tiles;
  return `tiles: ${columns} x ${4 * groups} values per thread, ${threads} threads per workgroup; ${source}${note === undefined ? "" : `: ${printable(note)}`}`;
}

function adapterLines({ name, driver, isSoftware, limits, memoryBound }: AdapterReport): string[] {
  const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;
  return [
    `adapter ${printable(name)}, driver ${printable(driver)}${isSoftware ? ", computes on the CPU" : ""}`,
    `limits: ${mebibytes(limits.bindingBytes)} per binding, ${mebibytes(limits.bufferBytes)} per buffer, ` +
      `${count(limits.buffersPerKernel, "buffer")} per kernel, ${count(limits.workgroupBytes, "byte")} per workgroup; ` +
      `${mebibytes(memoryBound)} are used at most`,
  ];
}
