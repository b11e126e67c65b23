/**
 * Names of image files: those in a folder, looked up by path, file name, stem and number; and those in box files, which
 * are judged before anything on disk is touched. Strings only, no disk. In box files both slashes count as separators,
 * because the files travel between systems.
 */

/** What a look-up gives: one path (relative, "/" between parts), several that fit equally well, or none. */
export type Match =
  | { readonly kind: "one"; readonly path: string }
  | { readonly kind: "several"; readonly paths: readonly string[] }
  | undefined;

/** Positions in `paths` by key; a single position, the usual case, costs no array. */
type Positions = Map<string | number, number | number[]>;

export class ImageIndex {
  private readonly paths: string[] = [];
  private readonly byName: Positions = new Map();
  // Built on first use: most data sets name their files exactly.
  private byNormalName: Positions | undefined;
  private byStem: Positions | undefined;
  private byNumber: Positions | undefined;

  get count(): number {
    return this.paths.length;
  }

  /** @param path relative to the image folder, "/" between parts */
  add(path: string): void {
    this.note(this.byName, baseName(path), this.paths.push(path) - 1);
  }

  /** A file name with or without folders: the file whose path ends in it, else the one with the same last part. */
  findName(name: string): Match {
    return this.choose(this.byName.get(baseName(name)), name, (path) => path);
  }

  /** As findName, with accents as one character or as two (macOS file systems) taken for the same. */
  findNormalized(name: string): Match {
    const normal = name.normalize("NFC");
    this.byNormalName ??= this.group((path) => baseName(path).normalize("NFC"));
    return this.choose(this.byNormalName.get(baseName(normal)), normal, (path) => path.normalize("NFC"));
  }

  /** A file name without its extension. */
  findStem(stem: string): Match {
    this.byStem ??= this.group((path) => withoutExtension(baseName(path)));
    return this.choose(this.byStem.get(baseName(stem)), stem, withoutExtension);
  }

  /** An image id that is a number. */
  findNumber(id: number): Match {
    this.byNumber ??= this.group((path) => numberOfStem(withoutExtension(baseName(path))));
    return this.choose(this.byNumber.get(id), "", () => "");
  }

  private choose(found: number | number[] | undefined, wanted: string, keyOf: (path: string) => string): Match {
    if (found === undefined) return undefined;
    if (typeof found === "number") return { kind: "one", path: this.paths[found]! };
    const paths = found.map((position) => this.paths[position]!);
    const exact = paths.filter((path) => keyOf(path) === wanted);
    const ending = exact.length > 0 ? exact : paths.filter((path) => keyOf(path).endsWith(`/${wanted}`));
    return ending.length === 1
      ? { kind: "one", path: ending[0]! }
      : { kind: "several", paths: ending.length > 1 ? ending : paths };
  }

  private group(keyOf: (path: string) => string | number | undefined): Positions {
    const positions: Positions = new Map();
    this.paths.forEach((path, position) => {
      const key = keyOf(path);
      if (key !== undefined) this.note(positions, key, position);
    });
    return positions;
  }

  private note(positions: Positions, key: string | number, position: number): void {
    const before = positions.get(key);
    if (before === undefined) positions.set(key, position);
    else if (typeof before === "number") positions.set(key, [before, position]);
    else before.push(position);
  }
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

/** What a safe name may mean, most literal first: as it is, and with backslashes as separators; without "." parts. */
export function readingsOf(name: string): readonly string[] {
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
function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** "a/b.jpg" -> "a/b"; a name that only begins with a dot has no extension. */
export function withoutExtension(path: string): string {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") + 1 ? path.slice(0, dot) : path;
}

/** Stems that are a number by COCO's convention: 000000000139, or COCO_val2014_000000000139. */
const NUMBER_STEM = /^(?:COCO_[a-z]+[0-9]{4}_)?([0-9]{1,15})$/;

/** The numeric image id a file stem stands for, or undefined. */
export function numberOfStem(stem: string): number | undefined {
  const digits = NUMBER_STEM.exec(stem)?.[1];
  return digits === undefined ? undefined : Number(digits);
}
