import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openRegularFile, readRegularFile } from "../../src/files/regular-file.js";
import { readCard } from "../../src/model/folder.js";
import { readSafetensors } from "../../src/model/safetensors.js";
import { RunLock } from "../../src/runs/lock.js";
import { readRun } from "../../src/train/run-file.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();

test("a file is read whole up to the bytes that are allowed", async () => {
  const path = join(folder, "file");
  writeFileSync(path, "12345");
  expect((await readRegularFile(path, 5)).toString()).toBe("12345");
  await expect(readRegularFile(path, 4)).rejects.toThrow("it has 5 bytes, more than 4");
  await expect(openRegularFile(folder)).rejects.toThrow("it is a folder");
  await expect(openRegularFile(join(folder, "none"))).rejects.toMatchObject({ code: "ENOENT" });
});

test.skipIf(process.platform === "win32")(
  "no reader waits for a named pipe that takes a file's place, or reads a device without end",
  async () => {
    const place = join(folder, "pipes");
    mkdirSync(place);
    for (const name of ["model.json", "weights.safetensors", "run.json", "run.lock"])
      execFileSync("mkfifo", [join(place, name)]);
    await expect(readCard(place)).rejects.toMatchObject({ exitCode: 69 });
    await expect(readSafetensors(join(place, "weights.safetensors"))).rejects.toThrow(/a pipe or device/);
    await expect(readSafetensors("/dev/zero")).rejects.toThrow(/a pipe or device/);
    await expect(readRun(place)).rejects.toThrow(/a pipe or device/);
    await expect(RunLock.take(place, () => undefined)).rejects.toThrow(/a pipe or device/);
  },
);
