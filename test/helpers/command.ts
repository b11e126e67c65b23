/**
 * The built command, as a user starts it or in one process for many runs.
 *
 * A process of its own takes a second of processor time to load what a run needs. Tests that send signals, break pipes,
 * kill or look at the process itself start one; those that look at files, exit code and messages ask the shared one.
 */
import { spawn, fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";

export const BIN = join(import.meta.dirname, "..", "..", "bin", "polyrnn.js");
const HOST = join(import.meta.dirname, "command-host.mjs");

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Resolves when standard error contains the text; rejects when the process ends before. */
  readonly says: (text: string) => Promise<void>;
  readonly stderrSoFar: () => string;
}

export interface StartOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Flags of node itself. */
  readonly nodeOptions?: readonly string[];
}

const running = new Set<ChildProcess>();

/** Ends what a failed test left running; for afterEach. */
export function endAll(): void {
  for (const child of running) child.kill("SIGKILL");
}

/**
 * This process's environment without what belongs to the tests. One thread unless the arguments say otherwise: these
 * tests share the cores, and starting a thread per core takes longer than most of their runs.
 */
function environment(more: Readonly<Record<string, string>> = {}): Record<string, string | undefined> {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(POLYRNN_|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST)/.test(name)),
  );
  return { ...inherited, POLYRNN_THREADS: "1", ...more };
}

export function start(args: readonly string[], options: StartOptions = {}): Started {
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), BIN, ...args], {
    cwd: options.cwd,
    env: environment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  const listeners = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const listener of listeners) listener();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    stderrSoFar: () => stderr,
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (!stderr.includes(text)) return;
          listeners.delete(look);
          resolve();
        };
        listeners.add(look);
        look();
        void ended.then(() => {
          reject(new Error(`ended without saying "${text}":\n${stderr}`));
        });
      }),
  };
}

export function runToEnd(args: readonly string[], options?: StartOptions): Promise<Ended> {
  return start(args, options).ended;
}

type Answer = Pick<Ended, "stdout" | "stderr"> & { readonly id: number; readonly code: number };

let host: ChildProcess | undefined;
let asked = 0;

export interface InHost {
  readonly ended: Promise<Ended>;
  /** As the first stop signal does. */
  readonly stop: () => void;
}

/**
 * Runs the built command line in a process that all runs of a test file share; it ends with the test file's own.
 * @param env over the environment that `start` gives
 */
export function startInHost(args: readonly string[], env?: Readonly<Record<string, string>>): InHost {
  const child = (host ??= startHost());
  const id = ++asked;
  const ended = new Promise<Ended>((resolve, reject) => {
    const onAnswer = ({ id: answered, code, stdout, stderr }: Answer): void => {
      if (answered !== id) return;
      child.off("message", onAnswer).off("exit", onExit);
      resolve({ code, signal: null, stdout, stderr });
    };
    const onExit = (code: number | null, signal: string | null): void => {
      reject(new Error(`the host ended with ${code ?? signal ?? "nothing"} during: polyrnn ${args.join(" ")}`));
    };
    child.on("message", onAnswer).on("exit", onExit);
    child.send({ id, args, env: environment(env) });
  });
  return {
    ended,
    stop: () => {
      child.send({ id });
    },
  };
}

export function runInHost(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
  return startInHost(args, env).ended;
}

function startHost(): ChildProcess {
  const child = fork(HOST, { env: environment(), execArgv: [], stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.setMaxListeners(0);
  child.once("exit", () => {
    host = undefined;
  });
  return child;
}
