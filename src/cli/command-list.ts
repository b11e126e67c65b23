/**
 * Every command: words, examples, option table, and where its work is. Imports no work itself, so that help starts at
 * once.
 */
import type { Command } from "./command.js";
import { defineCommand } from "./command.js";
import type { AnnotateFlags } from "./commands/annotate.js";
import { annotateTable } from "./commands/annotate.js";
import type { DoctorFlags } from "./commands/doctor.js";
import { doctorTable } from "./commands/doctor.js";
import type { EvaluateFlags } from "./commands/evaluate.js";
import { evaluateTable } from "./commands/evaluate.js";
import type { ExportFlags } from "./commands/export.js";
import { exportTable } from "./commands/export.js";
import type { MergeFlags } from "./commands/merge.js";
import { mergeTable } from "./commands/merge.js";
import type { ImportFlags, ShowFlags, VerifyFlags } from "./commands/models.js";
import { modelsImportTable, modelsShowTable, modelsTable, modelsVerifyTable } from "./commands/models.js";
import type { QueueFlags, WorkerFlags } from "./commands/queue.js";
import { queueTable, workerTable } from "./commands/queue.js";
import type { SimulateClicksFlags } from "./commands/simulate-clicks.js";
import { simulateClicksTable } from "./commands/simulate-clicks.js";
import { trainCommand } from "./commands/train.js";
import type { JsonOption } from "./shared-rows.js";

