/** Prints the ten slowest tests after a run: who makes the tests slower sees it at once. */
import type { Reporter, TestCase, TestModule } from "vitest/node";

const SHOWN = 10;

export default class SlowestReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    if (tests.length <= SHOWN) return;
    const seconds = (test: TestCase): number => (test.diagnostic()?.duration ?? 0) / 1000;
    const slowest = tests.toSorted((a, b) => seconds(b) - seconds(a)).slice(0, SHOWN);
    console.log("\nSlowest tests:");
    for (const test of slowest)
      console.log(`${seconds(test).toFixed(1).padStart(7)} s  ${test.module.relativeModuleId}: ${test.fullName}`);
  }
}
