/**
 * A training run in a process of its own, for tests that kill it: node train-child.mjs OPTIONS (JSON), or node
 * train-child.mjs --resume FOLDER.
 */
import { argv, stderr } from "node:process";
import { resumeTraining, train } from "../../dist/train/train.js";

const events = {
  step: ({ step }) => {
    stderr.write(`step ${step} done\n`);
  },
  checkpoint: ({ step }) => {
    stderr.write(`checkpoint ${step} written\n`);
  },
};
if (argv[2] === "--resume") await resumeTraining(argv[3], events);
else await train(JSON.parse(argv[2]), events);
