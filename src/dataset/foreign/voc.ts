/**
 * Pascal VOC: an XML file per image with `size` and an `object` for each box. The original counts pixels from 1 and
 * includes the last one; labelImg and most tools after it count from 0. A file does not say which, so all files decide:
 * a corner at 0 means from 0; without one, files of the VOC data set or a corner at 1 mean from 1. Source: Everingham et
 * al., "The PASCAL Visual Object Classes Challenge 2012 development kit", section on annotations.
 */
import type { JsonObject } from "../../types.js";
import type { BoxUnit } from "../relative-boxes.js";
import type { ForeignImage, ForeignObject, ForeignReader } from "./dataset.js";
import type { FileStart, FolderInput, ForeignFormat } from "./format.js";
import { openAlone } from "./format.js";
import type { XmlElement } from "./xml.js";
import { childOf, childText, parseXml } from "./xml.js";
import { stemOf, walkTextFiles } from "./text-file.js";
import { boxOfCorners, lengthOf, sideOf } from "./values.js";

export type FirstPixel = 0 | 1;

const isVoc = ({ root }: FileStart): boolean => root === "annotation";

export const VOC: ForeignFormat = {
  title: "Pascal VOC",
  isFile: isVoc,
  openFile: openAlone(openVoc),
  folder: { ending: ".xml", isOne: isVoc, open: openVoc },
};

function openVoc({ boxes, folder, names, options }: FolderInput): ForeignReader {
  const said = saidFirstPixel(options.boxesAre);
  let first = said;
  return {
    format: "voc",
    source: boxes,
    isRelative: false,
    learned: () => ({
      identity: `first pixel ${first ?? 0}`,
      notes:
        said === undefined
          ? [`${boxes}: pixels are counted from ${first ?? 0}, as the files look (--boxes-are says otherwise)`]
          : [],
    }),
    // The first walk, which counts and hashes, is as well the one that finds out.
    async *walk() {
      const search = first === undefined ? new FirstPixelSearch() : undefined;
      for await (const image of walkTextFiles(folder, names, (text, path, name) =>
        readVoc(text, path, name, first ?? 0),
      )) {
        search?.look(image);
        yield image;
      }
      if (search !== undefined) first = search.found;
    },
    close: () => Promise.resolve(),
  };
}

/** @returns undefined where it is to be found out from the files */
function saidFirstPixel(boxesAre: BoxUnit | undefined): FirstPixel | undefined {
  if (boxesAre === undefined) return undefined;
  return boxesAre === "pixels-from-1" ? 1 : 0;
}

class FirstPixelSearch {
  private hasZero = false;
  private hasOne = false;

  get found(): FirstPixel {
    return this.hasOne && !this.hasZero ? 1 : 0;
  }

  /** @param image read as if pixels were counted from 0 */
  look({ objects, fields }: ForeignImage): void {
    if (/^The VOC\d{4} Database$/iu.test(databaseOf(fields))) this.hasOne = true;
    for (const { fields: object, problem } of objects) {
      const bbox = object["bbox"];
      if (problem !== undefined || !Array.isArray(bbox)) continue;
      if (bbox[0] === 0 || bbox[1] === 0) this.hasZero = true;
      if (bbox[0] === 1 || bbox[1] === 1) this.hasOne = true;
    }
  }
}

function databaseOf(fields: JsonObject): string {
  const { database } = fields;
  return typeof database === "string" ? database : "";
}

/** @throws E_DATA for what is no VOC annotation */
export function readVoc(
  text: string,
  path: string,
  name: string,
  firstPixel: FirstPixel,
): Omit<ForeignImage, "sha256" | "path"> {
  const root = parseXml(text, path, "annotation");
  const size = childOf(root, "size");
  const [width, height] = [sideOf(childText(size, "width")), sideOf(childText(size, "height"))];
  const fileName = childText(root, "filename");
  const stem = stemOf(name);
  const database = childText(childOf(root, "source"), "database");
  return {
    name: fileName === undefined || fileName === "" ? { stem } : fileName,
    otherStem: stem,
    ...(width !== undefined && height !== undefined && { width, height }),
    fields: { ...(database !== undefined && { database }) },
    objects: root.children
      .filter((child) => child.name === "object")
      .map((object, i) => readObject(object, `object[${i}] (line ${object.line})`, firstPixel)),
  };
}

const ATTRIBUTES = ["pose", "truncated", "occluded", "difficult"] as const;

function readObject(object: XmlElement, at: string, firstPixel: FirstPixel): ForeignObject {
  const name = childText(object, "name");
  const label = name === "" ? undefined : name;
  const attributes: JsonObject = {};
  for (const key of ATTRIBUTES) {
    const value = childText(object, key);
    if (value === undefined) continue;
    attributes[key] = key === "pose" ? value : value === "1" || /^true$/iu.test(value);
  }
  const kept = Object.keys(attributes).length > 0 ? { attributes } : {};
  const bndbox = childOf(object, "bndbox");
  const corners = ["xmin", "ymin", "xmax", "ymax"] as const;
  const box = boxOfCorners(
    corners.map((corner) => childText(bndbox, corner)),
    [...corners],
  );
  if ("problem" in box) return { at, label, fields: kept, problem: { reason: "box-invalid", message: box.problem } };
  const [left, top, right, bottom] = box.corners;
  const bbox = [
    left - firstPixel,
    top - firstPixel,
    lengthOf(left, right) + firstPixel,
    lengthOf(top, bottom) + firstPixel,
  ];
  return { at, label, fields: { bbox, iscrowd: 0, ...kept } };
}
