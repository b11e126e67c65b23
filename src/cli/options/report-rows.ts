/** Rows that the commands that measure share: how masks are filled, how instances are grouped, how sure the means are. */
import type { Rasterizer } from "../../evaluate/report-types.js";
import type { NumberRow, TextRow } from "./option-table.js";

export const groupByRow = {
  type: "text",
  placeholder: "FIELD|prefix|none",
  group: "advanced",
  default: "none",
  describe:
    "Also give means per value of a field of the truth's images, or per prefix of the file names (up to the first _)",
} as const satisfies TextRow<string> & { default: string };

export const rasterizerRow = {
  type: "text",
  choices: ["coco", "pil"],
  group: "advanced",
  default: "coco",
  describe: "How polygons become masks: COCO's rule or Pillow's, as the Cityscapes tools do",
} as const satisfies TextRow<Rasterizer> & { default: Rasterizer };

export const seedRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 4294967295,
  group: "advanced",
  default: 1,
  describe: "Seed of the intervals",
} as const satisfies NumberRow & { default: number };

export const bootstrapRow = {
  type: "number",
  integer: true,
  min: 0,
  max: 100_000,
  unit: "draws",
  group: "advanced",
  default: 1000,
  describe: "Draws behind every 95 % interval; 0 gives no intervals",
} as const satisfies NumberRow & { default: number };
