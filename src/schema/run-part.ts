/** What `merge` relies on in a part's run folder: run.json and line 1 of its journal. Unknown fields pass. */
import { lazily } from "./lazily.js";
import { compileSchema } from "./validate.js";

const text = { type: "string", minLength: 1, maxLength: 4096 };
const sha256 = { type: "string", pattern: "^[0-9a-f]{64}$" };
const ratio = { type: "number", minimum: 0, maximum: 1 };

/** run.json of a part, as annotate/run-files.ts writes it. */
export const checkRunFile = lazily(() =>
  compileSchema({
    type: "object",
    required: ["version", "type", "program", "startedAt", "inputs", "model", "engine", "options"],
    properties: {
      version: { const: 1 },
      type: { const: "run" },
      program: text,
      startedAt: text,
      inputs: {
        type: "object",
        required: ["images", "boxes"],
        properties: { images: text, boxes: text, dataset: text },
      },
      model: { type: "object", required: ["name"], properties: { name: text } },
      engine: {
        type: "object",
        required: ["name", "device", "version"],
        properties: {
          name: { enum: ["onnxruntime", "tfjs", "queue", "several"] },
          device: { enum: ["cpu", "webgpu", "cuda", "queue", "several"] },
          version: text,
        },
      },
      options: {
        type: "object",
        required: ["formats", "overlays", "batchSize"],
        properties: {
          formats: {
            type: "array",
            maxItems: 20,
            items: { enum: ["coco", "cityscapes", "labelme", "yolo-seg", "label-studio"] },
          },
          overlays: { enum: ["auto", "all", "none"] },
          batchSize: { type: "integer", minimum: 1 },
          onlyNew: text,
        },
      },
    },
  }),
);

/** Line 1 of a part's journal, as annotate/run-identity.ts makes it. */
export const checkRunHeader = lazily(() =>
  compileSchema({
    type: "object",
    required: [
      "type",
      "version",
      "input",
      "model",
      "context",
      "maxSteps",
      "candidates",
      "minScore",
      "simplify",
      "categories",
      "existing",
      "limit",
      "shard",
      "onlyNew",
    ],
    properties: {
      type: { const: "run" },
      version: { const: 1 },
      input: sha256,
      model: sha256,
      context: ratio,
      maxSteps: { type: "integer", minimum: 1 },
      candidates: { type: "integer", minimum: 1 },
      minScore: ratio,
      simplify: { type: "number", minimum: 0 },
      categories: { type: "array", items: { type: "string" } },
      existing: { enum: ["predict", "keep"] },
      limit: { type: ["integer", "null"] },
      shard: { type: ["string", "null"] },
      onlyNew: { ...sha256, type: ["string", "null"] },
    },
  }),
);
