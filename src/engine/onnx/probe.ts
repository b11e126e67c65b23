/** Whether onnxruntime can compute on a device, shown by computing something small there. */
import "./environment.js";
import { existsSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { InferenceSession, listSupportedBackends, Tensor } from "onnxruntime-node";
import { reasonOf } from "../../errors.js";
import type { DeviceName } from "../engine.js";
import { OnnxGraphOps } from "./graph-ops.js";
import { encodeOnnxModel } from "./proto.js";

/** Undefined when it works, else why not and what would change that. */
export async function probeOnnx(
  device: DeviceName,
): Promise<{ readonly reason: string; readonly fix: string } | undefined> {
  if (device === "cuda" && !hasCudaProvider()) {
    return process.platform === "linux" && process.arch === "x64"
      ? {
          reason: "onnxruntime's CUDA provider is not installed",
          fix:
            "Where the NuGet feed is reachable, run: " +
            `ONNXRUNTIME_NODE_INSTALL=1 node ${join(packageFolder(), "script", "install")}`,
        }
      : {
          reason: `onnxruntime-node has no CUDA provider for ${process.platform} ${process.arch}`,
          fix: "Use --device webgpu or --device cpu.",
        };
  }
  if (!listSupportedBackends().some(({ name }) => name === device)) {
    return {
      reason: `onnxruntime-node has no ${device} for ${process.platform} ${process.arch}`,
      fix: "Use --device cpu.",
    };
  }
  try {
    await computeSomething(device);
    return undefined;
  } catch (error) {
    return { reason: shortReason(error), fix: FIXES[device] };
  }
}

const FIXES: Record<DeviceName, string> = {
  cpu: "Install the packages again: npm ci",
  webgpu: "Install the GPU's driver with Vulkan support and the Vulkan loader (Debian and Ubuntu: libvulkan1).",
  cuda: "Install CUDA 12 and cuDNN 9 where the loader finds them, and check that nvidia-smi lists a GPU.",
};

/** relu(-1, 2) in a session of its own. */
async function computeSomething(device: DeviceName): Promise<void> {
  const ops = new OnnxGraphOps("probe", new Map());
  ops.output(ops.relu(ops.input("x", "float", [2])), "y");
  const model = encodeOnnxModel(ops.build());
  const session = await InferenceSession.create(model, {
    executionProviders: device === "cpu" ? ["cpu"] : [device, "cpu"],
    logSeverityLevel: 4,
  });
  try {
    const { y } = await session.run({ x: new Tensor("float32", Float32Array.of(-1, 2), [1, 2]) });
    if (y?.data[0] !== 0 || y.data[1] !== 2) throw new Error(`relu(-1, 2) gave ${String(y?.data)}`);
  } finally {
    await session.release();
  }
}

/** Native errors carry source positions and span lines; the last sentence is the one that says what happened. */
function shortReason(error: unknown): string {
  const lines = reasonOf(error).trim().split("\n");
  return lines
    .at(-1)!
    .replace(/^.*was false\. /, "")
    .slice(0, 200);
}

function packageFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("onnxruntime-node/package.json"));
}

function hasCudaProvider(): boolean {
  const bin = join(packageFolder(), "bin");
  return readdirSync(bin).some((version) => {
    const folder = join(bin, version, process.platform, process.arch);
    return ["libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"].some((file) =>
      existsSync(join(folder, file)),
    );
  });
}
