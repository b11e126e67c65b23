/**
 * Folders in the temporary directory for images that were fetched. Each is named after the process that made it, so
 * that a worker that starts can tell what a killed one has left behind:
 *
 *     polyrnn-worker-1f9a03bc-4711-812345-AbCdEf
 *                    machine and container, number of the process, clock tick of its start, random
 */
import { createHash } from "node:crypto";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identifyThisProcess, lifeOf } from "../runs/process-life.js";

const PREFIX = "polyrnn-worker-";
const NAME = /^polyrnn-worker-(?:([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-)?\w{6}$/;
/** Where a process cannot be seen from here, its folder is taken for left when it is this old. */
const OLD_MS = 24 * 3600 * 1000;

export async function makeFetchFolder(): Promise<string> {
  const { pid, startTick = "0" } = identifyThisProcess();
  return mkdtemp(join(tmpdir(), `${PREFIX}${placeOfThisProcess()}-${pid}-${startTick}-`));
}

/** Removes what workers of this user left that are gone. Never fails: nothing depends on it. @returns how many */
export async function removeLeftFolders(parent = tmpdir()): Promise<number> {
  let count = 0;
  for (const name of await readdir(parent).catch(() => [])) {
    const match = NAME.exec(name);
    if (match === null || !(await isLeft(join(parent, name), match))) continue;
    const isGone = await rm(join(parent, name), { recursive: true, force: true }).then(
      () => true,
      () => false,
    );
    if (isGone) count++;
  }
  return count;
}

async function isLeft(path: string, [, place, pid, startTick]: RegExpExecArray): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid);
  if (!isOurs) return false; // a link, or a folder of somebody else
  const self = identifyThisProcess();
  // Elsewhere than on Linux a process does not know its tick, and a number may have been given out again.
  if (place !== placeOfThisProcess() || startTick === undefined || self.startTick === undefined)
    return Date.now() - found.mtimeMs > OLD_MS;
  return lifeOf({ ...self, pid: Number(pid), startTick }) === "dead";
}

/** Where a process number means the same process: this machine since its start, this container. 8 hex digits. */
function placeOfThisProcess(): string {
  const { host, boot = "", namespace = "" } = identifyThisProcess();
  return createHash("sha256")
    .update(JSON.stringify([host, boot, namespace]))
    .digest("hex")
    .slice(0, 8);
}
