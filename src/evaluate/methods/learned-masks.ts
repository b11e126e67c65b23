/**
 * What methods that start from the network's maps share: one model, one decoded image and one look at every crop,
 * however many of them are compared. Crops are made and looked at a few at a time, so that an image with thousands of
 * boxes needs no more memory than one with a few.
 */
import type { Crop } from "../../crop/crop.js";
import type { DecodedImage } from "../../crop/open-image.js";
import { prepareImageLibrary } from "../../crop/open-image.js";
import { cutCrop } from "../../crop/read-crops.js";
import type { MapName, MaskEngine } from "../../engine/mask-engine.js";
import { openMaskEngine } from "../../engine/mask-engine.js";
import { HEADS_MODEL } from "../../model/folder.js";
import { loadMaskHeads, loadModel } from "../../model/model.js";
import { stackPixels } from "../../crop/crop.js";
import type { Instance } from "../../types.js";
import { probabilitiesOf } from "./mask-from-map.js";
import type { MaskResult, Method, SubjectImage } from "./method.js";
import { decodeSubject } from "./method.js";

/** Methods that start from the network's maps; some need heads of other systems too (models/baselines). */
export const LEARNED_NAMES = ["deepmask", "sharpmask", "dilation", "grabcut-mask", "crf"] as const;
export type LearnedName = (typeof LEARNED_NAMES)[number];
export const NEEDS_HEADS: readonly LearnedName[] = ["deepmask", "dilation"];

/** The model whose maps and features these methods start from. */
const MODEL = "mobile";
const CROPS_AT_ONCE = 8;

/** One instance as these methods see it. */
export interface SeenInstance {
  readonly crop: Crop;
  readonly image: DecodedImage;
  /** Probabilities of the crop, side * side, row-major. */
  readonly map: (name: MapName) => Float32Array;
}

/** @returns the mask of one instance */
export type MaskOf = (seen: SeenInstance) => MaskResult;

interface Member {
  readonly name: string;
  readonly words: string;
  /** Whether its own time is reported, without that of the network. */
  readonly isTimed?: boolean;
}

export class LearnedMasks {
  private readonly members: { readonly maskOf: MaskOf; milliseconds: number }[] = [];
  private last: { readonly image: SubjectImage; readonly results: Promise<readonly MaskResult[][]> } | undefined;

  private constructor(
    private readonly engine: MaskEngine,
    private readonly context: number,
  ) {}

  /**
   * @param context extra part of the box's long side that the network sees
   * @param names methods that will be added
   * @throws E_UNAVAILABLE where a model or an engine is missing, or a model is damaged
   */
  static async open(context: number, names: readonly LearnedName[]): Promise<LearnedMasks> {
    prepareImageLibrary();
    const model = await loadModel(MODEL);
    const needsHeads = names.some((name) => NEEDS_HEADS.includes(name));
    const heads = needsHeads ? await loadMaskHeads(HEADS_MODEL, model) : undefined;
    const engine = await openMaskEngine({ ...model, ...(heads !== undefined && { heads }) });
    return new LearnedMasks(engine, context);
  }

  /** To be called before the first image. */
  method({ name, words, isTimed = false }: Member, maskOf: MaskOf): Method {
    const member = { maskOf, milliseconds: 0 };
    const at = this.members.push(member) - 1;
    return {
      name,
      words: `${words}; features and maps of ${MODEL}`,
      comparedAs: "mask",
      masksOf: async (image) => (await this.resultsOf(image))[at]!,
      ...(isTimed && { seconds: () => member.milliseconds / 1000 }),
    };
  }

  async close(): Promise<void> {
    await this.engine.dispose();
  }

  /** By member, then by instance. Methods are asked for one image after the other. */
  private resultsOf(image: SubjectImage): Promise<readonly MaskResult[][]> {
    if (this.last?.image !== image) this.last = { image, results: this.compute(image) };
    return this.last.results;
  }

  private async compute(image: SubjectImage): Promise<readonly MaskResult[][]> {
    const results = this.members.map((): MaskResult[] => []);
    const decoded = await decodeSubject(image);
    if (!("pixels" in decoded)) return results.map(() => image.instances.map(() => decoded));
    for (let from = 0; from < image.instances.length; from += CROPS_AT_ONCE) {
      await this.computeSome(decoded, image.instances.slice(from, from + CROPS_AT_ONCE), results);
    }
    return results;
  }

  private async computeSome(
    image: DecodedImage,
    instances: readonly Instance[],
    results: readonly MaskResult[][],
  ): Promise<void> {
    const cuts = await Promise.all(instances.map((instance) => cutCrop(image, instance, this.context)));
    const crops = cuts.flatMap((cut) => (cut.kind === "crop" ? [cut.crop] : []));
    const maps =
      crops.length === 0 ? new Map<MapName, Float32Array>() : await this.engine.masks(stackPixels(crops), crops.length);
    let row = 0;
    for (const cut of cuts) {
      if (cut.kind === "failed") {
        for (const ofMember of results) {
          ofMember.push({ kind: "failed", reason: "box-outside", message: cut.failure.message });
        }
        continue;
      }
      const seen = seenInstance(image, cut.crop, maps, { row: row++, rows: crops.length });
      for (const [at, member] of this.members.entries()) {
        const start = performance.now();
        results[at]!.push(member.maskOf(seen));
        member.milliseconds += performance.now() - start;
      }
    }
  }
}

function seenInstance(
  image: DecodedImage,
  crop: Crop,
  maps: ReadonlyMap<MapName, Float32Array>,
  { row, rows }: { readonly row: number; readonly rows: number },
): SeenInstance {
  const known = new Map<MapName, Float32Array>();
  return {
    crop,
    image,
    map: (name) => {
      const before = known.get(name);
      if (before !== undefined) return before;
      const whole = maps.get(name);
      if (whole === undefined) throw new Error(`the network gives no map ${name}`);
      const cells = whole.length / rows;
      const map = probabilitiesOf(whole.subarray(row * cells, (row + 1) * cells));
      known.set(name, map);
      return map;
    },
  };
}
