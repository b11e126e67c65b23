/**
 * KITTI object labels, a text file per image: type, truncated, occluded, alpha, left, top, right, bottom (pixels from 0,
 * floats), three sizes and three places in meters, rotation, and a score in results. `DontCare` marks regions without
 * labels. Source: the development kit's readme of the object benchmark, www.cvlibs.net/datasets/kitti
 */
import type { ForeignImage, ForeignObject } from "./dataset.js";
import type { FileStart, ForeignFormat } from "./format.js";
import { firstRows, openAlone } from "./format.js";
import { openPerImage, stemOf } from "./text-file.js";
import { boxOfCorners, lengthOf, numberOf } from "./values.js";

const COLUMNS = 15;
const LONGEST_LINE = 4096;

const isKitti = ({ text }: FileStart): boolean =>
  firstRows(text).some(
    (row) => /^[A-Za-z_]+$/u.test(row[0]!) && (row.length === COLUMNS || row.length === COLUMNS + 1),
  );

const open = openPerImage("kitti", readKitti);

export const KITTI: ForeignFormat = {
  title: "KITTI",
  isFile: (start) => start.ending === ".txt" && isKitti(start),
  openFile: openAlone(open),
  folder: { ending: ".txt", isOne: isKitti, open },
};

function readKitti(text: string, _path: string, name: string): Omit<ForeignImage, "sha256" | "path"> {
  const objects: ForeignObject[] = [];
  for (const [i, line] of text.split(/\r\n?|\n/u).entries())
    if (line.trim() !== "") objects.push(readLine(line.trim(), `line ${i + 1}`));
  return { name: { stem: stemOf(name) }, fields: {}, objects };
}

function readLine(line: string, at: string): ForeignObject {
  const parts = line.length > LONGEST_LINE ? [] : line.split(/\s+/u);
  const [type, truncated, occluded, alpha] = parts;
  const problem = (message: string): ForeignObject => ({
    at,
    label: type,
    fields: {},
    problem: { reason: "annotation-invalid", message },
  });
  if (parts.length !== COLUMNS && parts.length !== COLUMNS + 1)
    return problem(`expected ${COLUMNS} columns, or ${COLUMNS + 1} with a score, received ${parts.length}`);
  const box = boxOfCorners(parts.slice(4, 8), ["left", "top", "right", "bottom"]);
  if ("problem" in box) return problem(box.problem);
  const [left, top, right, bottom] = box.corners;
  const score = numberOf(parts[15]);
  const fields = {
    bbox: [left, top, lengthOf(left, right), lengthOf(top, bottom)],
    iscrowd: 0,
    attributes: {
      truncated: numberOf(truncated) ?? null,
      occluded: numberOf(occluded) ?? null,
      alpha: numberOf(alpha) ?? null,
      dimensions: parts.slice(8, 11).map((part) => numberOf(part) ?? null),
      location: parts.slice(11, 14).map((part) => numberOf(part) ?? null),
      rotation_y: numberOf(parts[14]) ?? null,
    },
    ...(score !== undefined && { score }),
  };
  if (type === "DontCare") return { at, label: undefined, fields, skip: "ignored" };
  return { at, label: type!, fields };
}
