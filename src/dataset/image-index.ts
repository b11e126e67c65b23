/** The image files in a folder, looked up by name, stem and number; strings only, no disk. */
import { baseName, commonEnd, foldedKey, nameKey, numberOfStem, withoutExtension } from "./image-names.js";

/**
 * What a look-up in the index gives: one path (relative, "/" between parts), several that fit equally well, or none.
 */
export type Match =
  | {
      readonly kind: "one";
      readonly path: string;
      /** True when upper and lower case differ from what was asked for. */
      readonly isOtherCase: boolean;
    }
  | { readonly kind: "several"; readonly paths: readonly string[] }
  | undefined;

/** Positions in `paths` by key; a single position is the ordinary case and costs no array. */
type Positions = Map<string | number, number | number[]>;

export class ImageIndex {
  private readonly paths: string[] = [];
  /** By last part, folded. */
  private readonly byName: Positions = new Map();
  // Made when first asked for: most data sets name their files.
  private byStem: Positions | undefined;
  private byNumber: Positions | undefined;

  get count(): number {
    return this.paths.length;
  }

  /** @param path relative to the image folder, "/" between parts */
  add(path: string): void {
    note(this.byName, baseName(foldedKey(path)), this.paths.push(path) - 1);
  }

  /**
   * A file name with or without folders: of the files with this last part the one whose end agrees with the longest end
   * of the name; of these, one that is spelled as the name is.
   */
  findName(name: string): Match {
    return this.choose(this.byName.get(baseName(foldedKey(name))), name, (path) => path);
  }

  /** A file name without its extension; chosen as in `findName`. */
  findStem(stem: string): Match {
    this.byStem ??= this.group((path) => withoutExtension(baseName(foldedKey(path))));
    return this.choose(this.byStem.get(baseName(foldedKey(stem))), stem, withoutExtension);
  }

  /** An image id that is a number. */
  findNumber(id: number): Match {
    this.byNumber ??= this.group((path) => numberOfStem(withoutExtension(baseName(path))));
    const found = this.byNumber.get(id);
    if (found === undefined) return undefined;
    if (typeof found === "number") return { kind: "one", path: this.paths[found]!, isOtherCase: false };
    return { kind: "several", paths: found.map((position) => this.paths[position]!) };
  }

  private choose(found: number | number[] | undefined, wanted: string, keyOf: (path: string) => string): Match {
    if (found === undefined) return undefined;
    const key = nameKey(wanted),
      folded = foldedKey(wanted);
    const candidates = (typeof found === "number" ? [found] : found).map((position) => {
      const path = this.paths[position]!;
      const own = nameKey(keyOf(path));
      return { path, end: commonEnd(foldedKey(own), folded), exactEnd: commonEnd(own, key), isWhole: own === key };
    });
    const best = longest(longest(longest(candidates, "end"), "exactEnd"), "isWhole");
    const [first] = best;
    if (first !== undefined && best.length === 1)
      return { kind: "one", path: first.path, isOtherCase: first.exactEnd < first.end };
    return { kind: "several", paths: best.map(({ path }) => path) };
  }

  private group(keyOf: (path: string) => string | number | undefined): Positions {
    const positions: Positions = new Map();
    this.paths.forEach((path, position) => {
      const key = keyOf(path);
      if (key !== undefined) note(positions, key, position);
    });
    return positions;
  }
}

/** The candidates with the largest value. */
function longest<K extends string, C extends Readonly<Record<K, number | boolean>>>(
  candidates: readonly C[],
  by: K,
): readonly C[] {
  const most = Math.max(...candidates.map((candidate) => Number(candidate[by])));
  return candidates.filter((candidate) => Number(candidate[by]) === most);
}

function note(positions: Positions, key: string | number, position: number): void {
  const before = positions.get(key);
  if (before === undefined) positions.set(key, position);
  else if (typeof before === "number") positions.set(key, [before, position]);
  else before.push(position);
}
