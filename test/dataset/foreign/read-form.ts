/** Reads the forms of forms.ts, or a file beside their images, and says what came of it. */
import { join } from "node:path";
import { readImageSize } from "../../../src/crop/open-image.js";
import type { Dataset, Entry, ImageGroup } from "../../../src/dataset/dataset.js";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import type { BoxUnit } from "../../../src/dataset/relative-boxes.js";
import type { Form } from "./forms.js";
import { folderOf } from "./forms.js";

export async function groupsOf(dataset: Dataset): Promise<ImageGroup[]> {
  const groups: ImageGroup[] = [];
  for await (const group of dataset.groups()) groups.push(group);
  return groups;
}

export interface Read {
  readonly dataset: Dataset;
  readonly groups: readonly ImageGroup[];
  readonly entries: readonly Entry[];
}

export async function read(home: string, boxes: string, boxesAre?: BoxUnit): Promise<Read> {
  const dataset = await openDataset({
    images: join(home, "images"),
    boxes: join(home, boxes),
    imageSize: readImageSize,
    ...(boxesAre !== undefined && { boxesAre }),
  });
  try {
    const groups = await groupsOf(dataset);
    return { dataset, groups, entries: groups.flatMap(({ entries }) => entries) };
  } finally {
    await dataset.close();
  }
}

export const readForm = async ({ files, boxes }: Form): Promise<Read> => read(await folderOf(files), boxes);
export const readText = async (name: string, text: string | Uint8Array): Promise<Read> =>
  read(await folderOf({ [name]: text }), name);

/** What was wrong, of each entry; "instance" where nothing was. */
export const remarks = ({ entries }: Read): string[] =>
  entries.map((entry) =>
    entry.kind === "failed" ? entry.failure.message : entry.kind === "skipped" ? entry.reason : "instance",
  );
/** [left, top, width, height] */
export const boxOf = (entry: Entry): number[] => {
  if (entry.kind !== "instance") return [];
  const { left, top, width, height } = entry.instance.box;
  return [left, top, width, height];
};
