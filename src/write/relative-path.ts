/** How files in the output point at photographs. */
import { realpath } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { makeFolder } from "./make-folder.js";
import { toWriteError } from "./write-error.js";

/**
 * Path from a folder of the output to a file, with "/" between its parts. Symbolic links on the way are followed first: ".." leads out
 * of the folder a link points to, not out of the one it stands in.
 * @param folder is made when it does not exist
 * @param file   taken as it is named when it does not exist
 * @throws E_WRITE
 */
export async function relativePath(folder: string, file: string): Promise<string> {
  try {
    await makeFolder(folder);
    const from = await realpath(folder);
    const to = await realpath(file).catch(() => resolve(file));
    return relative(from, to).replaceAll("\\", "/");
  } catch (thrown) {
    throw toWriteError(folder, thrown);
  }
}
