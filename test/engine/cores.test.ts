/** How many cores there are to compute on, read off what Linux writes about a machine. */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { countCores } from "../../src/engine/cores.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let root = "";

/** A machine's files. @param siblings of each logical processor, as the kernel lists them */
function machine(allowed: string, siblings: readonly string[], quota?: string): string {
  root = temporaryFolder();
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  write("proc/self/status", `Name:\tnode\nCpus_allowed:\tff\nCpus_allowed_list:\t${allowed}\nMems_allowed_list:\t0\n`);
  siblings.forEach((list, cpu) => {
    write(`sys/devices/system/cpu/cpu${cpu}/topology/thread_siblings_list`, `${list}\n`);
  });
  if (quota !== undefined) write("sys/fs/cgroup/cpu.max", `${quota}\n`);
  return root;
}

const PAIRED = ["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"];

test.each([
  { why: "two processors, two cores", files: () => machine("0-1", ["0", "1"]), cores: 2 },
  { why: "eight hardware threads of four cores", files: () => machine("0-7", PAIRED), cores: 4 },
  { why: "a process that is pinned to both threads of one core", files: () => machine("1,5", PAIRED), cores: 1 },
  {
    why: "a process that is pinned to three cores, in the kernel's mixed notation",
    files: () => machine("0-1,6", PAIRED),
    cores: 3,
  },
  { why: "a container with two processors' time", files: () => machine("0-7", PAIRED, "200000 100000"), cores: 2 },
  {
    why: "one and a half: the second core has work for half of the time",
    files: () => machine("0-7", PAIRED, "150000 100000"),
    cores: 2,
  },
  { why: "half a processor", files: () => machine("0-7", PAIRED, "50000 100000"), cores: 1 },
  { why: "no limit", files: () => machine("0-7", PAIRED, "max 100000"), cores: 4 },
])("$why: $cores", ({ files, cores }) => {
  expect(countCores(files())).toBe(cores);
});

test("where a machine does not say, its logical processors count", () => {
  root = temporaryFolder();
  expect(countCores(root)).toBe(availableParallelism());
});

test("this machine has at least one, and not more than logical processors", () => {
  expect(countCores()).toBeGreaterThanOrEqual(1);
  expect(countCores()).toBeLessThanOrEqual(availableParallelism());
});
