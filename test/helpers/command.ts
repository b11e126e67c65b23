/**
 * The built command, as a user starts it or in one process for many runs.
 *
 * A process of its own takes a second of processor time to load what a run needs. Tests that send signals, break pipes,
 * kill or look at the process itself start one; those that look at files, exit code and messages ask the shared one.
 */
import { spawn, fork } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.js";

export const BIN = join(import.meta.dirname, "..", "..", "bin", "polyrnn.js");
const HOST = join(import.meta.dirname, "command-host.mjs");

export interface Ended {
  /** null: ended by a signal. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command line at work, in a process of its own or in a host. */
export interface AtWork {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  /** Resolves when standard error contains the text; rejects when the command ends before. */
  readonly says: (text: string) => Promise<void>;
  readonly stderrSoFar: () => string;
  /** The first stop signal: SIGTERM to a process of its own, what follows from it in a host. */
  readonly stop: () => void;
}

export interface Started extends AtWork {
  readonly child: ChildProcess;
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
  const stderr = new Heard();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr.add(text);
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code, signal, stdout, stderr: stderr.text });
    });
  });
  return {
    child,
    pid: child.pid!,
    ended,
    stderrSoFar: () => stderr.text,
    says: (text) => stderr.until(text, ended),
    stop: () => {
      child.kill("SIGTERM");
    },
  };
}

/** Standard error so far, and whoever waits for words in it. */
class Heard {
  text = "";
  private readonly listeners = new Set<() => void>();

  add(text: string): void {
    this.text += text;
    for (const listener of this.listeners) listener();
  }

  until(words: string, ended: Promise<Ended>): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!this.text.includes(words)) return;
        this.listeners.delete(look);
        resolve();
      };
      this.listeners.add(look);
      look();
      ended.then(() => {
        reject(new Error(`ended without saying "${words}":\n${this.text}`));
      }, reject);
    });
  }
}

export function runToEnd(args: readonly string[], options?: StartOptions): Promise<Ended> {
  return start(args, options).ended;
}

/** A part of standard error, or the end. */
type Answer =
  | { readonly id: number; readonly stderr: string }
  | { readonly id: number; readonly code: number; readonly stdout: string };

/** A process that stays warm and runs many command lines, also side by side. */
export interface Host {
  /** An empty folder: what a command writes where it was not asked to is found there. */
  readonly cwd: string;
  /** @param env over the environment that `start` gives */
  readonly start: (args: readonly string[], env?: Readonly<Record<string, string>>) => AtWork;
  readonly isOpen: () => boolean;
  /** Commands at work end with it. */
  readonly close: () => void;
}

/** A host of its own: for what node reads when it starts, or where two processes have to meet. */
export function ownHost(options: Omit<StartOptions, "cwd"> = {}): Host {
  const cwd = temporaryFolder();
  const child = fork(HOST, {
    cwd,
    env: environment(options.env),
    execArgv: [...(options.nodeOptions ?? [])],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  child.setMaxListeners(0);
  let asked = 0;
  return {
    cwd,
    start: (args, env) => {
      const id = ++asked;
      const stderr = new Heard();
      const ended = new Promise<Ended>((resolve, reject) => {
        const onAnswer = (answer: Answer): void => {
          if (answer.id !== id) return;
          if ("stderr" in answer) {
            stderr.add(answer.stderr);
            return;
          }
          child.off("message", onAnswer).off("exit", onExit);
          resolve({ code: answer.code, signal: null, stdout: answer.stdout, stderr: stderr.text });
        };
        const onExit = (code: number | null, signal: string | null): void => {
          reject(new Error(`the host ended with ${code ?? signal ?? "nothing"} during: polyrnn ${args.join(" ")}`));
        };
        child.on("message", onAnswer).on("exit", onExit);
        child.send({ id, args, env: environment({ ...options.env, ...env }) });
      });
      return {
        pid: child.pid!,
        ended,
        stderrSoFar: () => stderr.text,
        says: (text) => stderr.until(text, ended),
        stop: () => {
          if (child.connected) child.send({ id });
        },
      };
    },
    isOpen: () => child.connected,
    close: () => {
      if (child.connected) child.disconnect();
    },
  };
}

let shared: Host | undefined;

/** The host of all test files of this process; it ends with it. */
export function sharedHost(): Host {
  if (shared?.isOpen() !== true) shared = ownHost();
  return shared;
}

/** Runs the built command line in the shared host. */
export function startInHost(args: readonly string[], env?: Readonly<Record<string, string>>): AtWork {
  return sharedHost().start(args, env);
}

export function runInHost(args: readonly string[], env?: Readonly<Record<string, string>>): Promise<Ended> {
  return startInHost(args, env).ended;
}
