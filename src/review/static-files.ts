/**
 * The files of the page, read once and served by name from memory: a path of a request never reaches the file system.
 * Their addresses are those of the built folders, so that the page's modules find what they import.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

export interface StaticFile {
  readonly type: string;
  readonly bytes: Uint8Array;
}

export type StaticFiles = ReadonlyMap<string, StaticFile>;

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

/** Built files that the page loads, relative to the build. */
const PAGE = "review/page";
const SHARED = ["review/api.js", "turns.js"];

/**
 * @param root the built program
 * @returns by path of the address; "/" is there only where the page was built
 */
export async function readStaticFiles(root: string): Promise<StaticFiles> {
  const files = new Map<string, StaticFile>();
  for (const name of await namesIn(join(root, PAGE))) {
    const file = await read(join(root, PAGE, name), name);
    if (file !== undefined) files.set(name === "index.html" ? "/" : `/${PAGE}/${name}`, file);
  }
  for (const name of SHARED) {
    const file = await read(join(root, name), name);
    if (file !== undefined) files.set(`/${name}`, file);
  }
  return files;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder, { recursive: true });
    return names.map((name) => name.replaceAll("\\", "/"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** @returns undefined for what a browser has no use for */
async function read(path: string, name: string): Promise<StaticFile | undefined> {
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
  if (type === undefined) return undefined;
  try {
    return { type, bytes: await readFile(path) };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
