/** Writes training.html into the run folder. */
import { join } from "node:path";
import { writeAtomic } from "../../write/atomic-file.js";
import type { TrainingHistory } from "../events.js";
import { renderTrainingHtml, type TrainingPageFacts } from "./render-training.js";

export const TRAINING_PAGE = "training.html";

/** @throws E_WRITE; the page that was there is whole then */
export async function writeTrainingPage(
  folder: string,
  history: TrainingHistory,
  facts: TrainingPageFacts,
): Promise<void> {
  await writeAtomic(join(folder, TRAINING_PAGE), await renderTrainingHtml(history, facts));
}
