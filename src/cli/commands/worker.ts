/** `polyrnn worker`: options in, words and exit code out; the work is queue/run-worker.ts. */
import { EXIT, type ExitCode } from "../../errors.js";
import type { WorkerFlags } from "../options/queue-table.js";
import { packageVersion } from "../package-version.js";
import { printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

export async function workerCommand(flags: WorkerFlags, terminal: Terminal): Promise<ExitCode> {
  const note = (line: string): void => {
    if (!flags.quiet) terminal.stderr.write(`${printable(line)}\n`);
  };
  note(`polyrnn ${packageVersion()}: model ${flags.model}, device ${flags.device} ...`);
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    note("stopping after what is being drawn; interrupt again to stop at once");
  });
  const { runWorker } = await import("../../queue/run-worker.js");
  const { queue, images, model, device, threads, concurrency, rate, allowPrivateAddresses, metricsPort, metricsHost } =
    flags;
  const summary = await runWorker(
    {
      queue,
      images,
      model,
      device,
      allowPrivateAddresses,
      metricsHost,
      queueTimeoutMs: 1000 * flags.queueTimeout,
      stalledAfterMs: 1000 * flags.stalledAfter,
      maxBytes: flags.maxImageBytes,
      timeoutMs: 1000 * flags.imageTimeout,
      ...(rate !== undefined && { rate }),
      ...(threads !== undefined && { threads }),
      ...(concurrency !== undefined && { concurrency }),
      ...(metricsPort !== undefined && { metricsPort }),
    },
    { signal, note },
  );
  note(
    `stopped: ${summary.jobs} job(s) with ${summary.instances} instance(s) drawn, ${summary.failed} failed, ${summary.rejected} job(s) rejected, ${summary.givenBack} given back`,
  );
  if (flags.json) await writeLine(terminal.stdout, JSON.stringify(summary));
  return EXIT.ok;
}
