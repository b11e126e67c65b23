/** The options of `polyrnn doctor`. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import { join } from "node:path";
import type { ProbeReport } from "../../engine/devices.js";
import { probeDevices } from "../../engine/devices.js";
import type { ExitCode } from "../../errors.js";
import { EXIT } from "../../errors.js";
import { listModels } from "../../model/folder.js";
import { packageVersion } from "../../version.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";

export type DoctorFlags = JsonOption;

export const doctorTable = { json: jsonRow } as const satisfies OptionTable<DoctorFlags>;

/*
 * `polyrnn doctor`: what this machine can compute on, why each other choice was passed over, and what would change
 * that.
 */

/** What does the computing and the pixels; the versions decide what a bug report means. */
const PACKAGES = ["onnxruntime-node", "@tensorflow/tfjs-node-gpu", "@tensorflow/tfjs-node", "sharp"] as const;

export async function doctorCommand(options: DoctorFlags, terminal: Terminal): Promise<ExitCode> {
  const report = await examine();
  if (options.json) await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "doctor", ...report }));
  else for (const line of reportLines(report)) await writeLine(terminal.stdout, line);
  return report.devices.some((device) => device.works) ? EXIT.ok : EXIT.unavailable;
}

interface Report {
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
      if ((error as NodeJS.ErrnoException).code !== "ENOENT" && (error as NodeJS.ErrnoException).code !== "ENOTDIR")
        throw error;
    }
  }
  return null;
}

function reportLines(report: Report): string[] {
  const taken = report.devices.find((device) => device.works);
  return [
    `polyrnn ${report.polyrnn}, node ${report.node}, ${report.platform}, ${report.cores} cores, ${report.memoryMiB} MiB memory`,
    "",
    "Packages",
    ...Object.entries(report.packages).map(([name, version]) => `  ${name.padEnd(26)} ${version ?? "not installed"}`),
    "",
    "Models",
    ...report.models.map(
      (model) =>
        `  ${printable(model.name).padEnd(26)} ${model.problem === undefined ? "card is sound" : printable(model.problem)}`,
    ),
    "",
    "Devices, in the order of --device auto",
    ...report.devices.flatMap((device) => {
      const name = `  ${`${device.device} by ${device.engine}`.padEnd(26)}`;
      if (device.works) return [`${name} works${device === taken ? "; --device auto takes this one" : ""}`];
      return [`${name} no: ${printable(device.reason)}`, `${" ".repeat(29)}${printable(device.fix)}`];
    }),
  ];
}
