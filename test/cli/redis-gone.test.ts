import { expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";

/** Nothing listens there. */
const GONE = ["--queue", "redis://127.0.0.1:9", "--queue-timeout", "1"];

test.concurrent.each([
  { words: ["queue", "status"], next: "Then run the command again." },
  { words: ["queue", "drain"], next: "Then run the command again." },
  { words: ["worker"], next: "Then start the worker again." },
])("$words without a Redis server says what to do next, and speaks of no journal", async ({ words, next }) => {
  const terminal = memoryTerminal();
  expect(await run([...words, ...GONE], terminal)).toBe(69);
  expect(terminal.stderr.text).toContain("expected an answer within 1 s but received none");
  expect(terminal.stderr.text).toContain(`Check that the Redis server runs and can be reached. ${next}\n`);
  expect(terminal.stderr.text).not.toMatch(/journal|--resume/);
});
