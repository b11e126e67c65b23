/**
 * Every reason an evaluation lists, what it means to people, and the lists themselves. The names are stable: programs
 * may look for them in report.json.
 */
import type { ListedReason } from "../report/types.js";
import { LISTED_IDS } from "../report/types.js";
import type { FailReason, Id, SkipReason } from "../types.js";

/** A truth annotation that takes part in no mean. */
export type TruthReason =
  | SkipReason
  | `truth-${FailReason}`
  | "truth-missing"
  | "truth-invalid"
  | "truth-empty"
  | "truth-small"
  | "truth-flat"
  | "not-asked"
  | "image-size-unknown"
  | "image-too-large";
/** A prediction that belongs to no instance. */
export type LeftOverReason =
  | "prediction-unknown"
  | "prediction-duplicate"
  | "prediction-excluded"
  | "prediction-without-id"
  | "prediction-crowd"
  | "prediction-image-unknown";
/** An instance without a usable mask: counts as IoU 0. */
export type MaskFailure =
  | "prediction-missing"
  | "prediction-invalid"
  | "polygon-missing"
  | "polygon-invalid"
  | "polygon-outside"
  | "polygon-empty"
  | "box-outside"
  | "image-unreadable";
/** Evaluated although it looks wrong. */
export type RemarkReason =
  | "truth-part-left-out"
  | "polygon-part-left-out"
  | "polygon-crosses-itself"
  | "polygon-many-vertices"
  | "prediction-category"
  | "prediction-box"
  | "score-out-of-range";

type Reason = TruthReason | LeftOverReason | MaskFailure | RemarkReason;

/** What each reason means, in the plural. */
const MEANINGS: Readonly<Record<Exclude<Reason, `truth-${FailReason}`>, string>> = {
  crowd: "crowd regions (iscrowd): never a target, as in COCO",
  group: "groups of objects",
  ignored: "regions without labels (DontCare)",
  deleted: "annotations marked as deleted",
  hidden: "objects covered by others",
  category: "categories that were left out",
  kept: "annotations that were kept",
  "already-done": "annotations whose polygon an earlier run drew",
  "score-below-minimum": "annotations below the score limit",
  "truth-missing": "annotations without a segmentation",
  "truth-invalid": "annotations whose segmentation cannot be used",
  "truth-empty": "annotations that cover no pixel of their image",
  "truth-small": "annotations without a part of the smallest area asked for",
  "truth-flat": "annotations whose outline has no area on the 28 x 28 grid",
  "not-asked": "annotations that were not asked for (--limit, --categories)",
  "image-size-unknown": "annotations of images whose size is not known",
  "image-too-large": "annotations of images too large for a mask",
  "prediction-unknown": "predictions that fit no annotation of their image",
  "prediction-duplicate": "further predictions for an instance that has one; the first counts",
  "prediction-excluded": "predictions for annotations that take no part",
  "prediction-without-id": "predictions without a usable id",
  "prediction-crowd": "predictions that lie in a crowd region",
  "prediction-image-unknown": "predictions for images the truth does not have",
  "prediction-missing": "instances without a prediction",
  "prediction-invalid": "predictions that cannot be read",
  "polygon-missing": "predictions without a segmentation",
  "polygon-invalid": "predictions whose segmentation cannot be used",
  "polygon-outside": "polygons that lie outside their image",
  "polygon-empty": "shapes that cover no pixel",
  "box-outside": "boxes outside their image",
  "image-unreadable": "images that cannot be read",
  "truth-part-left-out": "annotations of the truth with a part that cannot be read; compared without it",
  "polygon-part-left-out": "predictions with a part that cannot be read; compared without it",
  "polygon-crosses-itself": "outlines that cross themselves; filled by the rasterizer's rule",
  "polygon-many-vertices": "outlines of more than 1000 vertices",
  "prediction-category": "predictions of another category than the annotation of their id; the truth's category counts",
  "prediction-box":
    "predictions whose box overlaps that of the annotation of their id by less than half: " +
    "the ids may belong to another file (--match-by box does not need them)",
  "score-out-of-range": "scores outside 0 to 1, left out where IoU is set against score",
};

function meaningOf(reason: Reason): string {
  return reason in MEANINGS ? MEANINGS[reason as keyof typeof MEANINGS] : "annotations that cannot be read";
}

/** Counts reasons and keeps the first ids of each, in order of first appearance. */
export class ListedReasons {
  private readonly listed = new Map<string, { readonly words: string; count: number; readonly firstIds: Id[] }>();

  /**
   * @param id null for one without: it is counted, and `message` says which it is
   * @param message what exactly is wrong with this one; the list shows that of the first
   * @param method name of the method whose predictions these are, where it is not the predictions file
   */
  add(reason: Reason, id: Id | null, message?: string, method?: string): void {
    const key = method === undefined ? reason : `${reason}:${method}`;
    let known = this.listed.get(key);
    if (known === undefined) {
      const whose = method === undefined ? "" : `${method}: `;
      const first = message === undefined ? "" : `; first: ${message}`;
      known = { words: `${whose}${meaningOf(reason)}${first}`, count: 0, firstIds: [] };
      this.listed.set(key, known);
    }
    known.count += 1;
    if (id !== null && known.firstIds.length < LISTED_IDS) known.firstIds.push(id);
  }

  get total(): number {
    return [...this.listed.values()].reduce((sum, { count }) => sum + count, 0);
  }

  list(): ListedReason[] {
    return [...this.listed].map(([reason, { words, count, firstIds }]) => ({
      reason,
      words,
      count,
      firstIds: [...firstIds],
    }));
  }
}
