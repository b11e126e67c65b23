/**
 * Folders in the temporary directory for images that were fetched. Each is named after the process that made it, so
 * that a worker that starts can tell what a killed one has left behind:
 *
 *     polyrnn-worker-1f9a03bc-77d1e0aa-09ab31ff-4711-812345-AbCdEf
 *                    machine, its start, container, number of the process, clock tick of its start, random
 *
 * A folder is left when its process is gone, whatever the clock says of its age. What a process made that cannot be
 * seen from here, on another machine or in another container, stays.
 */
import { createHash } from "node:crypto";
import { lstat, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { identifyThisProcess, lifeOf } from "../runs/process-life.js";

const PREFIX = "polyrnn-worker-";
const NAME = /^polyrnn-worker-([0-9a-f]{8})-([0-9a-f]{8})-([0-9a-f]{8})-(\d{1,10})-(\d{1,20})-\w{6}$/;

export async function makeFetchFolder(): Promise<string> {
  const { pid, startTick = "0" } = identifyThisProcess();
  return mkdtemp(join(tmpdir(), `${PREFIX}${placeOfThisProcess().join("-")}-${pid}-${startTick}-`));
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

async function isLeft(path: string, [, ...parts]: RegExpExecArray): Promise<boolean> {
  const found = await lstat(path).catch(() => undefined);
  const isOurs = found?.isDirectory() === true && found.uid === (process.getuid?.() ?? found.uid);
  if (!isOurs) return false; // a link, or a folder of somebody else
  const [host, boot, container] = placeOfThisProcess();
  if (parts[0] !== host) return false;
  if (parts[1] !== boot) return true; // the machine was started anew
  if (parts[2] !== container) return false;
  const { startTick, ...self } = identifyThisProcess();
  // Elsewhere than on Linux a process does not know its tick, and a number that was given out again counts as alive.
  const tick = startTick === undefined ? {} : { startTick: parts[4]! };
  return lifeOf({ ...self, pid: Number(parts[3]), ...tick }) === "dead";
}

/** This machine, its start, this container: where a process number means the same process. 8 hex digits each. */
function placeOfThisProcess(): readonly [host: string, boot: string, container: string] {
  const { host, boot = "", namespace = "" } = identifyThisProcess();
  const short = (text: string): string => createHash("sha256").update(text).digest("hex").slice(0, 8);
  return [short(host), short(boot), short(namespace)];
}
