/** Which instances come next: first the source by its weight, then any of its instances, then others of the same image. */
import { receivedOf, usageError } from "../errors.js";
import type { Random } from "../random.js";
import type { TruthSet } from "./truth-instance.js";

/** Draws positions of instances, 0..instances - 1, all on one image. */
export type DrawInstances = (random: Random) => readonly number[];

type DrawInstance = (random: Random) => number;

/**
 * @param weights by source, relative to each other; absent: every instance is as likely as any other
 * @param perImage instances drawn together from one image, at most as many as it has; a whole number of 1 or more
 * @throws E_USAGE when a weight is no number of 0 or more, a source has none or does not exist, or no source is left to draw from
 */
export function sourceSampler(
  truth: Pick<TruthSet, "instances" | "sources">,
  weights: ReadonlyMap<string, number> | undefined,
  perImage: number,
): DrawInstances {
  const first = firstSampler(truth, weights);
  if (perImage === 1) return (random) => [first(random)];
  const byImage = new Map<number, number[]>();
  truth.instances.forEach(({ image }, i) => {
    const known = byImage.get(image);
    if (known === undefined) byImage.set(image, [i]);
    else known.push(i);
  });
  return (random) => {
    const drawn = first(random);
    const others = byImage.get(truth.instances[drawn]!.image)!.filter((i) => i !== drawn);
    return [drawn, ...random.shuffle(others).slice(0, perImage - 1)];
  };
}

function firstSampler(
  { instances, sources }: Pick<TruthSet, "instances" | "sources">,
  weights: ReadonlyMap<string, number> | undefined,
): DrawInstance {
  if (weights === undefined) return (random) => random.integer(instances.length);
  checkNames(sources, weights);
  const groups = sources
    .map((name, source) => {
      const members = Uint32Array.from([...instances.keys()].filter((i) => instances[i]!.source === source));
      return { members, weight: weights.get(name)! };
    })
    .filter(({ members, weight }) => members.length > 0 && weight > 0);
  const total = groups.reduce((sum, { weight }) => sum + weight, 0);
  const last = groups.at(-1);
  if (last === undefined) {
    throw usageError(
      "source weights: expected at least one above 0 for a source with instances, received none",
      "Give a source with instances a weight.",
    );
  }
  return (random) => {
    let rest = random.next() * total;
    const { members } = groups.find(({ weight }) => (rest -= weight) < 0) ?? last;
    return members[random.integer(members.length)]!;
  };
}

function checkNames(sources: readonly string[], weights: ReadonlyMap<string, number>): void {
  const shown = sources.map(receivedOf).join(", ");
  for (const [name, weight] of weights) {
    if (!sources.includes(name))
      throw usageError(
        `source weights: expected names of sources (${shown}), received ${receivedOf(name)}`,
        "Correct the name, or leave it out.",
      );
    if (!(Number.isFinite(weight) && weight >= 0))
      throw usageError(
        `source weights: expected a number of 0 or more for ${receivedOf(name)}, received ${weight}`,
        "Weights are relative to each other: 2 is drawn twice as often as 1.",
      );
  }
  const without = sources.filter((name) => !weights.has(name));
  if (without.length > 0)
    throw usageError(
      `source weights: expected one for every source, received none for ${without.map(receivedOf).join(", ")}`,
      "Name it too; with weight 0 it is not drawn from.",
    );
}
