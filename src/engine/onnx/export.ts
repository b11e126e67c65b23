/**
 * A model as ONNX files that open anywhere, and a way to run such a file on the CPU, to check what was exported.
 *
 *     encoder.onnx   pixels -> vertex, edge, mask logits, features, hoisted gates
 *     step.onnx      one decoder step
 *     polyrnn.onnx   pixels, max_steps -> cells: the loop inside the graph, a file that predicts polygons on its own
 *
 * Float32, whatever the weights are stored as; opset 17. The graphs are those of engine/onnx/models.ts.
 */
import "./environment.js";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { writeAtomic } from "../../files/atomic-file.js";
import type { WeightedNetwork } from "../../model/model.js";
import { buildEncoderModel, buildLoopModel, buildStepModel } from "./models.js";

export interface ExportedFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** In the order in which they are written. */
export const EXPORTED_FILES = ["encoder.onnx", "step.onnx", "polyrnn.onnx"] as const;

/** @param out a folder that exists; files of these names are replaced @throws E_WRITE */
export async function exportOnnx(model: WeightedNetwork, out: string): Promise<readonly ExportedFile[]> {
  const builders: readonly (readonly [name: (typeof EXPORTED_FILES)[number], build: () => Uint8Array])[] = [
    ["encoder.onnx", () => buildEncoderModel(model, "all")],
    ["step.onnx", () => buildStepModel(model)],
    ["polyrnn.onnx", () => buildLoopModel(model)],
  ];
  const files: ExportedFile[] = [];
  for (const [name, build] of builders) {
    const path = join(out, name);
    const bytes = build(); // one at a time: vgg16 takes 160 MB each
    await writeAtomic(path, bytes);
    files.push({ name, path, bytes: bytes.byteLength });
  }
  return files;
}

export type OnnxFeed =
  | { readonly type: "uint8"; readonly data: Uint8Array; readonly dims: readonly number[] }
  | { readonly type: "int64"; readonly data: BigInt64Array; readonly dims: readonly number[] };

export interface OnnxRunner {
  /** @returns outputs by name; float and int32 outputs only */
  run(feeds: Readonly<Record<string, OnnxFeed>>): Promise<Readonly<Record<string, Float32Array | Int32Array>>>;
  close(): Promise<void>;
}

/** Any ONNX file, on the CPU. */
export async function openOnnxFile(path: string): Promise<OnnxRunner> {
  const session = await InferenceSession.create(path, { logSeverityLevel: 3 });
  return {
    async run(feeds) {
      const inputs = Object.fromEntries(
        Object.entries(feeds).map(([name, feed]) => [
          name,
          feed.type === "uint8" ? new Tensor("uint8", feed.data, feed.dims) : new Tensor("int64", feed.data, feed.dims),
        ]),
      );
      const outputs = await session.run(inputs);
      return Object.fromEntries(
        Object.entries(outputs).map(([name, { data, type }]) => {
          if (data instanceof Float32Array || data instanceof Int32Array) return [name, data];
          throw new Error(`${path}: output ${name}: expected float or int32, received ${type}`);
        }),
      );
    },
    close: () => session.release(),
  };
}
