/**
 * How many processor cores may compute here. onnxruntime counts them too. But where it cannot read the machine's
 * caches, as in some virtual machines, it halves the logical processors, and cores stay idle.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/**
 * Cores that this process may run on, at least 1: two hardware threads of a core count once, and a container's quota is
 * the limit.
 * @param root where `proc` and `sys` are; where they do not say (not Linux), logical processors are counted
 */
export function countCores(root = "/"): number {
  const allowed = /^Cpus_allowed_list:\s*([\d,-]+)$/m.exec(read(join(root, "proc/self/status")) ?? "")?.[1];
  const siblings =
    allowed === undefined
      ? []
      : listed(allowed).map((cpu) =>
          read(join(root, `sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`)),
        );
  const areKnown = siblings.length > 0 && !siblings.includes(undefined);
  const cores = areKnown ? new Set(siblings).size : availableParallelism();
  return Math.max(1, Math.min(cores, quota(root)));
}

/** "0-2,8" -> 0, 1, 2, 8; the kernel's list format. */
function listed(ranges: string): number[] {
  return ranges.split(",").flatMap((range) => {
    const [first, last = first] = range.split("-").map(Number) as [number, number?];
    return Array.from({ length: last - first + 1 }, (_, at) => first + at);
  });
}

/**
 * Processors' worth of time that a container gets (control groups, version 2: "200000 100000" is 2); Infinity without a
 * limit.
 */
function quota(root: string): number {
  const [time, period] = (read(join(root, "sys/fs/cgroup/cpu.max")) ?? "max").split(" ").map(Number) as [
    number,
    number?,
  ];
  return Number.isFinite(time) && period !== undefined && period > 0 ? Math.ceil(time / period) : Infinity;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined; // another operating system, or a sandbox that hides it
  }
}
