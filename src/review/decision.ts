/** One decision of a person: its form on disk, and the checks of what the page sends. Nothing is repaired silently. */
import { invalidData } from "../errors.js";
import type { Id, JsonObject, Ring } from "../types.js";
import type { Violation } from "../validate.js";
import { compileSchema, describeViolation, lazily } from "../validate.js";
import type { BoxXywh, DecidedStatus, DecisionRequest, RedrawRequest, RejectReason, Spent } from "./api.js";
import { CLICK_KINDS, REJECT_REASONS } from "./api.js";

export interface Decision extends Spent {
  readonly ordinal: number;
  readonly revision: number;
  readonly session: number;
  readonly arm: "assist" | "manual";
  readonly status: DecidedStatus;
  readonly rings: readonly Ring[];
  readonly pins: readonly (readonly number[])[];
  readonly box: BoxXywh;
  readonly categoryId: Id;
  readonly reason: RejectReason | null;
  /** Expected IoU of the ring as it is; null where the model has no mask. */
  readonly score: number | null;
  /** The automatic polygon: its score, and its IoU with the one decided on. */
  readonly before: { readonly score: number | null; readonly iou: number | null };
  /** Whether ring, box or category differ from the automatic ones. */
  readonly isChanged: boolean;
  /** Pixels of the image as displayed. */
  readonly imageWidth: number;
  readonly imageHeight: number;
  readonly at: string;
}

/** Of a ring that is sent: more than any step limit makes, few enough for a body of 64 KiB. */
export const MOST_VERTICES = 500;
/** Of a ring that was accepted as it was. */
const MOST_KEPT_VERTICES = 2 ** 20;
const REACH = 2 ** 31;
const DAY_MS = 86_400_000;

const whole = (maximum: number): object => ({ type: "integer", minimum: 0, maximum });
const coordinate = { type: "number", minimum: -REACH, maximum: REACH };
const pinList = { type: "array", maxItems: MOST_VERTICES, items: whole(MOST_VERTICES - 1) };
const ringSchema = (minItems: number, maxItems = MOST_VERTICES): object => ({
  type: "array",
  minItems,
  maxItems,
  items: {
    type: "object",
    required: ["x", "y"],
    additionalProperties: false,
    properties: { x: coordinate, y: coordinate },
  },
});
const boxSchema = {
  type: "array",
  minItems: 4,
  maxItems: 4,
  items: coordinate,
};
const id = { type: ["number", "string"], maxLength: 10_000 };
const nullable = (schema: { type: string; minimum: number; maximum: number }): object => ({
  ...schema,
  nullable: true,
});
const score = nullable({ type: "number", minimum: 0, maximum: 1 });
const milliseconds = { type: "number", minimum: 0, maximum: DAY_MS };
const countsSchema = {
  type: "object",
  required: CLICK_KINDS,
  additionalProperties: false,
  properties: Object.fromEntries(CLICK_KINDS.map((kind) => [kind, whole(1e6)])),
};

const asked = {
  revision: whole(2 ** 31),
  status: { enum: ["accepted", "edited", "rejected", "skipped", "draft"] },
  // One outline per object for now; the form on disk has room for several.
  rings: { type: "array", maxItems: 1, items: ringSchema(3) },
  pins: { type: "array", maxItems: 1, items: pinList },
  box: boxSchema,
  categoryId: id,
  reason: { enum: [...REJECT_REASONS, null] },
  counts: countsSchema,
  activeMs: milliseconds,
  openMs: milliseconds,
  networkMs: milliseconds,
};

const decisionProblem = lazily(() =>
  compileSchema({
    type: "object",
    required: ["revision", "status", "box", "categoryId", "counts", "activeMs", "openMs", "networkMs"],
    additionalProperties: false,
    properties: asked,
  }),
);

const redrawProblem = lazily(() =>
  compileSchema({
    type: "object",
    required: ["request", "revision", "ring", "pins", "moved", "give"],
    additionalProperties: false,
    properties: {
      request: whole(2 ** 31),
      window: { type: "string", maxLength: 40 },
      revision: whole(2 ** 31),
      ring: ringSchema(0),
      pins: pinList,
      moved: whole(MOST_VERTICES - 1),
      give: { enum: ["pin", "tail", "all"] },
      length: whole(MOST_VERTICES),
      box: boxSchema,
      candidate: whole(20),
    },
  }),
);

