/** The options of `polyrnn merge`. */
import type { ExitCode } from "../../errors.js";
import { EXIT } from "../../errors.js";
import type { MergeOptions } from "../../merge/merge.js";
import type { OutputFormat } from "../../write/writer.js";
import type { OptionTable } from "../option-table.js";
import { appendStepSummary, mergeMessages } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import { colorRow, configRow, datasetRow, formatRow, jsonRow, overlaysRow } from "../shared-rows.js";
import type { Terminal } from "../terminal.js";
import { printable, writeLine } from "../terminal.js";

export interface MergeFlags extends Omit<MergeOptions, "formats">, JsonOption, ConfigOption {
  readonly format?: readonly OutputFormat[];
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

export const mergeTable = {
  parts: {
    type: "list",
    position: 0,
    placeholder: "PART...",
    group: "common",
    required: true,
    describe: "Run folders that annotate --shard wrote, in any order",
  },
  out: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    required: true,
    describe: "Output folder: a run folder like that of one machine",
  },
  boxes: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    whenAbsent: "where the parts had them",
    describe: "The boxes that were drawn; their content is checked",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "where the parts had them, if they are there",
    describe: "Image folder, for overlays and for formats that point at images",
  },
  dataset: { ...datasetRow, group: "advanced", whenAbsent: "that of the parts" },
  onlyNew: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "advanced",
    whenAbsent: "that of the parts",
    describe: "The earlier annotations that the parts were drawn with; their content is checked",
  },
  format: { ...formatRow, group: "advanced", whenAbsent: "those of the first part" },
  overlays: { ...overlaysRow, group: "advanced", whenAbsent: "that of the first part" },
  config: configRow,
  force: {
    type: "flag",
    group: "output",
    default: false,
    describe: "Replace the run that is already in the output folder",
  },
  json: jsonRow,
  quiet: {
    type: "flag",
    group: "output",
    default: false,
    describe: "No closing words; errors are still printed",
  },
  color: colorRow,
} as const satisfies OptionTable<MergeFlags>;

/* `polyrnn merge`: options in, words and exit code out; the work is merge/merge.ts. */

export async function mergeCommand(flags: MergeFlags, terminal: Terminal): Promise<ExitCode> {
  const say = (line: string): void => {
    if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
  };
  const { mergeRuns } = await import("../../merge/merge.js");
  const summary = await mergeRuns(toMergeOptions(flags), { note: say });
  for (const line of mergeMessages(summary)) say(line);
  await appendStepSummary(terminal.env, summary);
  if (flags.json) await writeLine(terminal.stdout, JSON.stringify(summary));
  return summary.failed > 0 || summary.remaining > 0 || (summary.merged?.missing.length ?? 0) > 0
    ? EXIT.failures
    : EXIT.ok;
}

function toMergeOptions({
  parts,
  out,
  force,
  boxes,
  images,
  dataset,
  onlyNew,
  format,
  overlays,
}: MergeFlags): MergeOptions {
  return {
    parts,
    out,
    force,
    ...(boxes !== undefined && { boxes }),
    ...(images !== undefined && { images }),
    ...(dataset !== undefined && { dataset }),
    ...(onlyNew !== undefined && { onlyNew }),
    ...(format !== undefined && { formats: format }),
    ...(overlays !== undefined && { overlays }),
  };
}
