import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { expect, test } from "vitest";
import { COMMANDS } from "../../src/cli/command-list.js";
import { flagName } from "../../src/cli/option-table.js";
import { packageVersion } from "../../src/version.js";
import { parseArguments } from "../../src/cli/parse-arguments.js";
import { reportError } from "../../src/cli/report-error.js";
import { run } from "../../src/cli/run.js";
import { ClosedPipe, writeLine } from "../../src/cli/terminal.js";
import { cannotWrite, EXIT, invalidData } from "../../src/errors.js";
import { memoryTerminal } from "./memory-terminal.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

async function runInMemory(
  words: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; stdout: string; stderr: string }> {
  const terminal = memoryTerminal({ env });
  const code = await run(words, terminal);
  return { code, stdout: terminal.stdout.text, stderr: terminal.stderr.text };
}

test.each([{ words: [] }, { words: ["-h"] }, { words: ["--help"] }, { words: ["help"] }])(
  "polyrnn $words shows the main help on standard output",
  async ({ words }) => {
    const { code, stdout, stderr } = await runInMemory(words);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of COMMANDS) expect(stdout).toContain(`  ${command.path.join(" ")} `);
    expect(stdout).toContain("Exit codes");
  },
);

test.each(COMMANDS.map((command) => ({ command, name: command.path.join(" ") })))(
  "help of $name opens with two or three examples, then all options, each with its default",
  async ({ command }) => {
    const { code, stdout } = await runInMemory([...command.path, "--help"]);
    expect(code).toBe(0);
    expect(await runInMemory(["help", ...command.path])).toMatchObject({ stdout });
    expect(await runInMemory([...command.path, "-h"])).toMatchObject({ stdout });
    const lines = stdout.split("\n");
    expect(lines[0]).toBe(`polyrnn ${command.path.join(" ")} - ${command.summary}`);
    const examples = lines.slice(2, lines.indexOf("Usage")).filter((line) => line.startsWith("  polyrnn ")).length;
    expect(examples).toBeGreaterThanOrEqual(2);
    expect(examples).toBeLessThanOrEqual(3);
    const text = stdout.replace(/\s+/g, " ");
    for (const [name, row] of Object.entries(command.table)) {
      if (row.position === undefined) expect(text).toContain(` --${flagName(name)}`);
      expect(text).toContain(row.describe);
    }
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(100);
    const titles = ["Common", "Advanced", "Output"].filter((title) => lines.includes(title));
    expect(titles.map((title) => lines.indexOf(title))).toEqual(
      titles.map((title) => lines.indexOf(title)).sort((a, b) => a - b),
    );
  },
);

test("help of annotate names unit, range and default of a number", async () => {
  const text = (await runInMemory(["annotate", "--help"])).stdout.replace(/\s+/g, " ");
  expect(text).toContain("(1 to 256 crops; default: chosen from the device)");
  expect(text).toContain("(3 to 500 vertices; default: 71)");
  expect(text).toContain("(0 or more px; default: 0)");
});

test("the examples of every command are lines the command line accepts", () => {
  for (const { examples } of COMMANDS) {
    for (const { line } of examples) {
      const words = line.split(" | ")[0]!.split(" ").slice(1);
      const command = COMMANDS.filter((other) => other.path.every((name, i) => words[i] === name)).at(-1)!;
      const given = parseArguments(words.slice(command.path.length), command.table, "help");
      for (const [name, row] of Object.entries(command.table)) {
        if (row.required !== true) continue;
        expect(
          row.position === undefined ? given.options.has(name) : given.positionals.length > row.position,
          `${line}: ${name}`,
        ).toBe(true);
      }
    }
  }
});

test("--version prints the version of package.json", async () => {
  expect(await runInMemory(["--version"])).toEqual({ code: 0, stdout: `${packageVersion()}\n`, stderr: "" });
});

