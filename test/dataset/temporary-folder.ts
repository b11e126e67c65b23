/** Folders with files for one test file, removed after it. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PolyrnnError } from "../../src/errors.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** @param files contents by path; anything but text and bytes is written as JSON */
export async function folderWith(files: Readonly<Record<string, unknown>>): Promise<string> {
  const folder = temporaryFolder();
  for (const [name, contents] of Object.entries(files)) {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(
      path,
      typeof contents === "string" || Buffer.isBuffer(contents) ? contents : JSON.stringify(contents),
    );
  }
  return folder;
}

/** What a promise was rejected with; fails when it was not, or with anything but an expected error. */
export async function errorOf(promise: Promise<unknown>): Promise<PolyrnnError> {
  const thrown: unknown = await promise.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  if (thrown instanceof PolyrnnError) return thrown;
  throw thrown;
}
