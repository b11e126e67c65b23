/** The script for bash is run in bash, all questions in one process; those for zsh and fish are read by their shells. */
import { execFileSync, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import { completionScript, SHELLS } from "../../src/cli/completion.js";
import { flagName } from "../../src/cli/option-table.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

const folder = temporaryFolder();
const has = (shell: string): boolean => spawnSync(shell, ["--version"]).error === undefined;

/** What bash suggests for each line, whose last word is being typed. */
function suggestions(lines: readonly (readonly string[])[]): string[][] {
  const questions = lines.map((words) => {
    const quoted = ["polyrnn", ...words].map((word) => `'${word}'`).join(" ");
    return `COMP_WORDS=(${quoted}); COMP_CWORD=${words.length}; _polyrnn; echo "\${COMPREPLY[*]}"`;
  });
  const script = join(folder, "ask.bash");
  writeFileSync(script, ["set -u", completionScript("bash", COMMANDS), ...questions].join("\n"));
  const answers = execFileSync("bash", ["--norc", script], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  return answers
    .split("\n")
    .slice(0, -1)
    .map((line) => line.split(" ").filter((word) => word !== ""));
}

const CASES: readonly { readonly typed: readonly string[]; readonly suggested: readonly string[] }[] = [
  { typed: ["ann"], suggested: ["annotate"] },
  { typed: ["queue", "re"], suggested: ["resume", "retry-failed"] },
  { typed: ["models", "show", "--j"], suggested: ["--json"] },
  { typed: ["annotate", "--dev"], suggested: ["--device"] },
  { typed: ["annotate", "images", "--device", "c"], suggested: ["cuda", "cpu"] },
  { typed: ["annotate", "--device", "=", "w"], suggested: ["webgpu"] },
  { typed: ["annotate", "--device", "="], suggested: ["auto", "cuda", "webgpu", "cpu"] },
  { typed: ["annotate", "--format", "coco,labe"], suggested: ["coco,labelme", "coco,label-studio"] },
  { typed: ["annotate", "--boxes", ""], suggested: [] },
  { typed: ["annotate", "--batch-size", ""], suggested: [] },
  { typed: ["completion", ""], suggested: [...SHELLS] },
  { typed: ["train", "--device", "w"], suggested: [] },
  { typed: ["nothing", "--"], suggested: ["--help", "--version"] },
];

test.skipIf(!has("bash"))("bash completes commands, options, their words, and the last word of a list", () => {
  const answers = suggestions(CASES.map(({ typed }) => typed));
  expect(answers.map((words) => new Set(words))).toEqual(CASES.map(({ suggested }) => new Set(suggested)));
});

test.skipIf(!has("bash"))("bash knows every option of every command", () => {
  const answers = suggestions(COMMANDS.map(({ path }) => [...path, "--"]));
  COMMANDS.forEach(({ path, table }, i) => {
    const named = Object.entries(table).filter(([, row]) => row.position === undefined);
    expect(answers[i], path.join(" ")).toEqual(expect.arrayContaining(named.map(([name]) => `--${flagName(name)}`)));
  });
});

test.skipIf(!has("fish"))("fish completes commands, options and their words, and says nothing else", () => {
  const script = join(folder, "ask.fish");
  const lines = [
    "polyrnn ann",
    "polyrnn queue ret",
    "polyrnn annotate --device c",
    "polyrnn annotate --device cpu --dry",
  ];
  const questions = lines.map((line) => `complete -C '${line}'`);
  writeFileSync(script, [completionScript("fish", COMMANDS), ...questions].join("\n"));
  const { stdout, stderr } = spawnSync("fish", ["--no-config", script], { encoding: "utf8" });
  const words = stdout.split("\n").map((line) => line.split("\t")[0]);
  expect({ words, stderr }).toEqual({
    words: ["annotate", "retry-failed", "cpu", "cuda", "--dry-run", ""],
    stderr: "",
  });
});

describe.each(["zsh", "fish"] as const)("the script for %s", (shell) => {
  test.skipIf(!has(shell))("is one that the shell reads", () => {
    const script = join(folder, `polyrnn.${shell}`);
    writeFileSync(script, completionScript(shell, COMMANDS));
    expect(spawnSync(shell, ["-n", script], { encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  });

  test("names every command and option", () => {
    const text = completionScript(shell, COMMANDS);
    for (const { path, table } of COMMANDS) {
      expect(text).toContain(`'${path.join(" ")}'`);
      for (const [name, row] of Object.entries(table))
        if (row.position === undefined)
          expect(text).toContain(shell === "zsh" ? `--${flagName(name)}` : `-l ${flagName(name)}`);
    }
  });
});
