/** How long help takes to appear, beside node's own start. */
import { spawnSync } from "node:child_process";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { COMMAND, interleaved, limitRow, median, ratio, ratioRow, seconds } from "./harness.mjs";

export async function measure({ quick }) {
  const commands = {
    "node -e 0": ["-e", "0"],
    "polyrnn --help": [COMMAND, "--help"],
    "polyrnn annotate --help": [COMMAND, "annotate", "--help"],
  };
  const took = await interleaved(
    quick ? 5 : 25,
    Object.fromEntries(Object.entries(commands).map(([name, words]) => [name, () => start(words)])),
  );
  const bare = took["node -e 0"];
  return [
    {
      name: "help",
      title: "Help",
      columns: ["Command", "Median, s", "Fastest, s", "Beyond node's own start, s"],
      rows: Object.entries(took).map(([name, values]) => [
        name,
        seconds(median(values)),
        seconds(Math.min(...values)),
        seconds(median(values.map((value, round) => value - bare[round]))),
      ]),
      ratios: Object.entries(took)
        .slice(1)
        .map(([name, values]) => ratioRow(`${name} / node -e 0`, ratio(values, bare))),
      limits: Object.entries(took)
        .slice(1)
        .map(([name, values]) => limitRow(name, 1000 * median(values), "ms", { below: 200 })),
      notes: ["No package is loaded: test/process/startup.test.ts holds that."],
    },
  ];
}

function start(words) {
  const began = performance.now();
  const { status } = spawnSync(process.execPath, words);
  if (status !== 0) throw new Error(`${words.join(" ")}: expected exit code 0, received ${status}`);
  return (performance.now() - began) / 1000;
}
