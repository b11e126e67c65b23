/** What each part of the truth would gain over the predictions, by object size and by the truth's vertices. */
import type { Random } from "../random.js";
import type { OracleGroup, OracleReport, OracleShare } from "../report/types.js";
import { EMPTY, intervalOf, resampleGroup } from "./bootstrap.js";
import type { InstanceTable } from "./instance-table.js";
import { SIZE_NAMES, sizeOfArea } from "./instance-table.js";
import type { OracleChoice } from "./methods/open-methods.js";
import { ORACLE_WORDS } from "./methods/oracles.js";
import type { Resampling } from "./summarize-methods.js";
import { allRows, groupRows } from "./summarize-methods.js";

/** Vertices of the truth on the grid: first number of each group. */
const VERTEX_STEPS = [0, 9, 17, 33] as const;

const WORDS: Readonly<Record<OracleChoice, string>> = {
  ...ORACLE_WORDS,
  grid:
    "always the right cells: the truth itself through their centers, before vertices are placed; " +
    "the rest of the error is the grid's",
};

/**
 * @param oracles in the order of the report
 * @param columnOf method number of an oracle in the table
 */
export function oracleShares(
  table: InstanceTable,
  oracles: readonly OracleChoice[],
  columnOf: (oracle: OracleChoice) => number,
  { resamples, random }: Resampling,
): OracleReport {
  const shares = new Shares(table, oracles.map(columnOf), resamples);
  const sizes = Int32Array.from(table.area, (area) => SIZE_NAMES.indexOf(sizeOfArea(area)));
  const lengths = Int32Array.from(table.truthVertices, (count) => VERTEX_STEPS.findLastIndex((from) => count >= from));
  const group = (kind: OracleGroup["kind"], name: string, members: Uint32Array): OracleGroup => ({
    kind,
    name,
    count: members.length,
    ...shares.of(members, oracles, random.fork(`${kind}/${name}`)),
  });
  return {
    oracles: oracles.map((name) => ({ name, words: WORDS[name] })),
    groups: [
      group("all", "all", allRows(table.count)),
      ...groupRows(sizes, SIZE_NAMES.length).map((members, at) => group("size", SIZE_NAMES[at]!, members)),
      ...groupRows(lengths, VERTEX_STEPS.length).map((members, at) => group("vertices", lengthName(at), members)),
    ],
  };
}

function lengthName(at: number): string {
  const next = VERTEX_STEPS[at + 1];
  if (at === 0) return `up to ${VERTEX_STEPS[1] - 1}`;
  return next === undefined ? `${VERTEX_STEPS[at]!} and more` : `${VERTEX_STEPS[at]!} to ${next - 1}`;
}

/** IoU of the predictions, and of each oracle what it adds to that: resampled together, so that intervals are paired. */
class Shares {
  private readonly columns: number;
  private readonly values: Float64Array;

  constructor(
    table: InstanceTable,
    methods: readonly number[],
    private readonly resamples: number,
  ) {
    const { columns, values } = table.values;
    this.columns = 1 + methods.length;
    this.values = new Float64Array(table.count * this.columns);
    for (let row = 0; row < table.count; row++) {
      const now = values[row * columns]!;
      this.values[row * this.columns] = now;
      methods.forEach((method, at) => {
        this.values[row * this.columns + 1 + at] = values[row * columns + 2 * method]! - now;
      });
    }
  }

  of(members: Uint32Array, oracles: readonly OracleChoice[], random: Random): Pick<OracleGroup, "now" | "shares"> {
    if (members.length === 0) {
      return { now: EMPTY, shares: oracles.map((oracle) => ({ oracle, gain: EMPTY, ofError: null })) };
    }
    const { columns, values } = this;
    const means = resampleGroup({ columns, values }, members, this.resamples, random);
    const now = intervalOf(means, columns, 0);
    return {
      now,
      shares: oracles.map((oracle, at): OracleShare => {
        const gain = intervalOf(means, columns, 1 + at);
        const error = 1 - now.mean!;
        return { oracle, gain, ofError: error > 0 ? gain.mean! / error : null };
      }),
    };
  }
}
