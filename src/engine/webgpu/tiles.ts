/**
 * How the work of a convolution is cut up for a device. No choice is best on every card, so a few are tried there
 * (trial.ts). None changes the order in which a value is summed.
 */
export interface Tiles {
  /** Columns that a thread computes: what it reads of the weights serves them all. */
  readonly columns: number;
  /** Groups of four channels that a thread computes: what it reads of the image serves them all. */
  readonly groups: number;
  /** Threads of a workgroup, at most 256. */
  readonly threads: number;
}

/** For devices on which nothing was tried. */
export const SAFE_TILES: Tiles = { columns: 4, groups: 1, threads: 64 };

/** What is tried, the safe ones first, then what is most likely to be quicker: the time may end before the list does. */
export const TILE_CANDIDATES: readonly Tiles[] = [
  SAFE_TILES,
  { columns: 4, groups: 2, threads: 64 },
  { columns: 7, groups: 1, threads: 64 },
  { columns: 7, groups: 2, threads: 64 },
  { columns: 4, groups: 4, threads: 64 },
  { columns: 2, groups: 2, threads: 128 },
  { columns: 4, groups: 1, threads: 256 },
  { columns: 2, groups: 1, threads: 64 },
];
