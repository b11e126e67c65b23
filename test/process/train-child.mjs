/**
 * Training runs in a process of its own, for tests that kill it: node train-child.mjs OPTIONS... (JSON, one run after the
 * other), or node train-child.mjs --resume FOLDER.
 */
import { basename } from "node:path";
import { argv, stderr } from "node:process";
import { resumeTraining, train } from "../../dist/train/train.js";

const eventsOf = (out) => ({
  step: ({ step }) => {
    stderr.write(`${basename(out)}: step ${step} done\n`);
  },
  checkpoint: ({ step }) => {
    stderr.write(`${basename(out)}: checkpoint ${step} written\n`);
  },
});
const words = argv.slice(2);
if (words[0] === "--resume") await resumeTraining(words[1], eventsOf(words[1]));
else for (const options of words.map((word) => JSON.parse(word))) await train(options, eventsOf(options.out));
