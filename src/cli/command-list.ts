/** Every command, in the order of the main help. None imports its work before it runs, so that help starts at once. */
import type { Command, CommandGroup } from "./command.js";
import { annotateCommand } from "./commands/annotate.js";
import { makeCompletionCommand } from "./commands/completion.js";
import { doctorCommand } from "./commands/doctor.js";
import { evaluateCommand } from "./commands/evaluate.js";
import { exportCommand } from "./commands/export.js";
import { makeInitCommand } from "./commands/init.js";
import { mergeCommand } from "./commands/merge.js";
import { modelsCommands } from "./commands/models.js";
import { queueCommands, queueGroup } from "./commands/queue.js";
import { reviewCommand } from "./commands/review.js";
import { simulateClicksCommand } from "./commands/simulate-clicks.js";
import { trainCommand } from "./commands/train.js";
import { workerCommand } from "./commands/worker.js";

export const COMMANDS: readonly Command[] = [
  annotateCommand,
  reviewCommand,
  mergeCommand,
  evaluateCommand,
  simulateClicksCommand,
  trainCommand,
  exportCommand,
  workerCommand,
  ...queueCommands,
  doctorCommand,
  ...modelsCommands,
  makeInitCommand(() => COMMANDS),
  makeCompletionCommand(() => COMMANDS),
];

/** Words that are no command themselves, but begin some. */
export const GROUPS: readonly CommandGroup[] = [queueGroup];
