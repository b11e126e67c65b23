import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    // Generous: machines with two busy cores run these as well.
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // Native libraries (sharp, onnxruntime, TensorFlow) keep global state that worker threads would share.
    pool: "forks",
    // Two more than the machine has cores: many of these tests wait, for processes, servers and time limits.
    maxWorkers: availableParallelism() + 2,
    reporters: ["default", "./test/helpers/slowest-reporter.ts"],
    coverage: { provider: "v8", include: ["src/**"], reporter: ["text-summary", "text"] },
    projects: [
      {
        extends: true,
        test: { name: "parts", include: ["test/**/*.test.ts"], exclude: ["test/process/**", "test/faults/**"] },
      },
      // These start the built command; only they need a build. They wait for real processes with time limits: a machine
      // that stood still for a while may try once more. A run that loses something on both tries has failed.
      {
        extends: true,
        test: {
          name: "process",
          retry: 1,
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
          retry: process.env["FAULTS"] === "full" ? 0 : 1,
          include: ["test/faults/**/*.test.ts"],
          globalSetup: "test/faults/global-setup.ts",
        },
      },
    ],
  },
});
