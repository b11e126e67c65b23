/**
 * A data set of drawn pictures for the tests of training: white polygons on black, so that every pixel of a crop says
 * whether it belongs to an instance. Files lie in a folder that is removed after the test file.
 */
import { join } from "node:path";
import sharp from "sharp";
import { folderWith } from "../dataset/temporary-folder.js";

export interface DrawnInstance {
  readonly image: number;
  readonly ring: readonly number[];
  readonly category?: number;
}
export interface DrawnImage {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly source?: string;
  readonly background?: string;
}

/** [x1, y1, ...] of a regular polygon. */
export function regular(corners: number, x: number, y: number, radius: number): number[] {
  return Array.from({ length: corners }, (_, i) => [
    x + radius * Math.sin((2 * Math.PI * i) / corners),
    y - radius * Math.cos((2 * Math.PI * i) / corners),
  ]).flat();
}

export const IMAGES: readonly DrawnImage[] = [
  { name: "one.png", width: 200, height: 160, source: "left" },
  { name: "two.png", width: 160, height: 200, source: "left" },
  { name: "three.png", width: 120, height: 120, source: "right" },
];
/** Well apart, one reaching near the border, of 3 to 40 corners. */
export const INSTANCES: readonly DrawnInstance[] = [
  { image: 0, ring: regular(3, 50, 50, 44) },
  { image: 0, ring: regular(40, 140, 100, 55), category: 2 },
  { image: 1, ring: regular(5, 80, 60, 50) },
  { image: 1, ring: regular(6, 60, 150, 40), category: 2 },
  { image: 2, ring: regular(4, 60, 60, 58) },
];

export interface DrawnData {
  readonly folder: string;
  readonly boxes: string;
  readonly images: string;
}

/** @param more annotations as they stand in the file, beside the drawn ones */
export async function drawData(
  images = IMAGES,
  instances = INSTANCES,
  more: readonly unknown[] = [],
): Promise<DrawnData> {
  const files: Record<string, unknown> = {};
  for (const [number, { name, width, height, background }] of images.entries()) {
    const own = instances.filter(({ image }) => image === number);
    const polygons = own.map(({ ring }) => `<polygon points="${ring.join(" ")}" fill="#fff"/>`).join("");
    files[`images/${name}`] = await sharp(
      Buffer.from(
        `<svg width="${width}" height="${height}"><rect width="100%" height="100%" fill="${background ?? "#000"}"/>${polygons}</svg>`,
      ),
    )
      .png()
      .toBuffer();
  }
  const annotations = instances.map(({ image, ring, category }, i) => {
    const xs = ring.filter((_, at) => at % 2 === 0),
      ys = ring.filter((_, at) => at % 2 === 1);
    const left = Math.min(...xs),
      top = Math.min(...ys);
    return {
      id: i + 1,
      image_id: image + 1,
      category_id: category ?? 1,
      iscrowd: 0,
      bbox: [left, top, Math.max(...xs) - left, Math.max(...ys) - top],
      segmentation: [ring],
    };
  });
  files["truth.json"] = {
    images: images.map(({ name, width, height, source }, i) => ({
      id: i + 1,
      file_name: name,
      width,
      height,
      ...(source !== undefined && { source }),
    })),
    annotations: [...annotations, ...more],
    categories: [
      { id: 1, name: "shape" },
      { id: 2, name: "round" },
      { id: 3, name: "never" },
    ],
  };
  const folder = await folderWith(files);
  return { folder, boxes: join(folder, "truth.json"), images: join(folder, "images") };
}
