/**
 * Feeds inputs to a child process one by one, with a time limit each; a child that dies or hangs is replaced.
 *
 * The limit is of processor time where the system tells it (/proc): a machine that is busy with other work is no hang.
 * One that waits for ever uses none; it counts as hanging after twelve times the limit.
 */
import type { ChildProcess } from "node:child_process";
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TINY } from "./small-run.js";
import type { AnnotateOptions, ReportedFailure } from "../../src/annotate/options.js";

const CHILD = join(import.meta.dirname, "malformed-child.mjs");
/** Heap of the child, MiB; buffers and images come on top and count in its resident memory. */
const HEAP_MIB = 400;

/** Of wall time, in time limits. */
const LONGEST_WAIT = 12;

/** Processor time of a child, all its threads; undefined where there is no /proc. */
function processorMs({ pid }: ChildProcess): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)!.split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12])); // ticks of 10 ms, user and system
  } catch {
    return undefined;
  }
}

export type Answer = {
  readonly milliseconds: number;
  readonly peakMiB: number;
  readonly failures: readonly ReportedFailure[];
  readonly notes: readonly string[];
} & (
  | { readonly kind: "ran"; readonly done: number; readonly failed: number; readonly skipped: number }
  | {
      readonly kind: "refused";
      readonly isExpected: boolean;
      readonly message: string;
      readonly hint: string;
      readonly exitCode: number;
      readonly stack: string;
    }
);
export type Result = Answer | { readonly kind: "hung" } | { readonly kind: "died"; readonly how: string };

export class MalformedRunner {
  #child: ChildProcess | undefined;
  #lastMessages = "";

  async run(options: AnnotateOptions, timeLimitMs: number): Promise<Result> {
    const child = (this.#child ??= await this.#start());
    const result = await new Promise<Result>((resolve) => {
      const began = performance.now(),
        cpuBegan = processorMs(child);
      const timer = setInterval(() => {
        const used = cpuBegan === undefined ? Infinity : (processorMs(child) ?? Infinity) - cpuBegan;
        if (used >= timeLimitMs || performance.now() - began >= LONGEST_WAIT * timeLimitMs) finish({ kind: "hung" });
      }, timeLimitMs);
      const onMessage = (answer: unknown): void => {
        finish(answer as Answer);
      };
      const onExit = (code: number | null, signal: string | null): void => {
        finish({ kind: "died", how: `${code ?? signal ?? ""} ${this.#lastMessages}` });
      };
      const finish = (outcome: Result): void => {
        clearInterval(timer);
        child.off("message", onMessage);
        child.off("exit", onExit);
        resolve(outcome);
      };
      child.on("message", onMessage);
      child.on("exit", onExit);
      // A child that just died cannot be sent anything; its end is seen above.
      child.send(options, () => undefined);
    });
    if (result.kind === "hung" || result.kind === "died") this.stop();
    return result;
  }

  stop(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  async #start(): Promise<ChildProcess> {
    const child = fork(CHILD, [TINY], {
      execArgv: [`--max-old-space-size=${HEAP_MIB}`],
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#lastMessages = "";
    child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#lastMessages = (this.#lastMessages + text).slice(-2000);
    });
    await new Promise<void>((resolve, reject) => {
      child.once("message", () => {
        resolve();
      });
      child.once("exit", () => {
        reject(new Error(`the child did not start: ${this.#lastMessages}`));
      });
    });
    return child;
  }
}
