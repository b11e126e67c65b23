/** `polyrnn queue status|pause|resume|drain|retry-failed`: a table, or one JSON object; the work is queue/operate.ts. */
import { EXIT, type ExitCode } from "../../errors.js";
import type { ModelQueue, QueueAction, QueueStatus } from "../../queue/operate.js";
import type { QueueFlags } from "../options/queue-table.js";
import { printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

export function queueCommand(action: QueueAction) {
  return async (flags: QueueFlags, terminal: Terminal): Promise<ExitCode> => {
    const { operateQueue } = await import("../../queue/operate.js");
    const status = await operateQueue(action, { queue: flags.queue, timeoutMs: 1000 * flags.queueTimeout });
    const lines = flags.json
      ? [JSON.stringify(status)]
      : [...actionWords(action, status.touched), ...statusWords(status)];
    for (const line of lines) await writeLine(terminal.stdout, flags.json ? line : printable(line));
    return EXIT.ok;
  };
}

function actionWords(action: QueueAction, touched: number): string[] {
  switch (action) {
    case "status":
      return [];
    case "pause":
      return [`paused ${touched} queue(s): workers finish what they have and take nothing more`];
    case "resume":
      return [`resumed ${touched} queue(s)`];
    case "drain":
      return [`removed ${touched} job(s)`];
    case "retry-failed":
      return [`put ${touched} job(s) up again; their results are fetched by the coordinator, or by annotate --resume`];
  }
}

const HEAD = ["model", "state", "waiting", "active", "delayed", "failed", "completed", "workers"];

export function statusWords({ server, queues, coordinators }: QueueStatus): string[] {
  if (queues.length === 0) return [`${server}: no queue; nothing was ever handed out here and no worker was there`];
  const lines = table([HEAD, ...queues.map(rowOf)]);
  for (const { workers, failedJobs } of queues) {
    for (const worker of workers)
      lines.push(
        `worker ${worker.id}: ${worker.modelName} on ${worker.device} (${worker.engineVersion}), ${worker.instances} instances, ${worker.failed} failed`,
      );
    for (const { id, reason } of failedJobs) lines.push(`set aside: job ${id}: ${reason}`);
  }
  for (const coordinator of coordinators) lines.push(`coordinator: ${coordinator}`);
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

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!))).join("  "),
  );
}
