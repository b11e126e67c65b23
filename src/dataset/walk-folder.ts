/**
 * Every file below a folder, one folder at a time: in a pattern for all of them at once, two stars stop at a line
 * break, and a file of such a name would be passed over without a word.
 */
import { join } from "node:path";
import fastGlob from "fast-glob";

export interface FoundFile {
  /** Below the folder, "/" between parts. */
  readonly path: string;
  /** The last part. */
  readonly name: string;
  readonly isLink: boolean;
}

/** Any name; a star does not match a line break at the beginning. */
const NAMES = ["*", "[\n\r\u2028\u2029]*"];

/**
 * Files and links of any name at any depth, in no order. Names that begin with a dot are hidden; links to folders are
 * not followed.
 * @throws what the system says of a folder that cannot be read
 */
export async function* walkFolder(folder: string): AsyncGenerator<FoundFile> {
  const waiting = [""];
  for (let below = waiting.pop(); below !== undefined; below = waiting.pop()) {
    const entries = fastGlob.stream(NAMES, {
      cwd: join(folder, below),
      objectMode: true,
      onlyFiles: false,
      followSymbolicLinks: false,
    });
    for await (const entry of entries as AsyncIterable<fastGlob.Entry>) {
      const { name, dirent } = entry;
      const path = below === "" ? name : `${below}/${name}`;
      if (dirent.isDirectory()) waiting.push(path);
      else if (dirent.isFile() || dirent.isSymbolicLink()) yield { path, name, isLink: dirent.isSymbolicLink() };
    }
  }
}
