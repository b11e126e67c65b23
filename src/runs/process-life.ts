/**
 * Which process this is, in a form that another process can check later: is it still alive, or has its number gone to
 * another one?
 *
 * Linux identifies a process by its number, the clock tick of its start, and the boot (proc(5)). Elsewhere only the
 * number is known, so a number that was given out again counts as alive until the machine is restarted.
 */
import { readFileSync, readlinkSync } from "node:fs";
import { hostname, uptime } from "node:os";
import type { JsonObject } from "../types.js";

export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** When the process was started, ISO 8601; for people. */
  readonly startedAt: string;
  /**
   * Linux: this boot of the machine, the namespace the number is valid in (containers have their own), clock tick of
   * the start.
   */
  readonly boot?: string;
  readonly namespace?: string;
  readonly startTick?: string;
}

/**
 * elsewhere: on another machine or in another container, where its number means nothing here; or a process of that
 * number is here, and whether it is the one cannot be told.
 */
export type Life = "alive" | "dead" | "elsewhere";

/** Clocks are adjusted and uptime is rounded: only a start well before the boot counts as before it. */
const BOOT_MARGIN_MS = 60_000;

export function identifyThisProcess(): ProcessIdentity {
  const boot = bootId(),
    namespace = pidNamespace(),
    startTick = startTickOf(process.pid);
  return {
    pid: process.pid,
    host: hostname(),
    startedAt: new Date(Date.now() - process.uptime() * 1000).toISOString(),
    ...(boot !== undefined && { boot }),
    ...(namespace !== undefined && { namespace }),
    ...(startTick !== undefined && { startTick }),
  };
}

/** @returns undefined when the value does not name a process */
export function readProcessIdentity(value: JsonObject): ProcessIdentity | undefined {
  const { pid, host, startedAt, boot, namespace, startTick } = value;
  if (
    typeof pid !== "number" ||
    !Number.isSafeInteger(pid) ||
    pid <= 0 ||
    typeof host !== "string" ||
    typeof startedAt !== "string"
  )
    return undefined;
  return {
    pid,
    host,
    startedAt,
    ...(typeof boot === "string" && { boot }),
    ...(typeof namespace === "string" && { namespace }),
    ...(typeof startTick === "string" && { startTick }),
  };
}

export function lifeOf(other: ProcessIdentity): Life {
  const self = identifyThisProcess();
  if (other.host !== self.host) return "elsewhere";
  if (other.boot !== undefined && self.boot !== undefined) {
    if (other.boot !== self.boot) return "dead";
    if (other.namespace !== self.namespace) return "elsewhere";
  } else if (Date.parse(other.startedAt) < Date.now() - uptime() * 1000 - BOOT_MARGIN_MS) {
    // Probably a number that was given out again. A clock that was put forward looks the same, so the time alone proves
    // nothing.
    return hasProcess(other.pid) ? "elsewhere" : "dead";
  }
  if (other.startTick !== undefined && self.startTick !== undefined)
    return startTickOf(other.pid) === other.startTick ? "alive" : "dead";
  return hasProcess(other.pid) ? "alive" : "dead";
}

function hasProcess(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // EPERM: there is one, of another user.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/**
 * Field 22 of /proc/PID/stat; undefined when there is no such process, it has ended and waits for its parent, or this
 * is not Linux.
 */
function startTickOf(pid: number): string | undefined {
  const stat = readOrUndefined(() => readFileSync(`/proc/${pid}/stat`, "latin1"));
  // The name, field 2, may hold spaces and brackets: fields are counted from its end.
  const fields = stat?.slice(stat.lastIndexOf(")") + 2).split(" ");
  return fields === undefined || fields[0] === "Z" || fields[0] === "X" ? undefined : fields[19];
}

function bootId(): string | undefined {
  return readOrUndefined(() => readFileSync("/proc/sys/kernel/random/boot_id", "latin1").trim());
}

function pidNamespace(): string | undefined {
  return readOrUndefined(() => readlinkSync("/proc/self/ns/pid"));
}

function readOrUndefined(read: () => string): string | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
