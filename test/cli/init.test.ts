import { existsSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import { readConfigFile } from "../../src/cli/config-file.js";
import { configTemplate } from "../../src/cli/commands/init.js";
import { run } from "../../src/cli/run.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";
import { memoryTerminal } from "./memory-terminal.js";

const folder = temporaryFolder();
const configurable = COMMANDS.filter(({ table }) => "config" in table);

async function init(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal();
  const code = await run(["init", ...words], terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

test.each(configurable)("the file for $path has every option, and its values are the defaults", async (command) => {
  const path = join(folder, `${command.path.join("-")}.yaml`);
  const text = configTemplate(command, path);
  writeFileSync(path, text);
  expect([...(await readConfigFile(path, command.table))]).toEqual([]);

  writeFileSync(path, text.replace(/^#(?=[a-z])/gm, ""));
  const found = await readConfigFile(path, command.table);
  const rows = Object.entries(command.table).filter(([name]) => name !== "config");
  expect(Object.fromEntries([...found].map(([name, { value }]) => [name, value]))).toEqual(
    Object.fromEntries(rows.map(([name, row]) => [name, row.default ?? null])),
  );
});

test("a file that is there is never written over unasked, and a link that leads nowhere is there", async () => {
  const out = join(folder, "taken.yaml");
  expect(await init("--out", out)).toMatchObject({ code: 0, stdout: "" });
  writeFileSync(out, "mine");
  const refused = await init("--out", out);
  expect(refused.code).toBe(73);
  expect(refused.stderr).toContain("--force");
  expect(readFileSync(out, "utf8")).toBe("mine");
  expect((await init("--out", out, "--force")).code).toBe(0);
  expect(readFileSync(out, "utf8")).toContain("#batch-size:");

  const link = join(folder, "link.yaml");
  symlinkSync(join(folder, "nowhere.yaml"), link);
  expect((await init("--out", link)).code).toBe(73);
  expect(existsSync(join(folder, "nowhere.yaml"))).toBe(false);
});

test("a command without --config, and a file in JSON, are wrong usage that says what to do", async () => {
  expect(await init("doctor")).toMatchObject({ code: 2, stdout: "" });
  expect((await init("anotate")).stderr).toContain("Did you mean annotate?");
  expect((await init("--out", join(folder, "a.json"))).stderr).toContain("JSON has no comments");
});

test("--out - prints the file", async () => {
  const { code, stdout, stderr } = await init("train", "--out", "-");
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toContain("# Options of polyrnn train.");
});
