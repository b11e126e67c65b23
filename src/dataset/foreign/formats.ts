/**
 * Every format of other tools that is read. A new one is a file with a `ForeignFormat` (foreign/format.ts) and a line
 * here. They are asked in this order: a format that is told by little stands behind those that are told by more.
 */
import { CSV } from "./csv.js";
import { CVAT } from "./cvat.js";
import type { ForeignFormat } from "./format.js";
import { KITTI } from "./kitti.js";
import { LABEL_STUDIO } from "./label-studio.js";
import { LABELME } from "./labelme.js";
import { NDJSON } from "./ndjson.js";
import { VOC } from "./voc.js";
import { YOLO } from "./yolo.js";

export const FOREIGN_FORMATS: readonly ForeignFormat[] = [NDJSON, CVAT, VOC, LABELME, LABEL_STUDIO, CSV, KITTI, YOLO];
