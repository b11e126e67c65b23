/**
 * What an instance costs with the trained model, by boxes per image: the same crops in every row, each run a process of
 * its own.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { interleaved } from "./harness.mjs";
import { IMAGES, PHOTOGRAPHS, writeBoxes } from "./inputs.mjs";
import { annotateOnce, toResult } from "./memory.mjs";

const MODEL = "mobile";

export async function* measure({ quick }) {
  const instances = quick ? 100 : 500;
  const boxesPerImage = quick ? [1, 50] : [1, 6, 50, 500];
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  const measureScene = async (name, what, images, from) => {
    const runs = await interleaved(
      quick ? 1 : 3,
      Object.fromEntries(
        boxesPerImage.map((count) => {
          const boxes = join(folder, `${name}-${count}.json`);
          writeBoxes(boxes, instances, count, { isOneScene: true, ...(from && { from }) });
          return [count, () => annotateOnce({ boxes, out: join(folder, `${count}-out`), model: MODEL, images })];
        }),
      ),
      { warmUp: false },
    );
    return toResult(name, `Cost by boxes per image, ${instances} instances, ${what}`, "Boxes per image", runs, {
      note: `The ${MODEL} model on one scene; a process per run.`,
      isCostMeant: true,
    });
  };
  try {
    yield await measureScene("cost-boxes", "a drawn scene", IMAGES);
    if (existsSync(PHOTOGRAPHS.boxes) && existsSync(PHOTOGRAPHS.images))
      yield await measureScene(
        "cost-boxes-photograph",
        "a photograph of ../shared/data/val.json",
        PHOTOGRAPHS.images,
        PHOTOGRAPHS.boxes,
      );
  } finally {
    rmSync(folder, { recursive: true });
  }
}
