/** instances.csv: one line per truth annotation, evaluated or not, and per prediction that fits none; written while the evaluation runs. */
import { AtomicFile } from "../write/atomic-file.js";
import { csvLine, type Cell } from "./csv.js";
import type { ResultRow } from "./options.js";

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
