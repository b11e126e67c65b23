/** `polyrnn merge`: options in, words and exit code out; the work is annotate/merge.ts. */
import type { MergeOptions } from "../../annotate/merge.js";
import { EXIT, type ExitCode } from "../../errors.js";
import { mergeWords } from "../merge-words.js";
import type { MergeFlags } from "../options/merge-table.js";
import { appendStepSummary } from "../step-summary.js";
import { printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

export async function mergeCommand(flags: MergeFlags, terminal: Terminal): Promise<ExitCode> {
  const say = (line: string): void => {
    if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
  };
  const { mergeRuns } = await import("../../annotate/merge.js");
  const summary = await mergeRuns(toMergeOptions(flags), { note: say });
  for (const line of mergeWords(summary)) say(line);
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
