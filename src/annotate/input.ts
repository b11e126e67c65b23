/** What a run works on: the data set, cut to its shard, without the boxes that an earlier run has done. */
import { readImageSize } from "../crop/open-image.js";
import type { Dataset } from "../dataset/dataset.js";
import { openDataset } from "../dataset/open-dataset.js";
import { selectCategories } from "../dataset/select-categories.js";
import { openEarlier, passOverDone } from "./only-new.js";
import type { AnnotateOptions } from "./options.js";
import type { Selection } from "./select.js";
import type { ShardSize } from "./shard.js";
import { cutShard } from "./shard.js";

export interface RunInput {
  /** Gives the images of the run's shard; all where there is none. */
  readonly dataset: Dataset;
  readonly selection: Selection;
  /** Undefined where the run covers the whole input. */
  readonly shardSize: ShardSize | undefined;
  /** sha256 of the earlier annotations; undefined without --only-new. */
  readonly earlierHash: string | undefined;
  close(): Promise<void>;
}

type InputOptions = Pick<
  AnnotateOptions,
  "boxes" | "boxesAre" | "dataset" | "categories" | "existing" | "shard" | "onlyNew"
> & {
  readonly images?: string;
  /** Aborted: opening throws its reason. */
  readonly signal?: AbortSignal;
};

/** @throws PolyrnnError when an input is missing or damaged as a whole */
export async function openInput(options: InputOptions): Promise<RunInput> {
  const { categories, existing, shard, onlyNew } = options;
  const input = await openDataset({ ...options, imageSize: readImageSize });
  try {
    const selection: Selection = { categoryIds: selectCategories(input.categories, categories), existing };
    const cut = shard === undefined ? undefined : await cutShard(input, shard);
    const own = cut ?? input;
    const earlier = onlyNew === undefined ? undefined : await openEarlier(onlyNew, (name) => input.imageKey(name));
    return {
      dataset: earlier === undefined ? own : passOverDone(own, earlier, selection),
      selection,
      shardSize: cut?.shardSize,
      earlierHash: earlier?.sha256,
      async close() {
        await earlier?.close();
        await input.close();
      },
    };
  } catch (error) {
    await input.close();
    throw error;
  }
}
