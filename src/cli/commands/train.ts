/** `polyrnn train`: options in, progress, page and exit code out; the work is train/train.ts. */
import { resolve } from "node:path";
import { RunLock } from "../../annotate/run-lock.js";
import { EXIT, PolyrnnError, type ExitCode } from "../../errors.js";
import type { RunEnded, RunStarted, TrainEvents, TrainingHistory } from "../../train/events.js";
import type { TrainOptions } from "../../train/options.js";
import { optionWords } from "../../train/page/option-words.js";
import { TRAINING_PAGE, writeTrainingPage } from "../../train/page/write-training-page.js";
import { readRun } from "../../train/run-file.js";
import type { TrainHost } from "../../train/train.js";
import type { TrainFlags } from "../options/train-table.js";
import { packageVersion } from "../package-version.js";
import { refuseContradictions } from "../resumed-options.js";
import { printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";
import { endedWords } from "../train-words.js";
import { checkNewRun, toTrainOptions } from "../train-options.js";
import { showTrainProgress, type TrainProgress } from "../train-progress.js";

/** @param host what to compute with, in place of looking for it */
export async function trainCommand(flags: TrainFlags, terminal: Terminal, host: TrainHost = {}): Promise<ExitCode> {
  if (flags.resume === undefined) checkNewRun(flags);
  const progress = showTrainProgress(terminal.stderr, { quiet: flags.quiet, now: () => terminal.now() });
  // Said before the engine is imported: loading takes a while.
  void progress.note(
    `polyrnn ${packageVersion()}: ${flags.resume === undefined ? "reading the outlines" : `going on with ${flags.resume}`} ...`,
  );
  const signal = terminal.stopSignal();
  signal.addEventListener("abort", () => {
    void progress.note("stopping after this step, with a checkpoint; interrupt again to stop at once");
  });
  const run = await prepareRun(flags, (line) => {
    void progress.note(line);
  });
  const watched = new Watched(flags, terminal, progress, run);
  let ended: RunEnded;
  try {
    const { train, resumeTraining } = await import("../../train/train.js");
    ended = await (run.isResumed
      ? resumeTraining(run.folder, watched, { ...host, signal })
      : train(run.options, watched, { ...host, signal }));
  } catch (thrown) {
    throw withTheStepKept(thrown, watched);
  } finally {
    progress.end();
    await watched.release();
  }
  if (!flags.quiet)
    for (const line of endedWords(ended, run.words, watched.hasPage)) terminal.stderr.write(`${printable(line)}\n`);
  if (flags.json)
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "summary", command: "train", ...ended }));
  return ended.reason === "stopped" ? EXIT.stopped : EXIT.ok;
}

interface PreparedRun {
  readonly isResumed: boolean;
  /** Absolute. */
  readonly folder: string;
  /** The folder as it was typed. */
  readonly words: string;
  readonly options: TrainOptions;
  readonly lock?: RunLock;
}

async function prepareRun(flags: TrainFlags, note: (line: string) => void): Promise<PreparedRun> {
  if (flags.resume === undefined) {
    checkNewRun(flags);
    const options = await toTrainOptions(flags);
    return { isResumed: false, folder: resolve(options.out), words: options.out, options };
  }
  const folder = resolve(flags.resume);
  const { options } = await readRun(folder);
  await refuseContradictions(flags, folder, options);
  // Two processes that go on with one run would write over each other's checkpoints.
  return { isResumed: true, folder, words: flags.resume, options, lock: await RunLock.take(folder, note) };
}

/** Shows what happens, writes the page, and keeps other runs out of the folder. */
class Watched implements TrainEvents {
  #run: RunStarted | undefined;
  #lock: RunLock | undefined;
  #history: TrainingHistory | undefined;
  hasPage = false;
  /** Step of the last checkpoint that was written. */
  checkpointStep: number | undefined;

  constructor(
    private readonly flags: TrainFlags,
    private readonly terminal: Terminal,
    private readonly progress: TrainProgress,
    private readonly prepared: PreparedRun,
  ) {
    this.#lock = prepared.lock;
  }

  get folder(): string {
    return this.prepared.words;
  }

  async started(run: RunStarted): Promise<void> {
    this.#run = run;
    this.#lock ??= await RunLock.take(run.folder, (line) => {
      this.note(line);
    });
    await this.progress.started(run);
    await this.data({
      version: 1,
      ...run,
      type: "started",
      bySource: Object.fromEntries(run.bySource),
      dropped: Object.fromEntries(run.dropped),
    });
  }

  async step(now: Parameters<TrainProgress["step"]>[0]): Promise<void> {
    await this.progress.step(now);
    if (now.line !== undefined) await this.data(now.line);
  }

  async validating(now: Parameters<TrainProgress["validating"]>[0]): Promise<void> {
    await this.progress.validating(now);
  }

  async validation(line: Parameters<TrainProgress["validation"]>[0], history: TrainingHistory): Promise<void> {
    await this.progress.validation(line, history);
    const { drawn: _drawn, ...scores } = line;
    await this.data(scores);
    this.#history = history;
    await this.page();
  }

  async checkpoint({ step }: { readonly step: number }): Promise<void> {
    this.checkpointStep = step;
    await this.data({ type: "checkpoint", step });
  }

  note(text: string): void {
    void this.progress.note(text);
  }

  /** A page that cannot be written is no reason to end a run of hours. */
  private async page(): Promise<void> {
    if (this.#run === undefined || this.#history === undefined) return;
    try {
      await writeTrainingPage(this.prepared.folder, this.#history, {
        run: this.#run,
        options: optionWords(this.prepared.options),
        generator: `polyrnn ${packageVersion()}`,
      });
      this.hasPage = true;
    } catch (thrown) {
      if (!(thrown instanceof PolyrnnError)) throw thrown;
      this.note(`${TRAINING_PAGE} is left as it was, the run goes on: ${thrown.message}`);
    }
  }

  private async data(line: object): Promise<void> {
    if (this.flags.json) await writeLine(this.terminal.stdout, JSON.stringify(line));
  }

  async release(): Promise<void> {
    await this.#lock?.release();
  }
}

/** The hint of an error in the middle of a run also says where it can go on. */
function withTheStepKept(thrown: unknown, { checkpointStep, folder }: Watched): unknown {
  if (
    !(thrown instanceof PolyrnnError) ||
    checkpointStep === undefined ||
    thrown.hint.includes("--resume") ||
    thrown.code === "E_DIVERGED"
  )
    return thrown;
  return new PolyrnnError(
    thrown.message,
    thrown.code,
    thrown.exitCode,
    `${thrown.hint} The checkpoint of step ${checkpointStep} is whole: polyrnn train --resume ${folder}`,
    { cause: thrown.cause },
  );
}
