import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run } from "../../src/cli/run.js";
import { memoryTerminal } from "./memory-terminal.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();

async function runInMemory(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(words, terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

/** A copy of the bundled model to damage. */
function copyOfMobile(name: string): string {
  const copy = join(folder, name);
  cpSync(join(import.meta.dirname, "..", "..", "models", "mobile"), copy, { recursive: true });
  return copy;
}

test("models lists every bundled model with version and size", async () => {
  const { code, stdout } = await runInMemory("models");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mobile \d+\.\d+\.\d+ {2}\d+\.\d MiB$/m);
  const listed = JSON.parse((await runInMemory("models", "--json")).stdout) as {
    models: { name: string; card: { name: string } }[];
  };
  expect(listed).toMatchObject({ version: 1, type: "models" });
  expect(listed.models.find((model) => model.name === "mobile")?.card.name).toBe("mobile");
});

test("a model that only the repository holds is in the list or among those that are absent", async () => {
  const { models, absent } = JSON.parse((await runInMemory("models", "--json")).stdout) as {
    models: { name: string }[];
    absent: { name: string; how: string }[];
  };
  const isAbsent = (wanted: string): boolean => !models.some(({ name }) => name === wanted);
  expect(absent.map(({ name }) => name)).toEqual(["vgg16", "baselines"].filter(isAbsent));
});

test("models show prints the card: training data, scores with the command that made them, license, hashes", async () => {
  const { code, stdout } = await runInMemory("models", "show", "mobile");
  const { card, hash } = JSON.parse((await runInMemory("models", "show", "mobile", "--json")).stdout) as {
    hash: string;
    card: {
      trainingData: string;
      license: string;
      scores: { command: string; meanIoU: number }[];
      files: Record<string, { sha256: string }>;
    };
  };
  expect(code).toBe(0);
  // Long texts are wrapped.
  const text = stdout.replace(/\s+/g, " ");
  for (const part of [card.trainingData, card.license, hash, ...Object.values(card.files).map((file) => file.sha256)])
    expect(text).toContain(part);
  for (const score of card.scores) expect(text).toContain(`mean IoU ${score.meanIoU}`);
  for (const command of new Set(card.scores.map((score) => score.command))) expect(text.split(command)).toHaveLength(2);
});

test("models show wraps its text; only what cannot be broken is longer than a line", async () => {
  const lines = (await runInMemory("models", "show", "mobile")).stdout.split("\n");
  const long = lines.filter((line) => line.length > 100 && !/^Folder|sha256/.test(line));
  expect(long).toEqual([]);
});

test("models show of a name that is none suggests the nearest, exit code 69", async () => {
  const { code, stderr } = await runInMemory("models", "show", "mobil");
  expect(code).toBe(69);
  expect(stderr).toContain("Did you mean mobile?");
});

test("models verify finds the bundled models whole", async () => {
  const { code, stdout } = await runInMemory("models", "verify");
  expect(code).toBe(0);
  expect(stdout).toMatch(/^mobile: sound, 1 file in /m);
});

test("models verify finds one changed byte, exit code 69, and says what to do", async () => {
  const copy = copyOfMobile("changed");
  const file = join(copy, "model.safetensors");
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  const { code, stdout } = await runInMemory("models", "verify", copy);
  expect(code).toBe(69);
  expect(stdout).toMatch(/^mobile: not usable$/m);
  expect(stdout).toContain("expected sha256");
  const json = await runInMemory("models", "verify", copy, "--json");
  expect(json.code).toBe(69);
  expect(JSON.parse(json.stdout)).toMatchObject({
    type: "verification",
    models: [{ name: "mobile", sound: false, problems: [{ code: "E_UNAVAILABLE" }] }],
  });
});

test("models verify of a model whose file is gone, and of a folder without a card, ends with 69", async () => {
  const copy = copyOfMobile("gone");
  rmSync(join(copy, "model.safetensors"));
  expect((await runInMemory("models", "verify", copy)).code).toBe(69);
  rmSync(join(copy, "model.json"));
  const { code, stderr } = await runInMemory("models", "verify", copy);
  expect(code).toBe(69);
  expect(stderr).toContain("model.json");
});

test("models import refuses a name that no card may have, before it reads anything", async () => {
  const { code, stderr } = await runInMemory(
    "models",
    "import",
    "vgg16",
    join(folder, "none.safetensors"),
    "--out",
    join(folder, "new"),
    "--name",
    "My Model",
  );
  expect(code).toBe(2);
  expect(stderr).toContain(
    '--name: expected lower case letters, digits, dots and dashes, 64 at most, but received "My Model"',
  );
});

test("models import of a file that is not there says so and writes nothing", async () => {
  const { code, stderr } = await runInMemory(
    "models",
    "import",
    "vgg16",
    join(folder, "none.safetensors"),
    "--out",
    join(folder, "new"),
  );
  expect(code).toBe(66);
  expect(stderr).toContain("none.safetensors");
  expect(() => readFileSync(join(folder, "new", "model.json"))).toThrow("ENOENT");
});
