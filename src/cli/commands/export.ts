/** The options of `polyrnn export`. */
import { join } from "node:path";
import { openOnnxEngine } from "../../engine/onnx/engine.js";
import { exportOnnx } from "../../engine/onnx/export.js";
import { ONNX_OPSET } from "../../engine/onnx/proto.js";
import type { ExitCode } from "../../errors.js";
import { EXIT, PolyrnnError } from "../../errors.js";
import { makeFolder } from "../../files/atomic-file.js";
import { loadModel } from "../../model/model.js";
import { checkExport } from "../../predict/check-export.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";

export interface ExportFlags extends JsonOption {
  readonly model: string;
  readonly format: "onnx";
  readonly out: string;
}

export const exportTable = {
  model: {
    type: "text",
    position: 0,
    placeholder: "NAME|DIR",
    group: "common",
    required: true,
    describe: "Bundled model or folder of a model",
  },
  format: {
    type: "text",
    choices: ["onnx"],
    group: "common",
    default: "onnx",
    describe: "What to write",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-onnx",
    describe: "Folder for encoder.onnx, step.onnx and polyrnn.onnx",
  },
  json: jsonRow,
} as const satisfies OptionTable<ExportFlags>;

/* `polyrnn export MODEL`: ONNX files, run and compared with the model before the command says they are written. */

/** Logits may differ by this share of their largest value: the same graph, optimized with other outputs. */
const TOLERANCE = 1e-4;

export async function exportCommand(options: ExportFlags, terminal: Terminal): Promise<ExitCode> {
  const say = (line: string): void => {
    if (!options.json) terminal.stderr.write(`${printable(line)}\n`);
  };
  say(`loading model ${options.model}`);
  const model = await loadModel(options.model);
  await makeFolder(options.out);
  const files = await exportOnnx(model, options.out);
  say("running the files and comparing them with the model");
  const engine = await openOnnxEngine(model, { device: "cpu" });
  try {
    const check = await checkExport(engine, {
      encoder: join(options.out, "encoder.onnx"),
      loop: join(options.out, "polyrnn.onnx"),
    });
    if (!(check.vertexDifference <= TOLERANCE) || check.sameSequences < check.sequences) {
      throw new PolyrnnError(
        `${options.out}: expected files that compute what the model does, received logits that differ by ${check.vertexDifference} ` +
          `and ${check.sameSequences} of ${check.sequences} equal sequences`,
        "E_EXPORT",
        EXIT.unavailable,
        "Do not use these files; report this with the output of polyrnn doctor.",
      );
    }
    if (options.json)
      await writeLine(
        terminal.stdout,
        JSON.stringify({ version: 1, type: "export", model: model.card.name, opset: ONNX_OPSET, files, check }),
      );
    for (const { path, bytes } of files)
      say(`wrote ${path} (${(bytes / 2 ** 20).toFixed(1)} MiB, opset ${ONNX_OPSET})`);
    say(
      `checked: ${check.sameSequences} of ${check.sequences} sequences equal, first-vertex logits within ${check.vertexDifference.toExponential(1)}`,
    );
    return EXIT.ok;
  } finally {
    await engine.dispose();
  }
}
