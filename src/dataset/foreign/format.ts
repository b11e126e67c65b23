/** What a format of another tool consists of here. The list of them is foreign/open.ts. */
import { basename, dirname, extname } from "node:path";
import type { OpenDatasetOptions } from "../dataset.js";
import type { ByteFile } from "../json/byte-file.js";
import type { ForeignReader } from "./dataset.js";

/** Bytes that decide about a file. */
export const PEEKED_BYTES = 16 * 1024;

export interface ForeignFormat {
  /** As its users call it. */
  readonly title: string;
  /** Whether a file that is passed by its own name is of this format. JSON is asked by `isJson` instead. */
  readonly isFile?: (start: FileStart) => boolean;
  /** The same for JSON: a field that tells may stand behind any amount of others. */
  readonly isJson?: (outline: JsonTop) => boolean;
  /** Closes the file where the reader does not need it. @returns undefined where a closer look finds another format */
  readonly openFile: (input: FileInput) => ForeignReader | undefined | Promise<ForeignReader | undefined>;
  /** Absent: the format is one file for all images, and is passed by its own name only. */
  readonly folder?: FolderForm;
}

/** Files of one format at any depth below a folder. */
export interface FolderForm {
  readonly ending: ".txt" | ".xml" | ".json";
  readonly isOne: (start: FileStart) => boolean;
  /** Of the files with the ending those that may hold boxes. Absent: all. */
  readonly boxFiles?: (names: readonly string[]) => readonly string[];
  /** Whether what lies beside files of which none says anything tells that they are of this format. */
  readonly isToldBySide?: (input: Omit<FolderInput, "names">) => boolean;
  readonly open: (input: FolderInput) => ForeignReader | Promise<ForeignReader>;
}

/** The beginning of a file. */
export interface FileStart {
  /** Without a byte order mark and white space before it. */
  readonly text: string;
  /** Of its name, in small letters: ".txt". */
  readonly ending: string;
  /** Name of the outermost element where it is XML. */
  readonly root?: string;
}

/** The top level of a JSON file. */
export interface JsonTop {
  readonly root: "object" | "list";
  readonly keys: readonly string[];
  /** Whether elements of the list have `image_id` and `category_id`, as results of COCO have. */
  readonly isResults: boolean;
}

export interface FileInput {
  readonly file: ByteFile;
  readonly options: OpenDatasetOptions;
  /** All files at any depth below a folder, relative, in a fixed order. */
  readonly below: (folder: string) => Promise<readonly string[]>;
}

export interface FolderInput {
  /** As the user gave it: the folder, or one file in it. */
  readonly boxes: string;
  readonly folder: string;
  /** Box files below it, in the order of the walk. */
  readonly names: readonly string[];
  /** All files below it. */
  readonly all: readonly string[];
  readonly options: OpenDatasetOptions;
}

/** @param text of the first bytes */
export function startOf(text: string, path: string): FileStart {
  const plain = text.replace(/^\ufeff/u, "").trimStart();
  const root = plain.startsWith("<")
    ? /<([A-Za-z_][\w.-]{0,60})[\s>/]/u.exec(plain.replace(/<!--[^]*?-->/gu, ""))?.[1]
    : undefined;
  return { text: plain, ending: extname(path).toLowerCase(), ...(root !== undefined && { root }) };
}

/** One of the files of a folder, passed by its own name. */
export function openAlone(open: FolderForm["open"]): ForeignFormat["openFile"] {
  return async ({ file, options, below }) => {
    const { boxes } = options;
    const folder = dirname(boxes);
    await file.close();
    return open({ boxes, folder, names: [basename(boxes)], all: await below(folder), options });
  };
}

/** Rows of a file that are looked at: one that is damaged does not say what the others are. */
const MOST_ROWS = 20;

/** The first rows of a text, in columns. */
export function firstRows(text: string): readonly (readonly string[])[] {
  return text.split(/\r\n?|\n/u, MOST_ROWS).map((row) => row.trim().split(/\s+/u));
}
