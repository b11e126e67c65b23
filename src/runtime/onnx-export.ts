/**
 * A model as ONNX files that open anywhere: the two graphs the program itself runs, and one that draws polygons on its own.
 *
 *     encoder.onnx   pixels -> vertex, edge, mask logits, features, hoisted gates        (onnx-model.ts)
 *     step.onnx      one decoder step                                                   (onnx-model.ts)
 *     polyrnn.onnx   pixels, max_steps -> cells, the loop inside the graph              (onnx-loop-model.ts)
 *
 * Float32, whatever the weights are stored as; opset 17.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cannotWrite, reasonOf } from "../errors.js";
import type { Model } from "./model.js";
import { buildLoopModel } from "./onnx-loop-model.js";
import { buildEncoderModel, buildStepModel } from "./onnx-model.js";

export interface ExportedFile {
  readonly name: string;
  readonly path: string;
  readonly bytes: number;
}

/** @param out folder that is there; files of these names are replaced @throws E_WRITE */
export async function exportOnnx({ network, weights, card }: Model, out: string): Promise<readonly ExportedFile[]> {
  const builders: readonly (readonly [name: string, build: () => Uint8Array])[] = [
    ["encoder.onnx", () => buildEncoderModel(network, weights, card.normalization, "all")],
    ["step.onnx", () => buildStepModel(network, weights)],
    ["polyrnn.onnx", () => buildLoopModel(network, weights, card.normalization)],
  ];
  const files: ExportedFile[] = [];
  for (const [name, build] of builders) {
    const path = join(out, name);
    const bytes = build(); // one at a time: vgg16 takes 160 MB each
    try {
      await writeFile(path, bytes);
    } catch (error) {
      throw cannotWrite(
        `${path}: cannot write the exported model: ${reasonOf(error)}`,
        "Name a folder that can be written with --out.",
        error,
      );
    }
    files.push({ name, path, bytes: bytes.byteLength });
  }
  return files;
}
