/** `polyrnn merge`: joins the runs of shards; the work is merge/merge.ts. */
import type { AnnotateSummary, MergedShards } from "../../annotate/summary.js";
import { count } from "../../count.js";
import { EXIT } from "../../errors.js";
import type { MergeOptions } from "../../merge/merge.js";
import type { OutputFormat } from "../../write/writer.js";
import { defineCommand } from "../command.js";
import { judgeRun, parseMaxFailed } from "../max-failed.js";
import type { FormatFlags } from "../format-rows.js";
import { formatRows, toFormatOptions } from "../format-rows.js";
import type { OptionTable } from "../option-table.js";
import { leftOut, lowestText, shortcomings, writtenText } from "../run-summary.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import {
  colorRow,
  configRow,
  datasetRow,
  forceRunRow,
  formatRow,
  jsonRow,
  maxFailedRow,
  overlaysRow,
  quietRow,
} from "../shared-rows.js";
import { printable, writeJsonLine } from "../terminal.js";

interface MergeFlags extends Omit<MergeOptions, "formats" | "formatOptions">, FormatFlags, JsonOption, ConfigOption {
  readonly format?: readonly OutputFormat[];
  readonly maxFailed?: string;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

const mergeTable = {
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
    describe: "Output folder: a run folder like that of a single machine",
  },
  boxes: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "common",
    whenAbsent: "where the parts found them",
    describe: "Boxes the parts were predicted from; their content is checked",
  },
  images: {
    type: "text",
    placeholder: "DIR",
    group: "common",
    whenAbsent: "where the parts found them, if they are still there",
    describe: "Image folder, for overlays and for formats that point at images",
  },
  dataset: { ...datasetRow, group: "advanced", whenAbsent: "that of the parts" },
  onlyNew: {
    type: "text",
    placeholder: "FILE|DIR",
    group: "advanced",
    whenAbsent: "that of the parts",
    describe: "Earlier annotations the parts were predicted with; their content is checked",
  },
  format: { ...formatRow, group: "advanced", whenAbsent: "those of the first part" },
  ...formatRows,
  overlays: { ...overlaysRow, group: "advanced", whenAbsent: "as in the first part" },
  maxFailed: maxFailedRow,
  config: configRow,
  force: forceRunRow,
  json: jsonRow,
  quiet: quietRow,
  color: colorRow,
} as const satisfies OptionTable<MergeFlags>;

export const mergeCommand = defineCommand<MergeFlags>({
  path: ["merge"],
  summary: "join the runs of shards into one",
  examples: [
    { why: "the parts that annotate --shard wrote, in any order", line: "polyrnn merge part-* --out all" },
    {
      why: "on a machine where the boxes and images lie elsewhere",
      line: "polyrnn merge part-* --out all --boxes boxes.json --images ./images",
    },
  ],
  table: mergeTable,
  async run(flags, terminal) {
    const say = (line: string): void => {
      if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
    };
    if (flags.maxFailed !== undefined) parseMaxFailed(flags.maxFailed);
    const { mergeRuns } = await import("../../merge/merge.js");
    const { appendStepSummary } = await import("../step-summary.js");
    const summary = await mergeRuns(toMergeOptions(flags), { note: say });
    for (const line of mergeMessages(summary)) say(line);
    await appendStepSummary(terminal.env, summary);
    const { exitCode, message, maxFailed } = judgeRun(summary, flags.maxFailed);
    if (message !== undefined && (!flags.quiet || exitCode === EXIT.dataInvalid))
      terminal.stderr.write(`${printable(message)}\n`);
    if (flags.json) await writeJsonLine(terminal.stdout, { ...summary, ...(maxFailed !== undefined && { maxFailed }) });
    return exitCode;
  },
});

function toMergeOptions(flags: MergeFlags): MergeOptions {
  const { parts, out, force, boxes, images, dataset, onlyNew, format, overlays } = flags;
  const formatOptions = toFormatOptions(flags);
  return {
    parts,
    out,
    force,
    ...(boxes !== undefined && { boxes }),
    ...(images !== undefined && { images }),
    ...(dataset !== undefined && { dataset }),
    ...(onlyNew !== undefined && { onlyNew }),
    ...(format !== undefined && { formats: format }),
    ...(formatOptions !== undefined && { formatOptions }),
    ...(overlays !== undefined && { overlays }),
  };
}

/** The closing messages: what was joined, what is missing, what to do about it. */
export function mergeMessages(summary: AnnotateSummary): string[] {
  const { merged, done, remaining, model, engineVersion, device, out } = summary;
  if (merged === undefined) return [];
  const joined = `${merged.parts.length} of ${count(merged.count, "shard")}`;
  const lines = [`${count(done, "polygon")} of ${joined} (model ${model}, ${engineVersion}, ${device})`];
  if (device === "several")
    lines.push(`drawn on ${deviceText(merged)}: scores of different devices can differ in their last digit`);
  lines.push(...leftOut(summary), ...shortcomings(summary), ...lowestText(summary), writtenText(summary));
  if (remaining > 0) {
    lines.push(
      "next: finish these shards and merge again, or draw the rest here with the command of the shards, " +
        `without --shard, and with --out ${out} --resume`,
    );
  }
  return lines;
}

/** "cpu (shards 1, 4), cuda (shard 2)" */
function deviceText({ parts }: MergedShards): string {
  const shards = new Map<string, number[]>();
  for (const { device, shard } of parts) shards.set(device, [...(shards.get(device) ?? []), shard]);
  const texts = [...shards].map(([device, indexes]) => {
    const first = indexes.slice(0, 10).join(", ");
    return `${device} (${indexes.length === 1 ? "shard" : "shards"} ${first}${indexes.length > 10 ? ", ..." : ""})`;
  });
  return texts.join(", ");
}