export const COMMANDS: readonly Command[] = [
  defineCommand<AnnotateFlags>({
    words: ["annotate"],
    summary: "predict a polygon for every box",
    examples: [
      { why: "one COCO file, results in polyrnn-out/", line: "polyrnn annotate ./images --boxes boxes.json" },
      { why: "go on after a stop", line: "polyrnn annotate ./images --boxes boxes.json --resume" },
      {
        why: "stream, one annotation per line",
        line: "polyrnn annotate ./images --boxes boxes.json --out - | jq .score",
      },
    ],
    table: annotateTable,
    load: async () => (await import("./commands/annotate.js")).annotateCommand,
  }),
  defineCommand<MergeFlags>({
    words: ["merge"],
    summary: "join the runs of shards into one",
    examples: [
      { why: "the parts that annotate --shard drew, in any order", line: "polyrnn merge part-* --out all" },
      {
        why: "on a machine where the boxes and images lie elsewhere",
        line: "polyrnn merge part-* --out all --boxes boxes.json --images ./images",
      },
    ],
    table: mergeTable,
    load: async () => (await import("./commands/merge.js")).mergeCommand,
  }),
  defineCommand<EvaluateFlags>({
    words: ["evaluate"],
    summary: "compare polygons with ground truth",
    examples: [
      {
        why: "a run against its ground truth; the report lies in polyrnn-out/polyrnn-eval/",
        line: "polyrnn evaluate polyrnn-out/annotations.json --truth gt.json",
      },
      {
        why: "beside GrabCut and somebody else's results",
        line: "polyrnn evaluate polyrnn-out/annotations.json --truth gt.json --compare box,grabcut,b=b.json",
      },
      {
        why: "in a CI job: fail below a mean IoU of 0.6",
        line: "polyrnn evaluate polyrnn-out/annotations.json --truth gt.json --fail-under 0.6 --json",
      },
    ],
    table: evaluateTable,
    load: async () => (await import("./commands/evaluate.js")).evaluateCommand,
  }),
  defineCommand<SimulateClicksFlags>({
    words: ["simulate-clicks"],
    summary: "count the corrections an annotator would make, and what they bring",
    examples: [
      {
        why: "on the last run in polyrnn-out/, or on the bundled sample",
        line: "polyrnn simulate-clicks --threshold 2",
      },
      {
        why: "on a data set, four annotators from strict to lenient",
        line: "polyrnn simulate-clicks ./images --truth gt.json --threshold 1,2,3,4 --out study",
      },
      {
        why: "in a CI job: fail above 10 clicks per instance",
        line: "polyrnn simulate-clicks ./images --truth gt.json --threshold 2 --fail-over-clicks 10 --json",
      },
    ],
    table: simulateClicksTable,
    load: async () => (await import("./commands/simulate-clicks.js")).simulateClicksCommand,
  }),
  trainCommand,
  defineCommand<ExportFlags>({
    words: ["export"],
    summary: "write a model as ONNX files",
    examples: [
      { why: "encoder, step, and one file that draws polygons on its own", line: "polyrnn export mobile --out ./onnx" },
      {
        why: "a model of your own, for example the folder of a training run",
        line: "polyrnn export runs/mine --format onnx --out ./onnx",
      },
    ],
    table: exportTable,
    load: async () => (await import("./commands/export.js")).exportCommand,
  }),
  defineCommand<WorkerFlags>({
    words: ["worker"],
    summary: "draw for a run that another machine hands out",
    examples: [
      {
        why: "take jobs until stopped; the images lie in ./images here too",
        line: "polyrnn worker --queue redis://host:6379 --images ./images",
      },
      { why: "with metrics for Prometheus", line: "polyrnn worker --queue redis://host:6379 --metrics-port 9400" },
    ],
    table: workerTable,
    load: async () => (await import("./commands/queue.js")).workerCommand,
  }),
  ...queueCommands(),
  defineCommand<DoctorFlags>({
    words: ["doctor"],
    summary: "show what this machine can compute on, and what would change that",
    examples: [
      { why: "what --device auto takes here, and why", line: "polyrnn doctor" },
      { why: "the same for a program", line: "polyrnn doctor --json | jq .devices" },
    ],
    table: doctorTable,
    load: async () => (await import("./commands/doctor.js")).doctorCommand,
  }),
  defineCommand<JsonOption>({
    words: ["models"],
    summary: "list the bundled models",
    examples: [
      { why: "which models there are", line: "polyrnn models" },
      { why: "what one was trained on, and its scores", line: "polyrnn models show mobile" },
      { why: "whether all files are whole", line: "polyrnn models verify" },
    ],
    table: modelsTable,
    load: async () => (await import("./commands/models.js")).listCommand,
  }),
  defineCommand<ShowFlags>({
    words: ["models", "show"],
    summary: "show the card of a model",
    examples: [
      { why: "training data, scores, license, hashes", line: "polyrnn models show mobile" },
      { why: "a model of your own", line: "polyrnn models show ./my-model" },
    ],
    table: modelsShowTable,
    load: async () => (await import("./commands/models.js")).showCommand,
  }),
  defineCommand<VerifyFlags>({
    words: ["models", "verify"],
    summary: "compare the files of a model with its card",
    examples: [
      { why: "all bundled models", line: "polyrnn models verify" },
      { why: "a model of your own", line: "polyrnn models verify ./my-model" },
    ],
    table: modelsVerifyTable,
    load: async () => (await import("./commands/models.js")).verifyCommand,
  }),
  defineCommand<ImportFlags>({
    words: ["models", "import"],
    summary: "make a model to train from ImageNet weights of VGG-16",
    examples: [
      {
        why: "weights of torchvision, saved as safetensors",
        line: "polyrnn models import vgg16 vgg16.safetensors --out ./my-model",
      },
      {
        why: "the same network with peephole terms",
        line: "polyrnn models import vgg16 vgg16.safetensors --out ./my-model --peepholes",
      },
    ],
    table: modelsImportTable,
    load: async () => (await import("./commands/models.js")).importCommand,
  }),
];

/** One table, one implementation, five actions. */
function queueCommands(): Command[] {
  const actions = [
    {
      action: "status",
      summary: "show jobs, workers and coordinators of a Redis server",
      why: "what waits, what is in work, what was set aside",
    },
    { action: "pause", summary: "let workers finish what they have and take nothing more", why: "hold all queues" },
    { action: "resume", summary: "let workers take jobs again", why: "end a pause" },
    {
      action: "drain",
      summary: "remove all jobs that are not in work",
      why: "clean up after runs nobody goes on with",
    },
    { action: "retry-failed", summary: "put jobs that were set aside up again", why: "after the cause is mended" },
  ] as const;
  return actions.map(({ action, summary, why }) =>
    defineCommand<QueueFlags>({
      words: ["queue", action],
      summary,
      examples: [
        { why, line: `polyrnn queue ${action} --queue redis://host:6379` },
        { why: "the same for a program", line: `polyrnn queue ${action} --queue redis://host:6379 --json` },
      ],
      table: queueTable,
      load: async () => (await import("./commands/queue.js")).queueCommand(action),
    }),
  );
}
