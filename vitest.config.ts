import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";
import LongestFirst from "./test/helpers/longest-first.js";

/** What a library takes from the environment once, or keeps for the whole process, is looked at in a process of its own. */
const OWN_PROCESS = [
  "test/engine/{cores,devices,parity-native,webgpu*}.test.ts",
  "test/engine/tfjs/{load,refined-loss,trainer}.test.ts",
  "test/train/{overfit,train}.test.ts",
  "test/write/no-fonts.test.ts",
];

/** TensorFlow.js in JavaScript and WebAssembly: the native one would overwrite its kernels. */
const TENSORFLOW = [
  "test/engine/{cells-reference,mask-heads,parity}.test.ts",
  "test/engine/tfjs/{engine,layout,ops}.test.ts",
  "test/predict/several-steps.test.ts",
];

export default defineConfig({
  test: {
    // Generous: machines with two busy cores run these as well.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Native libraries (sharp, onnxruntime, TensorFlow) keep global state that worker threads would share.
    pool: "forks",
    // Two more than the machine has cores: many of these tests wait, for processes, servers and time limits.
    maxWorkers: availableParallelism() + 2,
    // TensorFlow's threads wait for one another actively, on cores that the other tests need.
    env: { TF_NUM_INTRAOP_THREADS: "1", TF_NUM_INTEROP_THREADS: "1" },
    globalSetup: ["./test/helpers/temporary-home.ts"],
    sequence: { sequencer: LongestFirst },
    reporters: ["default", "./test/helpers/slowest-reporter.ts"],
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "text"] },
    projects: [
      // Functions called in process. Files that follow one another in a process share the modules they import: loading
      // them anew for every file took a third of the processor time.
      {
        extends: true,
        test: {
          name: "parts",
          isolate: false,
          include: ["test/**/*.test.ts"],
          exclude: ["test/process/**", "test/faults/**", ...OWN_PROCESS, ...TENSORFLOW],
        },
      },
      { extends: true, test: { name: "tensorflow", isolate: false, include: TENSORFLOW } },
      { extends: true, test: { name: "alone", include: OWN_PROCESS } },
      // These start the built command; only they need a build. They wait for real processes with time limits: a machine
      // that stood still for a while may try once more. A run that loses something on both tries has failed.
      {
        extends: true,
        test: {
          name: "process",
          retry: 1,
          // They share the process that runs commands one after the other (test/helpers/command.ts).
          isolate: false,
          include: ["test/process/**/*.test.ts"],
          globalSetup: "test/global-setup.ts",
        },
      },
      // Real faults, counted: a short form here, all of them with `npm run faults`, where a loss is a loss and nothing
      // is tried again.
      {
        extends: true,
        test: {
          name: "faults",
          isolate: false,
          retry: process.env["FAULTS"] === "full" ? 0 : 1,
          include: ["test/faults/**/*.test.ts"],
          globalSetup: "test/faults/global-setup.ts",
        },
      },
    ],
  },
});
