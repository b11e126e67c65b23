/** The closing words of `polyrnn train`. */
import type { RunEnded } from "../train/events.js";
import { durationWords } from "./progress.js";

/** @param folder as it was typed: for the commands to run next */
export function endedWords(
  { reason, step, best, seconds }: RunEnded,
  folder: string,
  hasPage: boolean,
): readonly string[] {
  const place = /[\s"'$`\\]/.test(folder) ? `'${folder.replaceAll("'", "'\\''")}'` : folder;
  const bestWords =
    best === undefined
      ? []
      : [`best validation IoU ${best.iou.toFixed(3)} at step ${best.step}; ${folder} is that model`];
  const page = hasPage ? [`curves and pictures: ${folder}/training.html`] : [];
  if (reason === "stopped")
    return [
      `stopped after step ${step} (${durationWords(seconds)} of training); the checkpoint of it is kept`,
      ...bestWords,
      ...page,
      `next: polyrnn train --resume ${place}`,
    ];
  return [
    `${step} steps done in ${durationWords(seconds)}`,
    ...(bestWords.length > 0 ? bestWords : [`${folder} is the model of the last step`]),
    ...page,
    `next: polyrnn annotate ./images --boxes boxes.json --model ${modelPath(place)}`,
  ];
}

/** A bare word could be the name of a model that comes with the program. */
function modelPath(place: string): string {
  return /[\\/]/.test(place) ? place : `./${place}`;
}
