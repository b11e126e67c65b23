/**
 * The network in a review: encodings of the last instances are kept, and one thing is computed at a time. What a person
 * waits for goes before what is made ahead, and a newer request on an instance cancels those before it that still wait
 * or work. Photographs are decoded and cut before the network's turn: nobody waits for that of another instance.
 */
import { cutCrop } from "../crop/read-crops.js";
import type { Crop, CropFrame } from "../crop/crop.js";
import type { DecodedImage } from "../crop/open-image.js";
import type { EncodedBatch, Engine } from "../engine/engine.js";
import { EXIT, invalidData, PolyrnnError, reasonOf } from "../errors.js";
import type { Redrawn, RedrawTask } from "../predict/redraw.js";
import { redrawRing, scoreOfRing } from "../predict/redraw.js";
import { Turns } from "../turns.js";
import type { Instance, Ring } from "../types.js";
import type { ReviewedRun } from "./run.js";
import { loadModelOf } from "./run.js";

/** Encodings in memory: some MB each in the widest decoder. */
export const MOST_ENCODINGS = 32;
/** Windows on instances whose last request is remembered. */
const MOST_ASKERS = 256;

/** A newer request came, or who asked has gone. */
export class Superseded extends Error {
  override readonly name = "Superseded";
}

interface Encoding {
  readonly encoded: EncodedBatch;
  readonly frame: CropFrame;
}

/** What is encoded: an instance with its box, and how its photograph is had. */
export interface Subject {
  readonly instance: Instance;
  /** Another one when the photograph is. */
  readonly stamp: string;
  readonly image: () => Promise<DecodedImage>;
}

export interface RedrawResult extends Redrawn {
  readonly score: number | undefined;
  readonly scoreBefore: number | undefined;
}

export class Network {
  /** The last used at the end. */
  private readonly encodings = new Map<string, Encoding>();
  private readonly newest = new Map<string, { readonly request: number; readonly work: AbortController }>();
  private readonly work = new Turns();
  private engine: Promise<Engine> | undefined;
  private failure: string | undefined;

  /** @param open called once, when the network is needed for the first time */
  constructor(
    private readonly open: () => Promise<Engine>,
    private readonly context: number,
  ) {}

  /**
   * @param task its signal says that who asked has gone
   * @throws Superseded when a request with a higher number came meanwhile, and E_DATA for a box outside of its image
   */
  async redraw(
    subject: Subject,
    { request, window = "" }: { readonly request: number; readonly window?: string },
    task: RedrawTask,
  ): Promise<RedrawResult> {
    const { signal: isCancelled } = this.replace(`${subject.instance.ordinal} ${window}`, request);
    const signal = task.signal === undefined ? isCancelled : AbortSignal.any([isCancelled, task.signal]);
    const crop = await this.cropOf(subject);
    return this.work.takeFirst(async () => {
      signal.throwIfAborted();
      const { encoded, frame } = await this.encodingOf(subject, crop);
      const redrawn = await redrawRing(encoded, frame, { ...task, signal });
      signal.throwIfAborted();
      return {
        ...redrawn,
        score: scoreOfRing(encoded, frame, redrawn.ring),
        scoreBefore: scoreOfRing(encoded, frame, task.ring),
      };
    });
  }

  /** The newer request of one window takes the place of the older, which ends. */
  private replace(asker: string, request: number): AbortController {
    const before = this.newest.get(asker);
    if (before !== undefined && request < before.request) throw new Superseded();
    before?.work.abort(new Superseded());
    const work = new AbortController();
    this.newest.delete(asker);
    this.newest.set(asker, { request, work });
    const [oldest] = this.newest.keys();
    if (this.newest.size > MOST_ASKERS && oldest !== undefined) this.newest.delete(oldest);
    return work;
  }

  /** Why no engine works; known once one was needed. */
  get problem(): string | undefined {
    return this.failure;
  }

