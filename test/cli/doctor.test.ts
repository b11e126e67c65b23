import { expect, test } from "vitest";
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
