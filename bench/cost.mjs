/** What an instance costs with the trained model, by boxes per image: the same crops in every row, each run a process of its own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleaved } from "./harness.mjs";
import { writeBoxes } from "./inputs.mjs";
import { annotateOnce, toResult } from "./memory.mjs";

const MODEL = "mobile";

export async function* measure({ quick }) {
  const instances = quick ? 100 : 500;
  const boxesPerImage = quick ? [1, 50] : [1, 6, 50, 500];
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const runs = await interleaved(quick ? 1 : 3, Object.fromEntries(boxesPerImage.map((count) => {
      const boxes = join(folder, `${count}.json`);
      writeBoxes(boxes, instances, count, { isOneScene: true });
      return [count, () => annotateOnce({ boxes, out: join(folder, `${count}-out`), model: MODEL })];
    })), { warmUp: false });
    yield toResult("cost-boxes", `Cost by boxes per image, ${instances} instances`, "Boxes per image", runs, { note: `The ${MODEL} model on one scene; a process per run.`, isCostMeant: true });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
