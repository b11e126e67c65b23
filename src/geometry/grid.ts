/**
 * The output grid and its three frames: grid cells, crop window, image pixels; distances between cells, and cells in a
 * flipped crop. Source: Castrejon et al., CVPR 2017, section on vertex prediction (28 x 28 grid); cell centers as in
 * the authors' released code.
 */
import type { GridCell, ImagePoint } from "../types.js";

/** Cells along one side of the output grid (paper: 28). */
export const GRID_SIZE = 28;
/** Cells in the grid. */
export const CELL_COUNT = GRID_SIZE * GRID_SIZE;
/** Index of end-of-sequence: the class after the last cell. */
export const EOS = CELL_COUNT;
/** Classes of the decoder: every cell and end-of-sequence. */
export const CLASS_COUNT = CELL_COUNT + 1;

/** Fine cells along one side of a grid cell, and along one side of the refined mask (network/refine.ts). */
export const FINE_PER_CELL = 4;
export const FINE_SIZE = GRID_SIZE * FINE_PER_CELL;
/** Fine cells of a crop. */
export const FINE_COUNT = FINE_SIZE * FINE_SIZE;

/** Side of the network's input in pixels (paper: 224): what a crop window is scaled to. */
export const CROP_SIZE = 224;

/** Square part of the image that becomes one crop. Image pixels; may reach outside the image. */
export interface CropWindow {
  readonly left: number;
  readonly top: number;
  readonly side: number;
}

/** @returns row * 28 + col, 0..783 */
export function cellToIndex(cell: GridCell): number {
  return cell.row * GRID_SIZE + cell.col;
}

/** @param index 0..783 */
export function indexToCell(index: number): GridCell {
  return { col: index % GRID_SIZE, row: Math.floor(index / GRID_SIZE) };
}

/** A point on the grid, also between cells: the center of cell (0, 0) is at (0.5, 0.5); 0..28. */
export interface GridPoint {
  readonly gridX: number;
  readonly gridY: number;
}

export function cellCenter({ col, row }: GridCell): GridPoint {
  return { gridX: col + 0.5, gridY: row + 0.5 };
}

/** position / 28 * side + origin. */
export function gridToImagePoint({ gridX, gridY }: GridPoint, window: CropWindow): ImagePoint {
  return { x: window.left + (gridX / GRID_SIZE) * window.side, y: window.top + (gridY / GRID_SIZE) * window.side };
}

/** Center of a cell in image pixels: (cell + 0.5) / 28 * side + origin. */
export function cellToImagePoint(cell: GridCell, window: CropWindow): ImagePoint {
  return gridToImagePoint(cellCenter(cell), window);
}

/** Cell under an image point: floor(p / side * 28), clamped to the grid. */
export function imagePointToCell(point: ImagePoint, window: CropWindow): GridCell {
  return {
    col: clampToGrid(((point.x - window.left) / window.side) * GRID_SIZE),
    row: clampToGrid(((point.y - window.top) / window.side) * GRID_SIZE),
  };
}

function clampToGrid(position: number): number {
  return Math.min(GRID_SIZE - 1, Math.max(0, Math.floor(position)));
}

/** max(|dcol|, |drow|), in cells: the distance of the paper's threshold T. */
export function chessboardDistance(a: GridCell, b: GridCell): number {
  return Math.max(Math.abs(a.col - b.col), Math.abs(a.row - b.row));
}

/** |dcol| + |drow|, in cells: the distance of the authors' released training code. */
export function manhattanDistance(a: GridCell, b: GridCell): number {
  return Math.abs(a.col - b.col) + Math.abs(a.row - b.row);
}

/**
 * A ring's cells in the crop flipped left to right. The first vertex stays first, and the others come in reverse order:
 * a flip reverses the direction of a ring, and rings are clockwise.
 */
export function flipCells(cells: readonly GridCell[]): GridCell[] {
  return reversed(cells.map(({ col, row }) => ({ col: GRID_SIZE - 1 - col, row })));
}

/** The same in the crop flipped top to bottom. */
export function flipCellsVertically(cells: readonly GridCell[]): GridCell[] {
  return reversed(cells.map(({ col, row }) => ({ col, row: GRID_SIZE - 1 - row })));
}

function reversed([first, ...rest]: readonly GridCell[]): GridCell[] {
  return first === undefined ? [] : [first, ...rest.reverse()];
}
