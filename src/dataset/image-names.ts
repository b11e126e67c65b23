/**
 * Names of images, and the one judgement of which names mean the same image. Names come from box files: data from
 * outside, judged before anything on disk is touched. Both slashes count as separators, because box files travel between
 * systems; "." and empty parts count for nothing, and accents written as one character or two are the same.
 */

/** The same for two spellings of one path: "x\\a.jpg", "./x//a.jpg" and "x/a.jpg"; composed and decomposed accents. */
export function nameKey(name: string): string {
  return tidy(name.replaceAll("\\", "/")).normalize("NFC");
}

/** As `nameKey`, in lower case: some file systems tell no other case apart. */
export function foldedKey(name: string): string {
  return nameKey(name).toLowerCase();
}

/** How many parts of two keys are equal, counted from the end. */
export function commonEnd(a: string, b: string): number {
  const one = a.split("/"),
    other = b.split("/");
  let parts = 0;
  while (parts < one.length && parts < other.length && one.at(-1 - parts) === other.at(-1 - parts)) parts++;
  return parts;
}

/** Whether one of two keys ends in the other: they differ in leading folders at most. */
export function isEndOfOther(a: string, b: string): boolean {
  return commonEnd(a, b) === Math.min(a.split("/").length, b.split("/").length);
}

const DRIVE_OR_SCHEME = /^[a-z]:|^[a-z][a-z0-9+.-]*:\/\//i;

/** @returns why the name leads out of the image folder, or undefined when it stays inside */
export function reasonOutside(name: string): string | undefined {
  if (name.includes("\0")) return "a name with a NUL character";
  if (DRIVE_OR_SCHEME.test(name)) return "a drive or an address";
  const parts = name.split(/[/\\]/);
  if (parts[0] === "" && parts.length > 1) return "an absolute path";
  if (parts.includes("..")) return 'a path that climbs with ".."';
  return undefined;
}

/** A backslash, or a part that is "." or empty. */
const UNTIDY = /\\|(?:^|\/)\.?(?:\/|$)/u;

/**
 * The ways a safe name may be meant, most literal first: as it is, and with backslashes as separators. Without "." and
 * empty parts.
 */
export function readingsOf(name: string): readonly string[] {
  if (!UNTIDY.test(name)) return [name];
  const literal = tidy(name);
  const slashes = tidy(name.replaceAll("\\", "/"));
  return [...new Set([literal, slashes])].filter((reading) => reading !== "");
}

function tidy(path: string): string {
  return path
    .split("/")
    .filter((part) => part !== "" && part !== ".")
    .join("/");
}

/** "a/b.jpg" -> "b.jpg" */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** "a/b.jpg" -> "a/b"; a name that only begins with a dot has no extension. */
export function withoutExtension(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path;
}

/** Stems that are a number by the custom of COCO: 000000000139, or COCO_val2014_000000000139. */
const NUMBER_STEM = /^(?:COCO_[a-z]+[0-9]{4}_)?([0-9]{1,15})$/;

/** The numeric image id a file stem stands for, or undefined. */
export function numberOfStem(stem: string): number | undefined {
  const digits = NUMBER_STEM.exec(stem)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
