/** Names of the image files in a folder, by relative path, file name, stem and number; strings only, no disk. */
import { baseName, numberOfStem, withoutExtension } from "./image-name.js";

/** What a look-up in the index gives: one path (relative, "/" between parts), several that fit equally well, or none. */
export type Match =
  | { readonly kind: "one"; readonly path: string }
  | { readonly kind: "several"; readonly paths: readonly string[] }
  | undefined;

/** Positions in `paths` by key; a single position is the ordinary case and costs no array. */
type Positions = Map<string | number, number | number[]>;

export class ImageIndex {
  private readonly paths: string[] = [];
  private readonly byName: Positions = new Map();
  // Made when first asked for: most data sets name their files exactly.
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

  /** As findName, but accents written as one character or two (macOS file systems) are the same. */
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
