/** Runs any ONNX file on the CPU: for checking what was exported. */
import "./onnx-guard.js";
import { InferenceSession, Tensor } from "onnxruntime-node";

export type OnnxFeed =
  | { readonly type: "uint8"; readonly data: Uint8Array; readonly dims: readonly number[] }
  | { readonly type: "int64"; readonly data: BigInt64Array; readonly dims: readonly number[] };

export interface OnnxRunner {
  /** @returns outputs by name; float and int32 outputs only */
  run(feeds: Readonly<Record<string, OnnxFeed>>): Promise<Readonly<Record<string, Float32Array | Int32Array>>>;
  close(): Promise<void>;
}

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
