/**
 * One run per output folder: a lock file that names the process at work there.
 *
 *     run.lock    {"type":"lock","pid":4711,"host":"box","startedAt":"...",...,"check":"8 hex digits"}
 *
 * It is created exclusively and removed at the end. A process that was killed leaves it behind; the next run finds the
 * process gone (runs/process-life.ts), reports it and takes over at once. A lock from another machine or container is
 * respected, because its process cannot be seen from here.
 *
 * The npm package proper-lockfile is not used. It keeps a lock alive by a timer, which a long computation starves, so
 * that a second run would get in. After a kill its lock blocks until it has aged, and it cannot name its holder.
 */
import { randomUUID } from "node:crypto";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { EXIT, PolyrnnError } from "../errors.js";
import { toWriteError } from "../files/atomic-file.js";
import { readRegularFile } from "../files/regular-file.js";
import { cutText } from "../foreign.js";
import { JOURNAL_FILE, LOCK_FILE, TAKEOVER_FILE } from "../files/run-layout.js";
import { sealLine, unsealLine } from "./journal.js";
import type { Life, ProcessIdentity } from "./process-life.js";
import { identifyThisProcess, lifeOf, readProcessIdentity } from "./process-life.js";

/** A lock is created and then written; one that stays empty for longer belongs to a process that was killed. */
const EMPTY_WAIT_MS = 100;
const ATTEMPTS = 20;

/** Of commands with --resume. */
export const AGAIN_RESUMED = "run again with --resume";
/** Of those without. */
const AGAIN_ANEW = "run the command again";

export class RunLock {
  private constructor(
    private readonly path: string,
    private readonly content: string,
  ) {}

  /**
   * @param out   an existing folder
   * @param note  receives a line when the lock of a dead process is taken over
   * @param again how the work is taken up once a lock that cannot be judged is deleted
   * @throws E_OUT_IN_USE when another run is at work there, naming it; E_WRITE when the folder cannot be written
   */
  static async take(out: string, note: (line: string) => void, again = AGAIN_RESUMED): Promise<RunLock> {
    const path = join(out, LOCK_FILE);
    const content = newContent();
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      if (await createFile(path, content)) return new RunLock(path, content);
      const found = await readLock(path);
      if (found.kind === "gone") continue;
      if (found.kind === "empty" && attempt < ATTEMPTS / 2) {
        await wait(EMPTY_WAIT_MS);
        continue;
      }
      if (found.kind === "held" && found.life !== "dead")
        throw await inUse({ out, path, again }, found.life, found.holder);
      if (found.kind === "foreign") throw await inUse({ out, path, again }, "elsewhere");
      if (await replace(path, found.text, content)) {
        note(
          found.kind === "held"
            ? `${path}: ${nameOf(found.holder)} ended without a word; taking over`
            : `${path}: its process ended while it made the lock; taking over`,
        );
        return new RunLock(path, content);
      }
      await wait(EMPTY_WAIT_MS);
    }
    throw await inUse({ out, path, again }, "elsewhere");
  }

  /** Removes the lock, unless another one has taken its place. */
  async release(): Promise<void> {
    if ((await readText(this.path)) === this.content) await removeFile(this.path);
  }
}

/**
 * Keeps every other run out of a folder that exists, for the time of a task.
 * @param again see `RunLock.take`
 * @throws as `RunLock.take`; whatever the task throws
 */
export async function withFolderLock<T>(
  folder: string,
  note: (line: string) => void,
  task: () => Promise<T>,
  again = AGAIN_ANEW,
): Promise<T> {
  const lock = await RunLock.take(folder, note, again);
  try {
    return await task();
  } finally {
    await lock.release();
  }
}

/** @returns what keeps others out of a folder, for who makes folders ready and does not know runs */
export function lockFolder(note: (line: string) => void): (folder: string) => Promise<RunLock> {
  return (folder) => RunLock.take(folder, note, AGAIN_ANEW);
}