test.each([
  { words: ["annotat"], message: 'unknown command "annotat"', hint: "polyrnn annotate" },
  { words: ["models", "shw"], message: 'unknown command "models shw"', hint: "polyrnn models show" },
  { words: ["zzzzzzzz"], message: 'unknown command "zzzzzzzz"', hint: "polyrnn --help" },
  { words: ["--json"], message: "unknown option --json: options follow the command", hint: "polyrnn --help" },
  { words: ["help", "annotat"], message: 'unknown command "annotat"', hint: "polyrnn annotate" },
  { words: ["annotate", "x", "--boxs", "y"], message: "unknown option --boxs", hint: "--boxes" },
  { words: ["annotate", "x", "--box", "y"], message: "unknown option --box", hint: "Did you mean --boxes?" },
  {
    words: ["annotate", "x", "--boxes", "y", "--batch", "4"],
    message: "unknown option --batch",
    hint: "Did you mean --batch-size?",
  },
  {
    words: ["annotate", "x", "boxes.json"],
    message: 'unexpected argument "boxes.json": expected only IMAGES and options',
    hint: "Did you mean --boxes boxes.json?",
  },
  {
    words: ["annotate", "my", "photos", "--boxes", "y"],
    message: 'unexpected argument "photos"',
    hint: "Quote names that contain spaces.",
  },
  { words: ["annotate"], message: "IMAGES is missing", hint: "polyrnn annotate --help" },
  {
    words: ["doctor", "now"],
    message: 'unexpected argument "now": expected only options',
    hint: "polyrnn doctor --help",
  },
  { words: ["annotate", "x", "--boxes", "y", "--quiet", "--verbose"], message: "exclude each other", hint: "Leave" },
  { words: ["annotate", "x", "--boxes", "y", "--resume", "--force"], message: "exclude each other", hint: "Leave" },
  {
    words: ["annotate", "x", "--boxes", "y", "--resume", "--out", "-"],
    message: "needs an output folder",
    hint: "--out",
  },
])("polyrnn $words is wrong usage: $message", async ({ words, message, hint }) => {
  const { code, stdout, stderr } = await runInMemory(words);
  expect(code).toBe(2);
  expect(stderr).toContain("polyrnn: ");
  expect(stderr).toContain(message);
  expect(stderr).toContain(hint);
  if (!words.includes("--json")) expect(stdout).toBe("");
});

test("--json tells an error on standard output as well, as one object on one line, even when other options are wrong", async () => {
  const { code, stdout, stderr } = await runInMemory(["annotate", "--boxs", "y", "--json"]);
  expect(code).toBe(2);
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  expect(JSON.parse(stdout)).toEqual({
    version: 1,
    type: "error",
    code: "E_USAGE",
    message: "unknown option --boxs",
    hint: 'Did you mean --boxes? Run "polyrnn annotate --help" to see all options.',
  });
  expect(stderr).toContain("unknown option --boxs");
});

test("--json may also come from the environment and from a config file", async () => {
  const folder = temporaryFolder();
  const config = join(folder, "c.json");
  writeFileSync(config, JSON.stringify({ json: true, quiet: true, verbose: true }));
  expect(JSON.parse((await runInMemory(["annotate", "x", "--boxes", "y", "--config", config])).stdout)).toMatchObject({
    type: "error",
  });
  expect(JSON.parse((await runInMemory(["annotate"], { POLYRNN_JSON: "1" })).stdout)).toMatchObject({
    type: "error",
  });
});

test("a variable that looks like an option but is none is pointed out", async () => {
  expect((await runInMemory(["doctor"], { POLYRNN_JSN: "1" })).stderr).toContain(
    "POLYRNN_JSN is no option of polyrnn; did you mean POLYRNN_JSON?",
  );
  expect((await runInMemory(["models", "show", "mobile"], { POLYRNN_BATCH_SIZE: "8", NO_COLOR: "1" })).stderr).toBe("");
});

