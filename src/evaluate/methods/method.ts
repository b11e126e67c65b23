/** What a segmentation method is to the evaluation: boxes of one image in, masks out. Files, baselines, GrabCut. */
import type { DecodedImage } from "../../crop/open-image.js";
import { decodeImage, openImage } from "../../crop/open-image.js";
import type { ImageLocation } from "../../dataset/dataset.js";
import type { Id, ImageRecord, Instance, JsonObject, Polygon, Rle } from "../../types.js";
import type { ComparedAs } from "../../report/types.js";
import type { LeftOverReason, MaskFailure, RemarkReason } from "../reasons.js";

export interface Method {
  readonly name: string;
  /** What it does and with which settings, for the report. */
  readonly words: string;
  /** The file it comes from. */
  readonly file?: string;
  /** "mask" where no polygon is made of its masks; of a file known when it was walked. Absent: polygons. */
  readonly comparedAs?: ComparedAs | undefined;
  /** One result per instance, in their order. Masks have the image's size. */
  masksOf(image: SubjectImage): Promise<readonly MaskResult[]>;
  /** Called after the last image: lists what is left over. */
  finish?(): Promise<void>;
  /** Seconds of computing so far; only of methods whose time is worth reporting. */
  seconds?(): number;
  /** Frees what the method holds. */
  close?(): Promise<void>;
}

/** An image with the instances every method is asked for. */
export interface SubjectImage {
  readonly image: ImageRecord;
  readonly location: ImageLocation;
  /** Pixels, as the annotations count them. */
  readonly width: number;
  readonly height: number;
  readonly instances: readonly Instance[];
  /** Ids of the image's annotations that are not evaluated: crowds, broken ones, those without truth. */
  readonly excludedIds: ReadonlySet<Id>;
  /** The crowds among them, as read. */
  readonly crowds: readonly JsonObject[];
}

export type MaskResult =
  | {
      readonly kind: "mask";
      readonly mask: Rle;
      /** The shape before it was filled, where it is a polygon. */
      readonly polygon?: Polygon;
      readonly score?: number;
      readonly remarks?: readonly Remark[];
    }
  /** Counts as IoU 0. */
  | { readonly kind: "failed"; readonly reason: MaskFailure; readonly message?: string };

/** Evaluated although it looks wrong. */
export interface Remark {
  readonly reason: RemarkReason;
  readonly message?: string;
}

/** A prediction that takes no part in any mean. */
export interface ExcludedPrediction {
  readonly reason: LeftOverReason;
  /** null where it has none, as in a results list. */
  readonly id: Id | null;
  /** Where it stands in its file, without the file's name. */
  readonly place: string;
  readonly imageId?: Id;
}

/** Is called once for each. @param method name of the method the prediction is from */
export type OnExcluded = (prediction: ExcludedPrediction, method: string) => Promise<void>;

export type FailedMask = MaskResult & { readonly kind: "failed" };

/** Pixels of an image, for methods that look at them, or the failure of all its instances. */
export async function decodeSubject({
  image,
  location,
  width,
  height,
  instances,
}: SubjectImage): Promise<DecodedImage | FailedMask> {
  const fail = (message: string): FailedMask => ({ kind: "failed", reason: "image-unreadable", message });
  if (instances.length === 0) return fail("no instance");
  if (location.kind === "failed") return fail(location.failure.message);
  const opened = await openImage(location.path, { ...image, width, height }, location.root);
  if (opened.kind === "failed") return fail(opened.failure.message);
  const decoded = await decodeImage(opened.image);
  return decoded.kind === "failed" ? fail(decoded.failure.message) : decoded.image;
}
