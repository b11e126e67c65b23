/** A long curve as a short one: a chart of 300 points says what one of 30,000 does, and a page with it opens at once. */

/** [step, value] */
export type CurvePoint = readonly [number, number];

/**
 * @param most points that are kept, 1 or more
 * @returns the points as they are when they are few; else means over runs of neighbors of equal length (the last may be shorter)
 */
export function thinOut(points: readonly CurvePoint[], most: number): readonly CurvePoint[] {
  if (points.length <= most) return points;
  const length = Math.ceil(points.length / most);
  return Array.from({ length: Math.ceil(points.length / length) }, (_, at) => {
    const run = points.slice(at * length, (at + 1) * length);
    return [meanOf(run.map(([step]) => step)), meanOf(run.map(([, value]) => value))] as const;
  });
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
