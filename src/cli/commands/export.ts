/** `polyrnn export`: writes ONNX files, runs them, and compares them with the model before it says they are written. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { count } from "../../count.js";
import { EXIT, PolyrnnError, receivedOf } from "../../errors.js";
import type { ExportCheck } from "../../predict/check-export.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow, modelPlaceRow } from "../shared-rows.js";
import { printable, writeJsonLine } from "../terminal.js";

interface ExportFlags extends JsonOption {
  readonly model: string;
  readonly format: "onnx";
  readonly out: string;
  readonly force: boolean;
}

const exportTable = {
  model: { ...modelPlaceRow, required: true },
  format: {
    type: "text",
    choices: ["onnx"],
    group: "common",
    default: "onnx",
    describe: "Format to write",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-onnx",
    describe: "Folder for encoder.onnx, step.onnx and polyrnn.onnx",
  },
  force: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Replace an earlier export in the output folder; nothing else is ever replaced",
  },
  json: jsonRow,
} as const satisfies OptionTable<ExportFlags>;

/**
 * Lies in the folder until the files are written and checked. A folder that a kill has left is known by it: people may
 * have files of the other names.
 */
const UNFINISHED_FILE = "export.unfinished";
const UNFINISHED_TEXT = "An export was being written here. The same polyrnn command replaces what is there of it.\n";

/** Logits may differ by this share of their largest value: the same graph, optimized with other outputs. */
const TOLERANCE = 1e-4;

export const exportCommand = defineCommand<ExportFlags>({
  path: ["export"],
  summary: "write a model as ONNX files",
  examples: [
    {
      why: "encoder, step, and one file that predicts polygons on its own",
      line: "polyrnn export mobile --out ./onnx",
    },
    {
      why: "a model of your own, for example the folder of a training run",
      line: "polyrnn export runs/mine --format onnx --out ./onnx",
    },
  ],
  table: exportTable,
  async run({ model: name, out, force, json }, terminal) {
    const say = (line: string): void => {
      if (!json) terminal.stderr.write(`${printable(line)}\n`);
    };
    say(`loading model ${name}`);
    const { openOnnxEngine } = await import("../../engine/onnx/models.js");
    const { exportOnnx, EXPORTED_FILES } = await import("../../engine/onnx/export.js");
    const { ONNX_OPSET } = await import("../../engine/onnx/proto.js");
    const { makeFolder, toWriteError, writeAtomic } = await import("../../files/atomic-file.js");
    const { loadModel } = await import("../../model/model.js");
    const { checkExport } = await import("../../predict/check-export.js");
    const { withFolderLock } = await import("../../runs/lock.js");
    const { LOCK_FILES } = await import("../../files/run-layout.js");
    await refuseTakenFolder(out, force);
    const model = await loadModel(name);
    const made = await makeFolder(out);
    const files = await withFolderLock(out, say, async () => {
      await refuseTakenFolder(out, force); // somebody else may have written there meanwhile
      try {
        await writeAtomic(join(out, UNFINISHED_FILE), UNFINISHED_TEXT);
        return await exportOnnx(model, out);
      } catch (error) {
        const { takeBackFolder } = await import("../../files/folders.js");
        if (!force) await takeBackFolder(out, made, [...EXPORTED_FILES, UNFINISHED_FILE, ...LOCK_FILES]);
        throw error;
      }
    });
    say("running the files and comparing them with the model");
    const engine = await openOnnxEngine(model, { device: "cpu" });
    try {
      const paths = { encoder: join(out, "encoder.onnx"), loop: join(out, "polyrnn.onnx") };
      const check = await checkExport(engine, paths);
      if (!isSound(check)) throw differs(out, check);
      const unfinished = join(out, UNFINISHED_FILE);
      await rm(unfinished, { force: true }).catch((error: unknown) => {
        throw toWriteError(unfinished, error);
      });
      if (json) {
        const result = { version: 1, type: "export", model: model.card.name, opset: ONNX_OPSET, files, check };
        await writeJsonLine(terminal.stdout, result);
      }
      for (const { path, bytes } of files)
        say(`wrote ${path} (${(bytes / 2 ** 20).toFixed(1)} MiB, opset ${ONNX_OPSET})`);
      const { sameSequences, sequences, vertexDifference } = check;
      say(
        `checked: ${sameSequences} of ${count(sequences, "sequence")} equal, ` +
          `first-vertex logits within ${vertexDifference.toExponential(1)}`,
      );
      return EXIT.ok;
    } finally {
      await engine.dispose();
    }
  },
});

/**
 * An export goes into a folder of its own: files of these names beside others belong to somebody else.
 * @throws E_OUT_NOT_EMPTY
 */
async function refuseTakenFolder(out: string, force: boolean): Promise<void> {
  const { EXPORTED_FILES } = await import("../../engine/onnx/export.js");
  const { PARTIAL_SUFFIX, toWriteError } = await import("../../files/atomic-file.js");
  const { folderNotEmpty } = await import("../../files/folders.js");
  const { LOCK_FILES } = await import("../../files/run-layout.js");
  const written: readonly string[] = [...EXPORTED_FILES, UNFINISHED_FILE];
  const own: readonly string[] = [...written.flatMap((name) => [name, name + PARTIAL_SUFFIX]), ...LOCK_FILES];
  const names: readonly string[] = await readdir(out).catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT" || code === "ENOTDIR") return []; // making the folder says what is wrong
    throw toWriteError(out, error);
  });
  const foreign = names.filter((name) => !own.includes(name));
  if (foreign.length > 0) {
    throw folderNotEmpty(
      `--out ${out}: expected an empty folder, received ${count(foreign.length, "file")} that no export wrote, ` +
        `for example ${receivedOf(foreign[0])}`,
      "Name another folder with --out: an export has one of its own, and --force replaces nothing else.",
    );
  }
  const isUnfinished = names.includes(UNFINISHED_FILE);
  const exported: readonly string[] = EXPORTED_FILES;
  if (names.some((name) => exported.includes(name)) && !isUnfinished && !force) {
    throw folderNotEmpty(
      `--out ${out}: expected an empty folder, received an earlier export`,
      "Replace it with --force, or name another folder with --out.",
    );
  }
}

/** NaN is not within the tolerance. */
function isSound({ vertexDifference, sameSequences, sequences }: ExportCheck): boolean {
  return vertexDifference <= TOLERANCE && sameSequences >= sequences;
}

function differs(out: string, { vertexDifference, sameSequences, sequences }: ExportCheck): PolyrnnError {
  return new PolyrnnError(
    `${out}: expected files that compute what the model does, received logits that differ by ${vertexDifference} ` +
      `and ${sameSequences} of ${sequences} equal sequences`,
    "E_EXPORT",
    EXIT.unavailable,
    "Do not use these files; report this with the output of polyrnn doctor.",
  );
}
