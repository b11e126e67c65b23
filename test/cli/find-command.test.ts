import { expect, test } from "vitest";
import { COMMANDS, GROUPS } from "../../src/cli/command-list.js";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";

const ACTIONS = ["status", "pause", "resume", "drain", "retry-failed"];

async function runInMemory(words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(words, terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

test.each([
  ["queue", "--help"],
  ["queue", "-h"],
  ["queue", "--json", "--help"],
  ["queue", "help"],
  ["help", "queue"],
  ["help", "queue", "--help"],
])("polyrnn %s %s lists the commands below it and what each does", async (...words) => {
  const { code, stdout, stderr } = await runInMemory(words);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  for (const action of ACTIONS) {
    const { summary } = COMMANDS.find(({ path }) => path.join(" ") === `queue ${action}`)!;
    expect(stdout.replace(/\s+/g, " ")).toContain(`queue ${action} --queue ADDRESS [options] ${summary}`);
  }
});

test.each([
  { words: ["queue"], received: "nothing" },
  { words: ["queue", "--queue", "redis://host"], received: '"--queue"' },
  { words: ["queue", "--"], received: '"--"' },
])("polyrnn $words is wrong usage that names the commands below it", async ({ words, received }) => {
  expect(await runInMemory(words)).toEqual({
    code: 2,
    stdout: "",
    stderr:
      `polyrnn: queue: expected one of ${ACTIONS.join(", ")} after it but received ${received}\n` +
      'Run "polyrnn queue --help" to see what each of them does.\n',
  });
});

test.each([
  { words: ["queue", "stats"], known: "queue status, queue pause", suggestion: "polyrnn queue status" },
  { words: ["queue", "stats", "--help"], known: "queue status, queue pause", suggestion: "polyrnn queue status" },
  { words: ["help", "queue", "stats"], known: "queue status, queue pause", suggestion: "polyrnn queue status" },
  { words: ["queue", "retry"], known: "queue retry-failed", suggestion: "polyrnn queue retry-failed" },
  { words: ["queu", "status"], known: "annotate, review, merge", suggestion: "polyrnn queue" },
  {
    words: ["models", "verfy"],
    known: "models show, models verify, models import",
    suggestion: "polyrnn models verify",
  },
])("polyrnn $words suggests $suggestion", async ({ words, known, suggestion }) => {
  const { code, stderr } = await runInMemory(words);
  expect(code).toBe(2);
  expect(stderr).toContain(known);
  expect(stderr).toContain(`Did you mean "${suggestion}"?`);
});

test("no group has the name of a command, and each has commands below it", () => {
  const commands = COMMANDS.map(({ path }) => path.join(" "));
  for (const { path } of GROUPS) {
    const name = path.join(" ");
    expect(commands).not.toContain(name);
    expect(commands.some((other) => other.startsWith(`${name} `))).toBe(true);
  }
});

test("a folder may be called help where a command takes names", async () => {
  expect((await runInMemory(["annotate", "help"])).stderr).toContain("--boxes FILE|DIR|- is missing");
});
