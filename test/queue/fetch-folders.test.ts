/** What a killed worker leaves in the temporary directory is removed by the next one, and nothing else is. */
import { existsSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { expect, test } from "vitest";
import { makeFetchFolder, removeLeftFolders } from "../../src/queue/fetch-folders.js";
import { identifyThisProcess } from "../../src/runs/process-life.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

test.runIf(process.platform === "linux")("folders of the dead go, those of the living and of others stay", async () => {
  const own = await makeFetchFolder();
  const parent = temporaryFolder();
  const make = (name: string, ageHours = 0): string => {
    mkdirSync(join(parent, name));
    writeFileSync(join(parent, name, "0"), "image");
    const time = Date.now() / 1000 - 3600 * ageHours;
    utimesSync(join(parent, name), time, time);
    return join(parent, name);
  };
  const { pid, startTick } = identifyThisProcess();
  const dead = basename(own).replace(`-${pid}-${startTick}-`, `-${pid}-1-`);
  const [, , host, boot, container] = basename(own).split("-");
  const ofEarlierStart = `polyrnn-worker-${host}-00000000-${container}-${pid}-${startTick}-AbCdEf`;
  const leaves = [make(dead), make(ofEarlierStart)];
  const stays = [
    make(basename(own), 1e6),
    make(`polyrnn-worker-00000000-${boot}-${container}-1-1-ZZZZZZ`, 1e6),
    make(`polyrnn-worker-${host}-${boot}-00000000-1-1-ZZZZZZ`, 1e6),
    make("polyrnn-worker-Abcdef", 30),
    make("polyrnn-worker-mine", 30),
    make("other", 30),
  ];
  symlinkSync(parent, join(parent, dead.replace(/......$/, "linked")));
  try {
    expect(await removeLeftFolders(parent)).toBe(2);
    expect(leaves.filter(existsSync)).toEqual([]);
    expect(stays.filter(existsSync)).toEqual(stays);
  } finally {
    rmSync(own, { recursive: true });
  }
});