type FoundLock =
  | { readonly kind: "gone" }
  | { readonly kind: "empty"; readonly text: "" }
  /** Damaged, or no lock of this program. */
  | { readonly kind: "foreign" }
  | { readonly kind: "held"; readonly text: string; readonly holder: ProcessIdentity; readonly life: Life };

async function readLock(path: string): Promise<FoundLock> {
  const text = await readText(path);
  if (text === undefined) return { kind: "gone" };
  if (text === "") return { kind: "empty", text };
  const value = unsealLine(text.trimEnd());
  const holder = value?.["type"] === "lock" ? readProcessIdentity(value) : undefined;
  return holder === undefined ? { kind: "foreign" } : { kind: "held", text, holder, life: lifeOf(holder) };
}

/**
 * Replaces a dead lock by ours. Of several processes that found the same dead lock one gets the takeover file; those
 * that get it later find another lock than the dead one and leave it alone.
 * @returns false when another process was faster
 */
async function replace(path: string, dead: string, content: string): Promise<boolean> {
  const guard = join(path, "..", TAKEOVER_FILE);
  if (!(await createFile(guard, content))) {
    const other = await readLock(guard);
    // Its process was killed within the few system calls below.
    if (other.kind === "held" && other.life === "dead") await removeFile(guard);
    return false;
  }
  try {
    if ((await readText(path)) !== dead) return false;
    await removeFile(path);
    return await createFile(path, content);
  } finally {
    await removeFile(guard);
  }
}

/** The random part tells two runs of one process apart. */
function newContent(): string {
  return `${sealLine({ type: "lock", ...identifyThisProcess(), lock: randomUUID() })}\n`;
}

/** @returns false when there is a file of that name; @throws E_WRITE */
async function createFile(path: string, content: string): Promise<boolean> {
  const file = await open(path, "wx").catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw toWriteError(path, error);
  });
  if (file === undefined) return false;
  try {
    await file.appendFile(content);
    return true;
  } catch (error) {
    await rm(path, { force: true });
    throw toWriteError(path, error);
  } finally {
    await file.close();
  }
}

async function removeFile(path: string): Promise<void> {
  await rm(path, { force: true }).catch((error: unknown) => {
    throw toWriteError(path, error);
  });
}

/** Bytes; a name, a few numbers and a date. */
const LONGEST_LOCK = 65_536;

async function readText(path: string): Promise<string | undefined> {
  try {
    return (await readRegularFile(path, LONGEST_LOCK)).toString("utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw toWriteError(path, error);
  }
}

/** A folder that is taken, its lock, and how to go on once that is deleted. */
interface Taken {
  readonly out: string;
  readonly path: string;
  readonly again: string;
}

async function inUse({ out, path, again }: Taken, life: Life, holder?: ProcessIdentity): Promise<PolyrnnError> {
  const journal = await stat(join(out, JOURNAL_FILE)).catch(() => undefined);
  // A time that is no date of JavaScript's is possible on some disks.
  const isDated = journal !== undefined && !Number.isNaN(journal.mtime.getTime());
  const grew = isDated ? `; its journal last grew at ${journal.mtime.toISOString()}` : "";
  const who = holder === undefined ? "a lock that cannot be read" : nameOf(holder);
  const advice = `When that run is certainly over, delete ${path} and ${again}.`;
  return new PolyrnnError(
    `--out ${out}: expected a folder no other run is writing to, received one in use by ${who}${grew}`,
    "E_OUT_IN_USE",
    EXIT.cannotWrite,
    life === "alive"
      ? "Wait for that run to end, stop it, or name another folder with --out."
      : `It may run on another machine or in another container, which cannot be seen from here. ${advice}`,
  );
}

function nameOf({ pid, host, startedAt }: ProcessIdentity): string {
  return `process ${pid} on ${cutText(host, 100)}, started ${cutText(startedAt, 100)}`;
}
