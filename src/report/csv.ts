/**
 * instances.csv and clicks.csv: one line per instance, written while the evaluation or the simulation runs. The row
 * types are what evaluation and simulation hand over.
 *
 * Lines follow RFC 4180 and are safe to open in a spreadsheet: names come from files, and a cell that begins like a
 * formula would be run.
 */
import { AtomicFile } from "../files/atomic-file.js";
import type { Id } from "../types.js";
import type { SizeName } from "./types.js";

/** A line of instances.csv: a truth annotation, evaluated or not, or a prediction that fits none. */
export type ResultRow = EvaluatedRow | ExcludedRow;

export interface EvaluatedRow {
  readonly status: "evaluated" | "failed";
  /** Why it failed. */
  readonly reason?: string;
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly fileName: string;
  readonly category: string;
  /** Absent when no grouping was asked for. */
  readonly source?: string;
  /** Pixels of the truth. */
  readonly area: number;
  readonly size: SizeName;
  readonly score?: number;
  readonly vertices: number;
  /** The predictions, the other methods, the grid ceiling. */
  readonly scores: readonly MethodScore[];
}

export interface ExcludedRow {
  readonly status: "excluded";
  readonly reason: string;
  /** Of the truth; of the prediction where the reason starts with "prediction-". null: it has none. */
  readonly annotationId: Id | null;
  readonly imageId?: Id;
  readonly fileName?: string;
  /** The file a prediction is from, where it is not the predictions file: the name given to --compare. */
  readonly method?: string;
}

/** One method's answer to one instance. */
export interface MethodScore {
  readonly iou: number;
  readonly boundaryIou: number;
  readonly failed: boolean;
}

/** What became of one simulated instance: a line of clicks.csv per threshold. */
export interface ClickRow {
  readonly annotationId: Id;
  readonly imageId: Id;
  readonly fileName: string;
  readonly category: string;
  /** Absent when no grouping was asked for. */
  readonly source?: string;
  /** Cells of the truth on the grid. */
  readonly truthVertices: number;
  readonly automaticIou: number;
  /** In the order of the thresholds asked for. */
  readonly perThreshold: readonly {
    readonly threshold: number;
    readonly clicks: number;
    readonly iou: number;
    readonly vertices: number;
    readonly ended: boolean;
  }[];
}

/** A CSV file under way; it appears under its name with `commit`. */
class CsvFile {
  constructor(private readonly file: AtomicFile) {}

  /** @throws E_WRITE, as everything here */
  commit(): Promise<void> {
    return this.file.commit();
  }

  abort(): Promise<void> {
    return this.file.abort();
  }

  protected line(cells: readonly Cell[]): Promise<void> {
    return this.file.write(csvLine(cells));
  }
}

export class InstancesCsv extends CsvFile {
  /** @throws E_WRITE */
  static async open(path: string): Promise<InstancesCsv> {
    return new InstancesCsv(await AtomicFile.open(path));
  }

  /** The heading. @param names of the methods in the order of the rows' scores; called once, before the first row */
  async methods(names: readonly string[]): Promise<void> {
    const measures = names.flatMap((name, i) =>
      i === 0 ? ["iou", "boundary_iou"] : [`${name} iou`, `${name} boundary_iou`],
    );
    await this.line([
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
    ]);
  }

  row(row: ResultRow): Promise<void> {
    return this.line(cellsOf(row));
  }
}

function cellsOf(row: ResultRow): Cell[] {
  const place: Cell[] = [row.annotationId ?? undefined, row.imageId, row.fileName, row.status, row.reason];
  if (row.status === "excluded") return [...place, row.method];
  const measures = row.scores.flatMap(({ iou, boundaryIou }) => [rounded(iou), rounded(boundaryIou)]);
  return [...place, undefined, row.category, row.source, row.area, row.size, row.score, row.vertices, ...measures];
}

export class ClicksCsv extends CsvFile {
  /** @throws E_WRITE */
  static async open(path: string): Promise<ClicksCsv> {
    const csv = new ClicksCsv(await AtomicFile.open(path));
    await csv.line([
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
    ]);
    return csv;
  }

  async row({ perThreshold, ...row }: ClickRow): Promise<void> {
    const { annotationId, imageId, fileName, category, source, truthVertices, automaticIou } = row;
    for (const { threshold, clicks, iou, vertices, ended } of perThreshold) {
      await this.line([
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
      ]);
    }
  }
}

/** Digits after the point of an IoU. */
const DIGITS = 6;

function rounded(value: number): number {
  return Math.round(value * 10 ** DIGITS) / 10 ** DIGITS;
}

/** Numbers are written as they are; undefined is an empty cell. */
type Cell = string | number | undefined;

/**
 * Ends with CR LF. A text that begins with = + - or @ gets an apostrophe before it, as OWASP advises. Control characters
 * become U+FFFD, line breaks and tabs among them.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}

/** Control characters steer a terminal that shows the file, marks of direction and format change what is seen. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

function csvCell(cell: Cell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return Number.isFinite(cell) ? String(cell) : "";
  const plain = cell.replace(UNSEEN, "\ufffd");
  const text = /^[=+\-@\uff1d\uff0b\uff0d\uff20]/u.test(plain) ? `'${plain}` : plain;
  return /[",]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
