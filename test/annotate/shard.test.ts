import { expect, test } from "vitest";
import { parseShard } from "../../src/annotate/shard.js";
import { shardName } from "../../src/runs/identity.js";
import { PolyrnnError } from "../../src/errors.js";

function refusal(text: string, env: Record<string, string> = {}): PolyrnnError {
  try {
    parseShard(text, env);
  } catch (error) {
    if (error instanceof PolyrnnError) return error;
    throw error;
  }
  throw new Error(`${text} was taken`);
}

test.each([
  { text: "1/1", env: {}, expected: { index: 1, count: 1 }, why: "the only one" },
  { text: "16/16", env: {}, expected: { index: 16, count: 16 }, why: "the last one: shards count from 1" },
  {
    text: "2/3",
    env: { JOB_COMPLETION_INDEX: "0", JOB_COMPLETIONS: "9" },
    expected: { index: 2, count: 3 },
    why: "what is said goes before what the job says",
  },
  {
    text: "auto",
    env: { JOB_COMPLETION_INDEX: "0", JOB_COMPLETIONS: "16" },
    expected: { index: 1, count: 16 },
    why: "Kubernetes counts from 0",
  },
  {
    text: "auto",
    env: { JOB_COMPLETION_INDEX: "15", JOB_COMPLETIONS: "16" },
    expected: { index: 16, count: 16 },
    why: "the last of Kubernetes",
  },
  {
    text: "auto",
    env: { SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "8", SLURM_ARRAY_TASK_MIN: "0" },
    expected: { index: 4, count: 8 },
    why: "a Slurm array from 0",
  },
  {
    text: "auto",
    env: { SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "8", SLURM_ARRAY_TASK_MIN: "1" },
    expected: { index: 3, count: 8 },
    why: "a Slurm array from 1",
  },
  {
    text: "auto",
    env: { CI_NODE_INDEX: "3", CI_NODE_TOTAL: "5" },
    expected: { index: 3, count: 5 },
    why: "GitLab counts from 1",
  },
  {
    text: "auto",
    env: { CI_NODE_TOTAL: "1", SLURM_ARRAY_TASK_ID: "", JOB_COMPLETION_INDEX: "1", JOB_COMPLETIONS: "2" },
    expected: { index: 2, count: 2 },
    why: "GitLab names a total in every job; an empty variable is not set",
  },
])("$text is shard $expected.index of $expected.count: $why", ({ text, env, expected }) => {
  expect(parseShard(text, env)).toEqual(expected);
  expect(parseShard(shardName(expected), {})).toEqual(expected);
});

test.each([
  { text: "0/4", env: {}, message: "expected a shard from 1 to 4 but received 0" },
  { text: "5/4", env: {}, message: "expected a shard from 1 to 4 but received 5" },
  { text: "1/0", env: {}, message: "expected 1 to 100000 shards but received 0" },
  { text: "1/999999", env: {}, message: "received 999999" },
  { text: "3", env: {}, message: 'expected I/N such as 3/16, or auto, but received "3"' },
  { text: "1 / 4", env: {}, message: "expected I/N" },
  { text: "-1/4", env: {}, message: "expected I/N" },
  { text: "1.5/4", env: {}, message: "expected I/N" },
  { text: "Auto", env: {}, message: "expected I/N" },
  {
    text: "auto",
    env: { JOB_COMPLETION_INDEX: "3" },
    message: "expected a whole number in JOB_COMPLETIONS but received nothing",
  },
  {
    text: "auto",
    env: { JOB_COMPLETION_INDEX: "4", JOB_COMPLETIONS: "4" },
    message: "JOB_COMPLETION_INDEX=4 JOB_COMPLETIONS=4: expected a shard from 1 to 4 but received 5",
  },
  {
    text: "auto",
    env: { JOB_COMPLETION_INDEX: "x", JOB_COMPLETIONS: "4" },
    message: 'in JOB_COMPLETION_INDEX but received "x"',
  },
  {
    text: "auto",
    env: { SLURM_ARRAY_TASK_ID: "17", SLURM_ARRAY_TASK_COUNT: "3", SLURM_ARRAY_TASK_MIN: "1" },
    message: "expected a shard from 1 to 3 but received 17",
  },
  {
    text: "auto",
    env: { CI_NODE_INDEX: "1", CI_NODE_TOTAL: "2", SLURM_ARRAY_TASK_ID: "1" },
    message: "both SLURM_ARRAY_TASK_ID (Slurm job array) and CI_NODE_INDEX (GitLab parallel job) are set",
  },
])("--shard $text is refused: $message", ({ text, env, message }) => {
  const error = refusal(text, env);
  expect(error.message).toContain(message);
  expect(error.exitCode).toBe(2);
  expect(error.hint).not.toBe("");
});

test("--shard auto outside a job names everything it looked for", () => {
  const { message } = refusal("auto", { CI_NODE_TOTAL: "1" });
  for (const name of [
    "JOB_COMPLETION_INDEX",
    "JOB_COMPLETIONS",
    "SLURM_ARRAY_TASK_ID",
    "SLURM_ARRAY_TASK_COUNT",
    "SLURM_ARRAY_TASK_MIN",
    "CI_NODE_INDEX",
    "CI_NODE_TOTAL",
  ]) {
    expect(message).toContain(name);
  }
});
