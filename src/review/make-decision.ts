/** From what the page sends to what is written: checked against the image, compared with the automatic polygon. */
import type { OpenedImage } from "../crop/open-image.js";
import { invalidData } from "../errors.js";
import type { Category, Id, Outcome, Ring } from "../types.js";
import type { BoxXywh, DecisionRequest } from "./api.js";
import type { Decision } from "./decision.js";
import { checkRing, isEqual, sizeOf } from "./refusals.js";
import { iouOfRings } from "./statistics.js";

/** What is known of the instance apart from the request. */
export interface DecisionContext extends Pick<Decision, "ordinal" | "session" | "arm"> {
  readonly categories: readonly Category[];
  /** Of the input. */
  readonly categoryId: Id | undefined;
  readonly box: BoxXywh;
  /** What is in force, as the page was given it. */
  readonly standing: () => Promise<Pick<Decision, "rings" | "pins">>;
  readonly outcome: Outcome;
  readonly image: OpenedImage | { readonly problem: string };
  /** Expected IoU of a ring in the box of the request. */
  readonly scoreOf: (ring: Ring) => Promise<number | undefined>;
}

/** @throws E_DATA for what cannot be the polygon of an instance on its image */
export async function makeDecision(asked: DecisionRequest, context: DecisionContext): Promise<Decision> {
  const { rings, pins = [] } =
    asked.rings === undefined ? await context.standing() : { rings: asked.rings, pins: asked.pins };
  const { box, categoryId, reason, counts, activeMs, openMs, networkMs } = asked;
  const { ordinal, session, arm, outcome, image, scoreOf } = context;
  if (!context.categories.some(({ id }) => id === categoryId))
    throw invalidData(`expected a category of the data set, received ${String(categoryId)}`, "Choose another.");
  // Without its image nobody can have seen it: it may be skipped or rejected.
  if ("problem" in image && asked.status !== "skipped" && asked.status !== "rejected")
    throw invalidData(image.problem, "Put the image back, or skip the instance.");
  const size = "problem" in image ? sizeOf(outcome) : { imageWidth: image.width, imageHeight: image.height };
  const [ring] = rings;
  // A ring of an image that is gone is the automatic one, or what was decided while it was there.
  if (ring !== undefined && !("problem" in image)) checkRing(ring, size);
  const automatic = outcome.status === "done" ? outcome : undefined;
  const isSameRing = ring !== undefined && automatic !== undefined && isEqual(ring, automatic.ring);
  const isChanged = !isSameRing || !isEqual(box, context.box) || categoryId !== context.categoryId;
  const isKept = asked.status === "accepted" || asked.status === "edited";
  if (isKept && ring === undefined)
    throw invalidData("expected a polygon with an accepted instance, received none", "Draw one, reject or skip it.");
  const newScore = isKept && ring !== undefined && !isSameRing ? await scoreOf(ring) : undefined;
  return {
    ordinal,
    revision: asked.revision + 1,
    session,
    arm,
    status: isKept ? (isChanged ? "edited" : "accepted") : asked.status,
    rings,
    pins,
    box,
    categoryId,
    reason: reason ?? null,
    score: isSameRing ? automatic.score : (newScore ?? null),
    before: {
      score: automatic?.score ?? null,
      iou: isKept && ring !== undefined && automatic !== undefined ? iouOfRings(automatic.ring, ring) : null,
    },
    isChanged,
    counts,
    activeMs,
    openMs,
    networkMs,
    ...size,
    at: new Date().toISOString(),
  };
}