const undoProblem = lazily(() =>
  compileSchema({
    type: "object",
    required: ["revision"],
    additionalProperties: false,
    properties: { revision: whole(2 ** 31) },
  }),
);

/** Of an image that is opened, and within what can be filled. */
const MOST_PIXELS = 2 ** 28;
const LINE_FIELDS = [
  ...Object.keys(asked),
  "score",
  "ordinal",
  "session",
  "arm",
  "before",
  "isChanged",
  "imageWidth",
  "imageHeight",
  "at",
];

const lineProblem = lazily(() =>
  compileSchema({
    type: "object",
    required: LINE_FIELDS,
    properties: {
      ...asked,
      rings: { type: "array", maxItems: 1, items: ringSchema(3, MOST_KEPT_VERTICES) },
      at: { type: "string", maxLength: 100 },
      score,
      ordinal: whole(2 ** 40),
      session: whole(2 ** 31),
      arm: { enum: ["assist", "manual"] },
      before: {
        type: "object",
        required: ["score", "iou"],
        properties: { score, iou: score },
      },
      isChanged: { type: "boolean" },
      imageWidth: whole(MOST_PIXELS),
      imageHeight: whole(MOST_PIXELS),
    },
  }),
);

/**
 * A decision from a line of the journal; undefined for one that no version of this program wrote, whatever its checksum
 * says. Other fields are left behind.
 */
export function readDecision(value: JsonObject): Decision | undefined {
  const known: unknown = Object.fromEntries(LINE_FIELDS.map((name) => [name, value[name]]));
  if (lineProblem(known) !== undefined) return undefined;
  const decision = known as Decision;
  const { status, rings, pins, box, imageWidth, imageHeight } = decision;
  // What was rejected or skipped may be of an image that was gone, whose size nobody knew.
  const isOnImage =
    status === "rejected" ||
    status === "skipped" ||
    rings.every((ring) => ring.every(({ x, y }) => x >= 0 && y >= 0 && x <= imageWidth && y <= imageHeight));
  const arePins = pins.every((list, at) => list.every((pin) => pin < (rings[at]?.length ?? 0)));
  return isOnImage && arePins && isBox(box) ? decision : undefined;
}

/** @throws E_DATA naming the field that is wrong */
export function checkDecision(body: unknown): DecisionRequest {
  refuse(decisionProblem(body));
  const request = body as DecisionRequest;
  const { rings, pins = [], box } = request;
  checkBox(box);
  for (const [at, list] of pins.entries()) checkPins(list, rings?.[at]?.length ?? 0);
  return request;
}

/** @throws E_DATA naming the field that is wrong */
export function checkRedraw(body: unknown): RedrawRequest {
  refuse(redrawProblem(body));
  const request = body as RedrawRequest;
  const { ring, pins, moved, give, box } = request;
  if (box !== undefined) checkBox(box);
  if (give === "all") return request;
  if (ring.length === 0) throw wrong("expected a ring to go on from, received an empty one", 'Send "give": "all".');
  checkPins([...pins, moved], ring.length);
  return request;
}

/** @throws E_DATA naming the field that is wrong */
export function checkUndo(body: unknown): number {
  refuse(undoProblem(body));
  return (body as { revision: number }).revision;
}

const isBox = ([, , width, height]: BoxXywh): boolean => width >= 1 && height >= 1;

function checkBox(box: BoxXywh): void {
  const [, , width, height] = box;
  if (!isBox(box))
    throw wrong(`expected a box of at least 1 x 1 pixels, received ${width} x ${height}`, "Draw a larger box.");
}

function checkPins(pins: readonly number[], size: number): void {
  const beyond = pins.find((pin) => pin >= size);
  if (beyond !== undefined) throw wrong(`expected indexes of ${size} vertices, received ${beyond}`, "Reload the page.");
}

function refuse(violation: Violation | undefined): void {
  if (violation !== undefined) throw wrong(describeViolation(violation), "Reload the page; it may be an older one.");
}

function wrong(message: string, hint: string): Error {
  return invalidData(message, hint);
}
