/**
 * Every file below a folder. No pattern is matched: in patterns a star stops at a line break, and a file of such a name
 * would be passed over without a word.
 */
import { opendir } from "node:fs/promises";
import { join } from "node:path";

export interface FoundFile {
  /** Below the folder, "/" between parts. */
  readonly path: string;
  /** The last part. */
  readonly name: string;
}

/**
 * Files and links of any name at any depth, in no order. Names that begin with a dot are hidden; links to folders are
 * not followed.
 * @throws what the system says of a folder that cannot be read
 */
export async function* walkFolder(folder: string): AsyncGenerator<FoundFile> {
  const waiting = [""];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    for await (const entry of await opendir(join(folder, below), { bufferSize: 1024 })) {
      const { name } = entry;
      if (name.startsWith(".")) continue;
      const path = below === "" ? name : `${below}/${name}`;
      if (entry.isDirectory()) waiting.push(path);
      else if (entry.isFile() || entry.isSymbolicLink()) yield { path, name };
    }
  }
}
