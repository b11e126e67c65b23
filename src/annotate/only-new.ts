/**
 * --only-new: boxes whose polygon an earlier run drew are passed over, and their polygon goes out as it is there.
 *
 * A box is done when the earlier file has a polygon for it: same file name of the image, same category, same box (earlier-polygons.ts
 * says how exactly). Which model drew it, and whether a person corrected it since, does not matter; pixels are not compared. What the
 * input says of the annotation today goes out as it says it (coco-annotation.ts).
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Dataset, Entry, ImageGroup } from "../dataset/dataset.js";
import { type EarlierPolygons, openEarlierPolygons } from "../dataset/earlier-polygons.js";
import { carriedAnnotation } from "../write/coco-annotation.js";
import { type Selection, decide } from "./select.js";

const ANNOTATIONS_FILE = "annotations.json";

/** @param path annotations.json of an earlier run, or its folder */
export async function openEarlier(path: string): Promise<EarlierPolygons> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  return openEarlierPolygons(isFolder ? join(path, ANNOTATIONS_FILE) : path);
}

/** The data set with what is done turned into annotations to pass over, reason `already-done`. */
export function passOverDone(dataset: Dataset, earlier: EarlierPolygons, selection: Selection): Dataset {
  const { format, source, categories, header, imageCount, annotationCount, sha256 } = dataset;
  return {
    format,
    source,
    categories,
    header,
    imageCount,
    annotationCount,
    sha256,
    async *groups() {
      for await (const group of dataset.groups()) yield await withoutDone(group, earlier, selection);
    },
    close: () => dataset.close(),
  };
}

async function withoutDone(group: ImageGroup, earlier: EarlierPolygons, selection: Selection): Promise<ImageGroup> {
  const { image, location } = group;
  const entries: Entry[] = [];
  let toDraw = 0;
  for (const entry of group.entries) {
    const decision = decide(entry, selection);
    const found = decision.kind === "draw" ? await earlier.find(image.fileName, decision.instance) : undefined;
    if (decision.kind === "draw" && found !== undefined) {
      const { ordinal, annotationId, imageId } = decision.instance;
      entries.push({
        kind: "skipped",
        ordinal,
        annotationId,
        imageId,
        reason: "already-done",
        raw: carriedAnnotation(decision.instance, found),
      });
    } else {
      if (decision.kind === "draw") toDraw++;
      entries.push(entry);
    }
  }
  // An image that is not opened has the size it had; one that is says its own.
  const size =
    toDraw === 0 && (image.width === undefined || image.height === undefined)
      ? earlier.sizeOf(image.fileName)
      : undefined;
  return { image: { ...image, ...size }, location, entries };
}
