/**
 * Lines of a CSV file by RFC 4180, safe to open in a spreadsheet: names come from files, and a cell that begins like a
 * formula would be run.
 */
import type { ClickRow } from "../clicks/options.js";
import type { ResultRow } from "../evaluate/options.js";
import { AtomicFile } from "../files/atomic-file.js";

/** Numbers are written as they are; undefined is an empty cell. */
export type Cell = string | number | undefined;

/**
 * Ends with CR LF. A text that begins with = + - @, a tab or a line break gets an apostrophe before it, as OWASP
 * advises.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

function csvCell(cell: Cell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return Number.isFinite(cell) ? String(cell) : "";
  const text = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/u.test(cell) ? `'${cell}` : cell;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/*
 * instances.csv: one line per truth annotation, evaluated or not, and per prediction that fits none; written while the
 * evaluation runs.
 */

export const INSTANCES_FILE = "instances.csv";

/** Digits behind the point of an IoU. */
const DIGITS = 6;

export class InstancesCsv {
  private constructor(private readonly file: AtomicFile) {}

  /** @throws E_WRITE */
  static async open(path: string): Promise<InstancesCsv> {
    return new InstancesCsv(await AtomicFile.open(path));
  }

  /** The heading. @param names of the methods in the order of the rows' scores; called once, before the first row */
  async methods(names: readonly string[]): Promise<void> {
    const measures = names.flatMap((name, i) =>
      i === 0 ? ["iou", "boundary_iou"] : [`${name} iou`, `${name} boundary_iou`],
    );
    await this.file.write(
      csvLine([
        "annotation_id",
        "image_id",
        "file_name",
        "status",
        "reason",
        "from",
        "category",
        "source",
        "truth_area",
        "size",
        "score",
        "vertices",
        ...measures,
      ]),
    );
  }

  row(row: ResultRow): Promise<void> {
    return this.file.write(csvLine(cellsOf(row)));
  }

  commit(): Promise<void> {
    return this.file.commit();
  }

  abort(): Promise<void> {
    return this.file.abort();
  }
}

function cellsOf(row: ResultRow): Cell[] {
  const place: Cell[] = [row.annotationId, row.imageId, row.fileName, row.status, row.reason];
  if (row.status === "excluded") return [...place, row.method];
  const measures = row.scores.flatMap(({ iou, boundaryIou }) => [rounded(iou), rounded(boundaryIou)]);
  return [...place, undefined, row.category, row.source, row.area, row.size, row.score, row.vertices, ...measures];
}

function rounded(value: number): number {
  return Math.round(value * 10 ** DIGITS) / 10 ** DIGITS;
}

/* clicks.csv: one line per simulated instance and threshold; written while the simulation runs. */

export const CLICKS_FILE = "clicks.csv";

/** Digits behind the point of an IoU. */

export class ClicksCsv {
  private constructor(private readonly file: AtomicFile) {}

  /** @throws E_WRITE */
  static async open(path: string): Promise<ClicksCsv> {
    const file = await AtomicFile.open(path);
    await file.write(
      csvLine([
        "annotation_id",
        "image_id",
        "file_name",
        "category",
        "source",
        "truth_vertices",
        "automatic_iou",
        "threshold",
        "clicks",
        "iou",
        "vertices",
        "ended",
      ]),
    );
    return new ClicksCsv(file);
  }

  async row(row: ClickRow): Promise<void> {
    const { annotationId, imageId, fileName, category, source, truthVertices, automaticIou, perThreshold } = row;
    for (const { threshold, clicks, iou, vertices, ended } of perThreshold) {
      await this.file.write(
        csvLine([
          annotationId,
          imageId,
          fileName,
          category,
          source,
          truthVertices,
          rounded(automaticIou),
          threshold,
          clicks,
          rounded(iou),
          vertices,
          ended ? "yes" : "no",
        ]),
      );
    }
  }

  commit(): Promise<void> {
    return this.file.commit();
  }

  abort(): Promise<void> {
    return this.file.abort();
  }
}
