/**
 * Starts the files first that take longest, so that no core waits for one of them at the end. A clean checkout has no
 * times of an earlier run to go by.
 */
import type { TestSpecification } from "vitest/node";
import { BaseSequencer } from "vitest/node";

/** By where they are: these start many processes, wait for servers, or train. */
const LONG = [
  "test/process/install.test.ts",
  "test/train/overfit.test.ts",
  "test/faults/",
  "test/process/",
  "test/engine/",
  "test/train/",
  "test/review/",
];

export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((part) => moduleId.includes(`/${part}`));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).toSorted((a, b) => rank(a) - rank(b));
  }
}
