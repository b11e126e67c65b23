import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { sealLine, unsealLine } from "../../src/runs/journal.js";
import type { ProcessIdentity } from "../../src/runs/process-life.js";
import { identifyThisProcess, lifeOf } from "../../src/runs/process-life.js";
import { RunLock } from "../../src/runs/lock.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

let folder: string;
let notes: string[];
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = temporaryFolder();
  notes = [];
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
const note = (line: string): void => {
  notes.push(line);
};
const lockPath = (): string => join(folder, "run.lock");
const writeLock = (holder: object): Promise<void> =>
  writeFile(lockPath(), `${sealLine({ type: "lock", ...holder })}\n`);

/** A process that lives until it is killed, and what a lock of it would say. */
async function otherProcess(): Promise<{ child: ChildProcess; identity: ProcessIdentity }> {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
  children.push(child);
  await once(child, "spawn");
  const self = identifyThisProcess();
  const stat = self.startTick === undefined ? undefined : await readFile(`/proc/${child.pid}/stat`, "latin1");
  const startTick = stat?.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  return { child, identity: { ...self, pid: child.pid!, ...(startTick !== undefined && { startTick }) } };
}

async function endOf(child: ChildProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

describe("a run folder", () => {
  test("is locked by a file that names the process, and free again when the run ends", async () => {
    const lock = await RunLock.take(folder, note);
    expect(unsealLine((await readFile(lockPath(), "utf8")).trimEnd())).toMatchObject({
      type: "lock",
      pid: process.pid,
      host: hostname(),
    });
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
    await (await RunLock.take(folder, note)).release();
    expect(notes).toEqual([]);
  });

  test("in use refuses a second run and names the first", async () => {
    const { identity } = await otherProcess();
    await writeLock(identity);
    await expect(RunLock.take(folder, note)).rejects.toMatchObject({
      code: "E_OUT_IN_USE",
      exitCode: 73,
      message: expect.stringContaining(`process ${identity.pid} on ${hostname()}, started `) as string,
    });
    expect(notes).toEqual([]);
  });

  test("in use by this very process refuses a second run as well", async () => {
    const lock = await RunLock.take(folder, note);
    await expect(RunLock.take(folder, note)).rejects.toMatchObject({ code: "E_OUT_IN_USE" });
    await lock.release();
  });

  test("left behind by a killed run is taken over at once, with a note", async () => {
    const { child, identity } = await otherProcess();
    await writeLock(identity);
    await endOf(child);
    const lock = await RunLock.take(folder, note);
    expect(notes).toEqual([expect.stringContaining(`process ${identity.pid} `)]);
    await lock.release();
    expect(await readdir(folder)).toEqual([]);
  });

  test("with a lock whose maker died before it wrote anything is taken over", async () => {
    await writeFile(lockPath(), "");
    const lock = await RunLock.take(folder, note);
    expect(notes).toHaveLength(1);
    await lock.release();
  });

  test("with a takeover that was killed half-way is taken over", async () => {
    const { child, identity } = await otherProcess();
    await writeLock(identity);
    await writeFile(join(folder, "run.lock.takeover"), `${sealLine({ type: "lock", ...identity })}\n`);
    await endOf(child);
    await (await RunLock.take(folder, note)).release();
    expect(await readdir(folder)).toEqual([]);
  });

  test.each([
    { why: "from another machine", change: { host: "another-machine" } },
    {
      why: "from another container on this machine",
      change: { namespace: "pid:[1]", boot: identifyThisProcess().boot },
    },
  ])("locked $why is respected, with advice what to delete", async ({ change }) => {
    const identity = { ...identifyThisProcess(), ...change };
    if ("namespace" in change && change.boot === undefined) return; // Only Linux tells.
    await writeLock(identity);
    await expect(RunLock.take(folder, note)).rejects.toMatchObject({
      code: "E_OUT_IN_USE",
      hint: expect.stringContaining(`delete ${lockPath()}`) as string,
    });
  });

  test.each([
    { why: "something else", content: "hello\n" },
    {
      why: "a damaged lock",
      content: `${sealLine({ type: "lock", ...identifyThisProcess() }).replace('"pid":', '"pid":1')}\n`,
    },
    { why: "__proto__ for a process", content: `${sealLine({ type: "lock", pid: -1, host: "a", startedAt: "" })}\n` },
  ])("with $why under the name of the lock is left alone", async ({ content }) => {
    await writeFile(lockPath(), content);
    await expect(RunLock.take(folder, note)).rejects.toMatchObject({
      code: "E_OUT_IN_USE",
      hint: expect.stringContaining("delete") as string,
    });
    expect(await readFile(lockPath(), "utf8")).toBe(content);
  });

  test("keeps the lock another run put there after ours was deleted by hand", async () => {
    const lock = await RunLock.take(folder, note);
    await rm(lockPath());
    const other = await RunLock.take(folder, note);
    await lock.release();
    expect(await readdir(folder)).toEqual(["run.lock"]);
    await other.release();
  });

  test("with a dead lock is taken over by one of many runs that start at once", async () => {
    const { child, identity } = await otherProcess();
    await endOf(child);
    for (let round = 0; round < 20; round++) {
      await writeLock(identity);
      const taken = await Promise.allSettled(Array.from({ length: 8 }, () => RunLock.take(folder, note)));
      const locks = taken.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
      expect(locks).toHaveLength(1);
      await locks[0]!.release();
      expect(await readdir(folder)).toEqual([]);
    }
  });
});

describe("a process", () => {
  test("is alive while it runs, dead after", async () => {
    const { child, identity } = await otherProcess();
    expect(lifeOf(identity)).toBe("alive");
    await endOf(child);
    expect(lifeOf(identity)).toBe("dead");
  });

  test("that only has the number of an earlier one is not taken for it", async () => {
    const { identity } = await otherProcess();
    if (identity.startTick === undefined) return; // Only Linux tells.
    expect(lifeOf({ ...identity, startTick: `${Number(identity.startTick) - 1}` })).toBe("dead");
    expect(lifeOf({ ...identity, boot: "00000000-0000-0000-0000-000000000000" })).toBe("dead");
  });

  test("from before the machine was started is dead where the kernel tells no more than its number", () => {
    const { pid, host } = identifyThisProcess();
    expect(lifeOf({ pid: 2 ** 22 + 1, host, startedAt: "2001-01-01T00:00:00.000Z" })).toBe("dead");
    expect(lifeOf({ pid, host, startedAt: new Date().toISOString() })).toBe("alive");
  });

  test.each([
    { why: "years ahead", now: Date.now() + 1e12 },
    { why: "years behind", now: Date.now() - 1e12 },
    { why: "at its beginning", now: 0 },
  ])("that lives is never taken for dead when the clock is put $why", async ({ now }) => {
    const { child, identity } = await otherProcess();
    const { pid, host, startedAt } = identity;
    const clock = vi.spyOn(Date, "now").mockReturnValue(now);
    try {
      expect(lifeOf(identity)).toBe("alive");
      expect(lifeOf({ pid, host, startedAt })).not.toBe("dead");
      await endOf(child);
      expect([lifeOf(identity), lifeOf({ pid, host, startedAt })]).toEqual(["dead", "dead"]);
    } finally {
      clock.mockRestore();
    }
  });
});
