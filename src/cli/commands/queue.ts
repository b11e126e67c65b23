/** `polyrnn queue status|pause|resume|drain|retry-failed`: five commands, one table; the work is queue/operate.ts. */
import { count } from "../../count.js";
import { EXIT } from "../../errors.js";
import { parseRedisAddress } from "../../queue/address.js";
import type { ModelQueue, QueueAction, QueueStatus } from "../../queue/operate.js";
import type { Secret } from "../../secret.js";
import type { Command, CommandGroup } from "../command.js";
import { defineCommand } from "../command.js";
import type { OptionTable } from "../option-table.js";
import type { JsonOption } from "../shared-rows.js";
import { jsonRow, queueRow, queueTimeoutRow } from "../shared-rows.js";
import { printable, writeJsonLine, writeLine } from "../terminal.js";

interface QueueFlags extends JsonOption {
  readonly queue: Secret;
  readonly queueTimeout: number;
}

const queueTable = {
  queue: { ...queueRow, required: true },
  queueTimeout: { ...queueTimeoutRow, default: 10 },
  json: jsonRow,
} as const satisfies OptionTable<QueueFlags>;

/** What each action does, and when one needs it. */
const ACTIONS: readonly { readonly action: QueueAction; readonly summary: string; readonly why: string }[] = [
  {
    action: "status",
    summary: "show jobs, workers and coordinators of a Redis server",
    why: "what waits, what is in work, what was set aside",
  },
  { action: "pause", summary: "let workers finish what they have and take nothing more", why: "hold all queues" },
  { action: "resume", summary: "let workers take jobs again", why: "end a pause" },
  { action: "drain", summary: "remove all jobs that are not in work", why: "clean up after abandoned runs" },
  { action: "retry-failed", summary: "queue jobs again that were set aside", why: "after their cause is fixed" },
];

export const queueGroup: CommandGroup = {
  path: ["queue"],
  summary: "look at the queues of a Redis server, and steer them",
};

export const queueCommands: readonly Command[] = ACTIONS.map(({ action, summary, why }) =>
  defineCommand<QueueFlags>({
    path: ["queue", action],
    summary,
    examples: [
      { why, line: `polyrnn queue ${action} --queue redis://host:6379` },
      { why: "the same for a program", line: `polyrnn queue ${action} --queue redis://host:6379 --json` },
    ],
    table: queueTable,
    async run(flags, terminal) {
      const { operateQueue } = await import("../../queue/operate.js");
      const status = await operateQueue(action, {
        queue: parseRedisAddress(flags.queue),
        timeoutMs: 1000 * flags.queueTimeout,
      });
      const lines = flags.json
        ? [JSON.stringify(status)]
        : [...actionMessages(action, status.touched), ...statusMessages(status)];
      for (const line of lines)
        await (flags.json ? writeJsonLine(terminal.stdout, line) : writeLine(terminal.stdout, printable(line)));
      return EXIT.ok;
    },
  }),
);

function actionMessages(action: QueueAction, touched: number): string[] {
  switch (action) {
    case "status":
      return [];
    case "pause":
      return [`paused ${count(touched, "queue")}: workers finish what they have and take nothing more`];
    case "resume":
      return [`resumed ${count(touched, "queue")}`];
    case "drain":
      return [`removed ${count(touched, "job")}`];
    case "retry-failed":
      return [`put ${count(touched, "job")} up again; results are fetched by the coordinator, or by annotate --resume`];
  }
}

const HEAD = ["model", "state", "waiting", "active", "delayed", "failed", "completed", "workers"];

function statusMessages({ server, queues, coordinators, isCut }: QueueStatus): string[] {
  if (queues.length === 0) return [`${server}: no queue; nothing was ever handed out here and no worker was there`];
  const lines = aligned([HEAD, ...queues.map(rowOf)]);
  for (const { workers, failedJobs } of queues) {
    for (const { id, modelName, device, engineVersion, instances, failed } of workers)
      lines.push(
        `worker ${id}: ${modelName} on ${device} (${engineVersion}), ${count(instances, "instance")}, ${failed} failed`,
      );
    for (const { id, reason } of failedJobs) lines.push(`set aside: job ${id}: ${reason}`);
  }
  for (const coordinator of coordinators) lines.push(`coordinator: ${coordinator}`);
  if (isCut === true)
    lines.push(`only ${count(queues.length, "queue")}: the server names more models than were ever used on one`);
  return lines;
}

function rowOf(queue: ModelQueue): string[] {
  const { modelName, model, isPaused, waiting, active, delayed, failed, completed, workers } = queue;
  return [
    `${modelName} ${model.slice(0, 12)}`,
    isPaused ? "paused" : "open",
    ...[waiting, active, delayed, failed, completed, workers.length].map(String),
  ];
}

/** Columns two spaces apart: names flush left, numbers flush right. */
function aligned(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  "),
  );
}
