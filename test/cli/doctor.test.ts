import { expect, test } from "vitest";
import { reportLines } from "../../src/cli/commands/doctor.js";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";

interface Report {
  readonly packages: Record<string, string | null>;
  readonly models: { readonly name: string; readonly usable: boolean }[];
  readonly devices: {
    readonly device: string;
    readonly engine: string;
    readonly works: boolean;
    readonly reason?: string;
    readonly fix?: string;
  }[];
}

test("doctor names packages, models and every device, each with what works or why not and what would change that", async () => {
  const json = memoryTerminal();
  expect(await run(["doctor", "--json"], json)).toBe(0);
  const report = JSON.parse(json.stdout.text) as Report;
  expect(report).toMatchObject({ version: 1, type: "doctor", node: process.version });
  expect(report.packages["onnxruntime-node"]).toMatch(/^1\./);
  expect(report.packages["sharp"]).toMatch(/^0\./);
  expect(report.models.find((model) => model.name === "mobile")).toEqual({ name: "mobile", usable: true });
  expect(report.devices.map(({ engine, device }) => `${device} by ${engine}`)).toEqual([
    "cuda by tfjs",
    "cuda by onnxruntime",
    "webgpu by wgsl",
    "webgpu by onnxruntime",
    "cpu by onnxruntime",
    "cpu by tfjs",
  ]);
  expect(report.devices.find(({ engine, device }) => engine === "onnxruntime" && device === "cpu")?.works).toBe(true);

  const words = memoryTerminal();
  expect(await run(["doctor"], words)).toBe(0);
  const text = words.stdout.text;
  for (const device of report.devices) {
    expect(text).toMatch(new RegExp(`${device.device} by ${device.engine} +${device.works ? "works" : "no: "}`));
    if (!device.works) expect(text).toContain(device.fix);
  }
  expect(text.match(/--device auto takes this one/g)).toHaveLength(1);
});

test("where WebGPU works, doctor says with which kernels, on which adapter, within which limits, with which tiles and precision", () => {
  const adapter = {
    name: "nvidia h100",
    driver: "NVIDIA: 580.1",
    isSoftware: false,
    float16: "absent",
    limits: { bufferBytes: 2 ** 31, bindingBytes: 2 ** 31, buffersPerKernel: 16, workgroupBytes: 49152 },
    memoryBound: 3 * 2 ** 30,
  } as const;
  const machine = {
    polyrnn: "0",
    node: "v20",
    platform: "linux x64",
    cores: 2,
    memoryMiB: 1,
    packages: {},
    models: [],
  };
  const lines = reportLines({
    ...machine,
    devices: [
      {
        engine: "wgsl",
        device: "webgpu",
        works: true,
        adapter,
        tiles: { tiles: { columns: 7, groups: 2, threads: 64 }, from: "cache" },
        precision: "float32, because the adapter does not offer shader-f16",
      },
      { engine: "onnxruntime", device: "webgpu", works: true },
      { engine: "onnxruntime", device: "cpu", works: true },
    ],
  });
  expect(lines.slice(-7).map((line) => line.trim().replace(/ {2,}/, " "))).toEqual([
    "webgpu by wgsl works; --device auto takes this one",
    "adapter nvidia h100, driver NVIDIA: 580.1",
    "limits: 2048 MiB per binding, 2048 MiB per buffer, 16 buffers per kernel, 49152 bytes per workgroup; 3072 MiB are used at most",
    "tiles: 7 x 8 values per thread, 64 threads per workgroup; chosen by an earlier trial",
    "precision: float32, because the adapter does not offer shader-f16",
    "webgpu by onnxruntime works; for models that wgsl does not run there",
    "cpu by onnxruntime works",
  ]);
});