test("a signal's own reason is no bug: the user stopped while the input was opened", async () => {
  const terminal = memoryTerminal();
  const presentation = { json: true, verbose: false, color: "auto" } as const;
  expect(await reportError(AbortSignal.abort().reason, terminal, presentation)).toBe(EXIT.stopped);
  expect(terminal.stderr.text).toContain("stopped before the work began");
  expect(JSON.parse(terminal.stdout.text)).toMatchObject({ code: "E_STOPPED" });
});

test("a bug shows its stack, where it ran, and exit code 70", async () => {
  const terminal = memoryTerminal();
  const code = await reportError(new TypeError("x is not a function"), terminal, {
    json: true,
    verbose: false,
    color: "auto",
  });
  expect(code).toBe(70);
  expect(terminal.stderr.text).toContain("TypeError: x is not a function\n    at ");
  expect(terminal.stderr.text).toContain(`polyrnn ${packageVersion()}, node ${process.version}`);
  expect(JSON.parse(terminal.stdout.text)).toMatchObject({ code: "E_BUG", message: "x is not a function" });
});

test("a cause is shown with --verbose only", async () => {
  const error = invalidData("file.json: expected JSON", "Check it.", new Error("deep reason"));
  for (const verbose of [false, true]) {
    const terminal = memoryTerminal();
    expect(await reportError(error, terminal, { json: false, verbose, color: "auto" })).toBe(65);
    expect(terminal.stderr.text.includes("deep reason")).toBe(verbose);
  }
});

test("names in messages cannot steer the terminal", async () => {
  const terminal = memoryTerminal();
  await reportError(cannotWrite("a\u001b[2Jb\nc\u202ed: no", "Stop."), terminal, {
    json: false,
    verbose: false,
    color: "auto",
  });
  expect(terminal.stderr.text).toBe("polyrnn: a\\x1b[2Jb\\x0ac\\u202ed: no\nStop.\n");
});

test.each([
  { why: "a pipe", tty: false, env: {}, color: "auto", colored: false },
  { why: "a terminal", tty: true, env: {}, color: "auto", colored: true },
  { why: "NO_COLOR", tty: true, env: { NO_COLOR: "1" }, color: "auto", colored: false },
  { why: "an empty NO_COLOR counts as not set", tty: true, env: { NO_COLOR: "" }, color: "auto", colored: true },
  { why: "TERM=dumb", tty: true, env: { TERM: "dumb" }, color: "auto", colored: false },
  { why: "--color never", tty: true, env: {}, color: "never", colored: false },
  { why: "--color always goes before all", tty: false, env: { NO_COLOR: "1" }, color: "always", colored: true },
] as const)("color on $why: $colored", async ({ tty, env, color, colored }) => {
  const terminal = memoryTerminal({ tty, env });
  await reportError(cannotWrite("no", "Stop."), terminal, { json: false, verbose: false, color });
  expect(terminal.stderr.text.startsWith("\u001b[31mpolyrnn:\u001b[0m no")).toBe(colored);
  expect(terminal.stderr.text.includes("\u001b")).toBe(colored);
});

function failingStream(code: string): Writable {
  const stream = new Writable({
    write: (_chunk, _encoding, done) => {
      done(Object.assign(new Error(`write ${code}`), { code }));
    },
  });
  return stream.on("error", () => undefined);
}

test("a closed pipe ends the run with 0; a full disk behind standard output with 73", async () => {
  await expect(writeLine(failingStream("EPIPE"), "x")).rejects.toBeInstanceOf(ClosedPipe);
  expect(await run(["--version"], { ...memoryTerminal(), stdout: failingStream("EPIPE") })).toBe(EXIT.ok);
  const terminal = memoryTerminal();
  expect(await run(["--version"], { ...terminal, stdout: failingStream("ENOSPC") })).toBe(EXIT.cannotWrite);
  expect(terminal.stderr.text).toContain("standard output: write ENOSPC");
});
