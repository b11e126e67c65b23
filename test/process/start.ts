/** Starts the built command as a user does and waits for its end. */
import { spawn, type ChildProcess } from "node:child_process";
import { join } from "node:path";

export const BIN = join(import.meta.dirname, "..", "..", "bin", "polyrnn.js");

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

export function start(words: readonly string[], options: StartOptions = {}): Started {
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(POLYRNN_|NO_COLOR|FORCE_COLOR|NODE_OPTIONS|VITEST)/.test(name)),
  );
  // One thread unless the words say otherwise: these tests share the cores, and starting a thread per core takes longer
  // than most of their runs.
  const child = spawn(process.execPath, [...(options.nodeOptions ?? []), BIN, ...words], {
    cwd: options.cwd,
    env: { ...inherited, POLYRNN_THREADS: "1", ...options.env },
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

export function runToEnd(words: readonly string[], options?: StartOptions): Promise<Ended> {
  return start(words, options).ended;
}