  /** Expected IoU of a ring; undefined where the network has no mask, or where no engine works. */
  async scoreOf(subject: Subject, ring: Ring): Promise<number | undefined> {
    const crop = await this.cropOf(subject);
    try {
      return await this.work.takeFirst(async () => {
        const { encoded, frame } = await this.encodingOf(subject, crop);
        return scoreOfRing(encoded, frame, ring);
      });
    } catch (error) {
      if (this.failure !== undefined) return undefined;
      throw error;
    }
  }

  /** Encodes what will be asked for soon, when nothing else is to be done. */
  async prepare(subject: Subject): Promise<void> {
    const crop = await this.cropOf(subject);
    await this.work.take(() => this.encodingOf(subject, crop));
  }

  async close(): Promise<void> {
    await this.work.take(async () => {
      for (const { encoded } of this.encodings.values()) encoded.dispose();
      this.encodings.clear();
      await (await this.engine?.catch(() => undefined))?.dispose();
    });
  }

  /** @returns undefined where the encoding is there already */
  private async cropOf(subject: Subject): Promise<Crop | undefined> {
    if (this.encodings.has(keyOf(subject))) return undefined;
    const cut = await cutCrop(await subject.image(), subject.instance, this.context);
    if (cut.kind === "failed") throw invalidData(cut.failure.message, "Draw the box on the image.");
    return cut.crop;
  }

  /** @param crop absent where the encoding was there before the turn came */
  private async encodingOf(subject: Subject, crop: Crop | undefined): Promise<Encoding> {
    const key = keyOf(subject);
    const known = this.encodings.get(key);
    if (known !== undefined) {
      this.encodings.delete(key);
      this.encodings.set(key, known);
      return known;
    }
    // It may have been dropped while this waited.
    const { pixels, window, bounds } = crop ?? (await this.cropOf(subject))!;
    const encoding = { encoded: await (await this.engineOf()).encode(pixels, 1), frame: { window, bounds } };
    this.encodings.set(key, encoding);
    for (const [oldest, { encoded }] of this.encodings) {
      if (this.encodings.size <= MOST_ENCODINGS) break;
      this.encodings.delete(oldest);
      encoded.dispose();
    }
    return encoding;
  }

  private engineOf(): Promise<Engine> {
    return (this.engine ??= this.open().catch((error: unknown) => {
      this.failure = reasonOf(error);
      throw error;
    }));
  }
}

function keyOf({ instance, stamp }: Subject): string {
  return JSON.stringify([instance.ordinal, instance.box, stamp]);
}

/**
 * The network of a run, or why it cannot help. Its engine is opened when it is needed: the first picture need not wait
 * for it.
 * @param note told once where no engine works
 */
export async function openNetworkOf(
  run: ReviewedRun,
  { arm, threads }: { readonly arm: string; readonly threads?: number },
  note: (line: string) => void,
): Promise<Network | { readonly reason: string }> {
  if (arm === "manual") return { reason: "--arm manual: everything is drawn by hand" };
  const model = await loadModelOf(run);
  if ("reason" in model) return model;
  const open = async (): Promise<Engine> => {
    const { openEngine } = await import("../engine/devices.js");
    try {
      return (await openEngine(model, { device: "cpu", ...(threads !== undefined && { threads }) })).engine;
    } catch (error) {
      note(`${reasonOf(error)}; review goes on without the network`);
      throw error;
    }
  };
  return new Network(open, run.identity.context);
}

/** @throws E_NO_MODEL where an instance is drawn without the network */
export function networkFor(network: Network | { readonly reason: string }, arm: "assist" | "manual"): Network {
  if (!(network instanceof Network))
    throw new PolyrnnError(network.reason, "E_NO_MODEL", EXIT.unavailable, "Correct the polygon by hand.");
  if (arm === "assist") return network;
  throw new PolyrnnError(
    "expected an instance to be drawn by hand, received a request to the network",
    "E_NO_MODEL",
    EXIT.usage,
    "Draw it by hand: it is timed for comparison.",
  );
}
