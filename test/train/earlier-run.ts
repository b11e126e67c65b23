/** Turns the run.json of a run back into what the version before wrote. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

interface RunFile {
  readonly formatVersion: number;
  readonly options: Readonly<Record<string, unknown>>;
  readonly start: { readonly description: string; readonly sha256?: readonly string[] };
}

export function writeAsVersion2(folder: string): void {
  const file = join(folder, "run.json");
  const { options, start, ...run } = JSON.parse(readFileSync(file, "utf8")) as RunFile;
  const { learningRate, backboneLearningRate, ema, warmup, ...others } = options;
  const { description, ...sha256 } = start;
  const earlier = {
    ...run,
    formatVersion: 2,
    options: { ...others, trunkRate: backboneLearningRate, rate: learningRate, warmUp: warmup, average: ema },
    start: { words: description, ...sha256 },
  };
  writeFileSync(file, `${JSON.stringify(earlier, null, 2)}\n`);
}
