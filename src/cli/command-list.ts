/** Every command, in the order of the main help. None imports its work before it runs, so that help starts at once. */
import type { Command } from "./command.js";
import { defineCommand } from "./command.js";
import { annotateCommand } from "./commands/annotate.js";
import { doctorCommand } from "./commands/doctor.js";
import { evaluateCommand } from "./commands/evaluate.js";
import { exportCommand } from "./commands/export.js";
import { mergeCommand } from "./commands/merge.js";
import { modelsCommands } from "./commands/models.js";
import { queueCommands } from "./commands/queue.js";
import { simulateClicksCommand } from "./commands/simulate-clicks.js";
import type { TrainFlags } from "./commands/train.js";
import { trainTable } from "./commands/train.js";
import { workerCommand } from "./commands/worker.js";

const trainCommand = defineCommand<TrainFlags>({
  path: ["train"],
  summary: "train a model on outlines of your own",
  examples: [
    {
      why: "from the model that comes with the program; runs/mine is a model from the first validation on",
      line: "polyrnn train --data train.json --images ./images --val val.json --out runs/mine",
    },
    { why: "go on after a stop", line: "polyrnn train --resume runs/mine" },
    {
      why: "two sources, drawn from unequally, for a fixed number of steps",
      line: "polyrnn train --data t.json --images ./images --val v.json --source-weight a=3,b=1 --steps 9000",
    },
  ],
  table: trainTable,
  run: async (options, terminal) => (await import("./commands/train.js")).trainCommand(options, terminal),
});

export const COMMANDS: readonly Command[] = [
  annotateCommand,
  mergeCommand,
  evaluateCommand,
  simulateClicksCommand,
  trainCommand,
  exportCommand,
  workerCommand,
  ...queueCommands,
  doctorCommand,
  ...modelsCommands,
];
