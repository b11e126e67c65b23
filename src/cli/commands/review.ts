/** `polyrnn review`: people go through a run, the doubtful polygons first; the work is in review/. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { count } from "../../count.js";
import { EXIT, unavailable } from "../../errors.js";
import type { ExportOptions } from "../../review/export.js";
import type { Interval, Statistics, StatusCounts } from "../../review/api.js";
import type { ReviewOrder } from "../../review/order.js";
import type { OutputFormat } from "../../write/writer.js";
import { defineCommand } from "../command.js";
import type { FormatFlags } from "../format-rows.js";
import { formatRows, toFormatOptions } from "../format-rows.js";
import type { OptionTable } from "../option-table.js";
import type { ColorChoice, ConfigOption, JsonOption } from "../shared-rows.js";
import { colorRow, configRow, formatRow, jsonRow, quietRow, threadsRow } from "../shared-rows.js";
import { printable, writeJsonLine } from "../terminal.js";

interface ReviewFlags extends FormatFlags, JsonOption, ConfigOption {
  readonly run: string;
  readonly order: ReviewOrder;
  readonly below?: number;
  readonly category: readonly string[];
  readonly sample?: number;
  readonly seed: number;
  readonly format?: readonly OutputFormat[];
  readonly exportOnly: boolean;
  readonly keepRejected: boolean;
  readonly report: boolean;
  readonly reviewer?: string;
  readonly arm: "assist" | "manual" | "mixed";
  readonly port: number;
  readonly open: boolean;
  readonly threads?: number;
  readonly quiet: boolean;
  readonly color: ColorChoice;
}

const reviewTable = {
  run: {
    type: "text",
    position: 0,
    placeholder: "DIR",
    group: "common",
    default: "polyrnn-out",
    describe: "Run folder that annotate or merge wrote",
  },
  order: {
    type: "text",
    choices: ["score", "input", "category"],
    group: "common",
    default: "score",
    describe: "Order of the queue; score: the most doubtful first",
  },
  below: {
    type: "number",
    min: 0,
    max: 1,
    group: "common",
    whenAbsent: "all",
    describe: "Only polygons with a lower score",
  },
  category: {
    type: "list",
    placeholder: "NAME|ID",
    group: "common",
    default: [],
    describe: "Only these categories; empty: all",
  },
  sample: {
    type: "number",
    integer: true,
    min: 1,
    unit: "instances",
    group: "common",
    whenAbsent: "all",
    describe: "Only this many of them, chosen at random",
  },
  seed: {
    type: "number",
    integer: true,
    min: 0,
    group: "advanced",
    default: 0,
    describe: "Decides which sample is taken, and who is drawn by hand with --arm mixed",
  },
  format: { ...formatRow, group: "common", whenAbsent: "those of the run" },
  ...formatRows,
  exportOnly: {
    type: "flag",
    group: "common",
    default: false,
    describe: "Write the files with the decisions and end; no page",
  },
  report: {
    type: "flag",
    group: "common",
    default: false,
    describe: "Print seconds, clicks and what changed, and end; no page",
  },
  keepRejected: {
    type: "flag",
    group: "advanced",
    default: false,
    describe: "Write rejected instances with a mark instead of leaving them out",
  },
  reviewer: {
    type: "text",
    placeholder: "NAME",
    group: "advanced",
    describe: "Name that goes into the review and, as polyrnn_reviewer, into the files",
  },
  arm: {
    type: "text",
    choices: ["assist", "manual", "mixed"],
    group: "advanced",
    default: "assist",
    describe: "With the network, by hand, or half of the instances each, to measure the gain",
  },
  port: {
    type: "number",
    integer: true,
    min: 0,
    max: 65535,
    group: "advanced",
    default: 0,
    describe: "Port on this machine; 0: one that is free",
  },
  open: {
    type: "flag",
    group: "advanced",
    default: true,
    describe: "Open the browser; --no-open only prints the address",
  },
  threads: threadsRow,
  config: configRow,
  json: jsonRow,
  quiet: quietRow,
  color: colorRow,
} as const satisfies OptionTable<ReviewFlags>;

export const reviewCommand = defineCommand<ReviewFlags>({
  path: ["review"],
  summary: "look at the polygons of a run, correct them, write them again",
  examples: [
    { why: "opens a page on this machine, lowest scores first", line: "polyrnn review polyrnn-out" },
    {
      why: "a part of them",
      line: "polyrnn review polyrnn-out --below 0.7 --category car --sample 200 --seed 7",
    },
    {
      why: "write the files with what was decided",
      line: "polyrnn review polyrnn-out --export-only --format coco,labelme",
    },
  ],
  table: reviewTable,
  async run(flags, terminal) {
    const say = (line: string): void => {
      if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
    };
    if (flags.report) {
      const { openReviewedRun } = await import("../../review/run.js");
      const { countsOfRun, statisticsOfRun } = await import("../../review/progress.js");
      const run = await openReviewedRun(flags.run, say);
      try {
        const statistics = statisticsOfRun(run, countsOfRun(run));
        for (const line of reportLines(statistics)) say(line);
        if (flags.json) await writeJsonLine(terminal.stdout, { type: "review-report", ...statistics });
      } finally {
        await run.close();
      }
      return EXIT.ok;
    }
    if (flags.exportOnly) {
      const { exportRunFolder } = await import("../../review/export.js");
      const { files, counts } = await exportRunFolder(flags.run, exportOptions(flags), say);
      say(exportLine(flags.run, files, counts));
      if (flags.json) await writeJsonLine(terminal.stdout, { type: "review-export", files, counts });
      return EXIT.ok;
    }
    return serve(flags, say, terminal.stopSignal(), async (value) => {
      if (flags.json) await writeJsonLine(terminal.stdout, value);
    });
  },
});

async function serve(
  flags: ReviewFlags,
  say: (line: string) => void,
  signal: AbortSignal,
  print: (value: object) => Promise<void>,
): Promise<typeof EXIT.stopped> {
  const { readStaticFiles } = await import("../../review/static-files.js");
  const { ReviewSession } = await import("../../review/session.js");
  const { startServer } = await import("../../review/server.js");
  const files = await readStaticFiles(fileURLToPath(new URL("../..", import.meta.url)));
  if (!files.has("/"))
    throw unavailable("expected the built page of the review, received none", "Build it: npm run build.");
  const { below, sample, threads } = flags;
  const session = await ReviewSession.open(
    {
      folder: flags.run,
      order: flags.order,
      categories: flags.category,
      seed: flags.seed,
      arm: flags.arm,
      ...(below !== undefined && { below }),
      ...(sample !== undefined && { sample }),
      ...(threads !== undefined && { threads }),
      ...exportOptions(flags),
    },
    say,
  );
  try {
    const server = await startServer(session, { port: flags.port, files, note: say });
    const { total, counts } = session.session();
    say(`${count(total, "instance")} to review, ${counts.open + counts.draft} open`);
    say(`open ${server.address}`);
    say("everything is saved at once; Ctrl+C ends");
    await print({ type: "review", address: server.address, total, counts });
    if (flags.open) {
      openBrowser(server.address);
    }
    await stopped(signal);
    await server.close();
    say(`next: polyrnn review ${flags.run} --export-only`);
  } finally {
    await session.close();
  }
  return EXIT.stopped;
}

function stopped(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => {
      resolve();
    });
  });
}

function exportOptions(flags: ReviewFlags): ExportOptions {
  const { format, keepRejected, reviewer } = flags;
  const formatOptions = toFormatOptions(flags);
  return {
    keepRejected,
    ...(format !== undefined && { formats: format }),
    ...(formatOptions !== undefined && { formatOptions }),
    ...(reviewer !== undefined && { reviewer }),
  };
}

function exportLine(folder: string, files: readonly string[], counts: StatusCounts): string {
  return `wrote ${files.join(", ")} to ${folder}: ${statusText(counts)}`;
}

function statusText({ accepted, edited, rejected, skipped, draft, open }: StatusCounts): string {
  return `${accepted} accepted, ${edited} edited, ${rejected} rejected, ${skipped} skipped, ${open + draft} open`;
}

/** With its interval. */
function between({ mean, low, high }: Interval, digits: number): string {
  return `${mean.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** The report for people. */
export function reportLines({ counts, all, byCategory, byScore, ...rest }: Statistics): string[] {
  const { acceptedUnchanged, clicks, saved, networkSeconds } = rest;
  const number = (value: number | null, digits: number): string => (value === null ? "-" : value.toFixed(digits));
  const row = ({ name, count: of, secondsMedian, seconds90, clicksMean, iouBefore }: Statistics["all"]): string =>
    `  ${name}: ${of}, median ${number(secondsMedian, 1)} s, 90 % ${number(seconds90, 1)} s, ` +
    `clicks ${number(clicksMean, 2)}, IoU before ${number(iouBefore, 3)}`;
  return [
    statusText(counts),
    `accepted unchanged: ${acceptedUnchanged}; redraw taken ${clicks.redrawTaken}, left ${clicks.redrawLeft}; ` +
      `network ${number(networkSeconds, 1)} s`,
    row(all),
    ...(byCategory.length > 0 ? ["by category:", ...byCategory.map(row)] : []),
    ...(byScore.length > 0 ? ["by score:", ...byScore.map(row)] : []),
    saved === null
      ? "saved against drawing by hand: not known; --arm mixed measures it"
      : `saved against drawing by hand: ${between(saved, 1)} s per instance; ${between(saved.times, 2)} times as fast: ` +
        `${saved.manual.secondsMean.toFixed(1)} s by hand (${saved.manual.count}), ` +
        `${saved.assist.secondsMean.toFixed(1)} s with the network (${saved.assist.count})`,
  ];
}

const OPENERS: Readonly<Record<string, readonly [string, ...string[]]>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * Opens an address in the user's browser, where there is one; the address is printed in any case.
 * @param address made by this program: it holds nothing of the user's files
 */
function openBrowser(address: string): void {
  const [command, ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, address], { stdio: "ignore", detached: true });
  // No browser on this machine: the printed address is what remains.
  child.on("error", () => undefined);
  child.unref();
}
