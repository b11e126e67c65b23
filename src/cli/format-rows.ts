/** Choices within output formats: rows that annotate, merge and review share, and what they come to. */
import type { FormatOptions, MaskKind } from "../write/writer.js";
import { LINKS, MASK_KINDS, SEGMENTATIONS } from "../write/writer.js";
import { usageError } from "../errors.js";
import type { FlagRow, ListRow, TextRow } from "./option-table.js";

/** Absent where the user does not say: then those of the run, if there is one. */
export interface FormatFlags {
  readonly segmentation?: NonNullable<FormatOptions["segmentation"]>;
  readonly masks?: readonly MaskKind[];
  readonly link?: NonNullable<FormatOptions["link"]>;
  readonly labelStudioPrefix?: string;
  readonly embedImages?: boolean;
}

export const formatRows = {
  segmentation: {
    type: "text",
    choices: SEGMENTATIONS,
    group: "advanced",
    whenAbsent: "polygon",
    describe: "With coco: predicted polygons as coordinates, or as run lengths (RLE)",
  } as const satisfies TextRow<(typeof SEGMENTATIONS)[number]> & { whenAbsent: string },
  masks: {
    type: "list",
    choices: MASK_KINDS,
    group: "advanced",
    whenAbsent: "instances,semantic",
    describe: "With masks: which pictures; each is one file per instance",
  } as const satisfies ListRow<MaskKind> & { whenAbsent: string },
  link: {
    type: "text",
    choices: LINKS,
    group: "advanced",
    whenAbsent: "symlink; where the disk has none, hard, then copy",
    describe: "With yolo-seg: how images/ holds the photographs",
  } as const satisfies TextRow<(typeof LINKS)[number]> & { whenAbsent: string },
  labelStudioPrefix: {
    type: "text",
    placeholder: "TEXT",
    group: "advanced",
    whenAbsent: "/data/local-files/?d=",
    describe: "With label-studio: what stands before each image's name, for example s3://bucket/photos/",
  } as const satisfies TextRow<string> & { whenAbsent: string },
  embedImages: {
    type: "flag",
    group: "advanced",
    whenAbsent: "files name their photographs",
    describe: "With labelme: photographs within the files",
  } as const satisfies FlagRow & { whenAbsent: string },
};

/** @returns undefined where nothing was asked for @throws E_USAGE for an empty prefix */
export function toFormatOptions(flags: FormatFlags): FormatOptions | undefined {
  const { segmentation, masks, link, labelStudioPrefix, embedImages } = flags;
  if (labelStudioPrefix === "")
    throw usageError("--label-studio-prefix: expected a text, received none", "Leave it out for local files.");
  const asked: FormatOptions = {
    ...(segmentation !== undefined && { segmentation }),
    ...(masks !== undefined && { masks }),
    ...(link !== undefined && { link }),
    ...(labelStudioPrefix !== undefined && { labelStudioPrefix }),
    ...(embedImages !== undefined && { embedImages }),
  };
  return Object.keys(asked).length === 0 ? undefined : asked;
}
