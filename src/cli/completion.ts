/**
 * Completion scripts for bash, zsh and fish, made from the option tables: commands, options, and the words an option
 * takes. yargs' getCompletion is not used: it starts the program for every key press, and its parser here knows one
 * command at a time. A script is made once, knows all of them, and starts nothing.
 */
import type { Command } from "./command.js";
import type { OptionRow } from "./option-table.js";
import { flagName } from "./option-table.js";

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** What may follow an option. */
type Value =
  | { readonly kind: "none" }
  | { readonly kind: "words"; readonly words: readonly string[]; readonly isList: boolean }
  | { readonly kind: "path" }
  /** A number, an address: nothing to suggest. */
  | { readonly kind: "other" };

interface Option {
  /** "--batch-size" */
  readonly flag: string;
  readonly describe: string;
  readonly value: Value;
}

interface Entry {
  /** "queue status"; "" for the program itself. */
  readonly path: string;
  /** Words that go on from the path, and what they do. */
  readonly next: readonly (readonly [string, string])[];
  readonly options: readonly Option[];
  /** What stands for itself, without an option: files unless the row has choices. */
  readonly positionals: Value;
}

/** @returns the script, ready to be sourced or put where the shell looks for completions */
export function completionScript(shell: Shell, commands: readonly Command[]): string {
  const entries = entriesOf(commands);
  switch (shell) {
    case "bash":
      return bashScript(entries);
    case "zsh":
      return zshScript(entries);
    case "fish":
      return fishScript(entries);
  }
}

function entriesOf(commands: readonly Command[]): Entry[] {
  const paths = new Set(["", ...commands.flatMap(({ path }) => path.map((_, i) => path.slice(0, i + 1).join(" ")))]);
  return [...paths].map((path) => {
    const depth = path === "" ? 0 : path.split(" ").length;
    const command = commands.find((other) => other.path.join(" ") === path);
    const below = commands.filter(
      (other) => other.path.length > depth && other.path.slice(0, depth).join(" ") === path,
    );
    const next = new Map<string, string>();
    for (const other of below) {
      const word = other.path[depth]!;
      const summary = other.path.length === depth + 1 ? other.summary : "";
      next.set(word, next.get(word) || summary || `commands below ${word}`);
    }
    const rows = Object.entries(command?.table ?? {});
    const named = rows.filter(([, row]) => row.position === undefined);
    const [first] = rows.filter(([, row]) => row.position !== undefined).map(([, row]) => valueOf(row));
    const help: Option = { flag: "--help", describe: "Show the help", value: { kind: "none" } };
    const version: Option = { flag: "--version", describe: "Show the version", value: { kind: "none" } };
    return {
      path,
      next: [...next],
      options: [...named.flatMap(([name, row]) => optionsOf(name, row)), help, ...(path === "" ? [version] : [])],
      positionals: first ?? { kind: "other" },
    };
  });
}

function optionsOf(name: string, row: OptionRow): Option[] {
  const option = { flag: `--${flagName(name)}`, describe: row.describe, value: valueOf(row) };
  return row.type === "flag" && row.default === true
    ? [option, { ...option, flag: `--no-${flagName(name)}` }]
    : [option];
}

function valueOf(row: OptionRow): Value {
  if (row.type === "flag") return { kind: "none" };
  if (row.type === "number" || row.type === "address") return { kind: "other" };
  if (row.choices !== undefined) return { kind: "words", words: row.choices, isList: row.type === "list" };
  return /FILE|DIR|IMAGES|PART/.test(row.placeholder ?? "") ? { kind: "path" } : { kind: "other" };
}

/** Also for zsh. */
const single = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

const HEAD = "made by polyrnn completion; make it again after an update";

function bashScript(entries: readonly Entry[]): string {
  const known = entries.filter(({ path }) => path !== "").map(({ path }) => single(path));
  const cases = entries.flatMap(({ path, options }) =>
    options.flatMap(({ flag, value }) => {
      const what = bashValue(value);
      return what === undefined ? [] : [`    ${single(`${path}:${flag}`)}) ${what}; return ;;`];
    }),
  );
  const lists = entries.map(({ path, next, options, positionals }) => {
    const words = [...next.map(([word]) => word), ...(positionals.kind === "words" ? positionals.words : [])];
    return `    ${single(path)}) words=${single(words.join(" "))}; options=${single(options.map(({ flag }) => flag).join(" "))} ;;`;
  });
  return `# bash completion for polyrnn, ${HEAD}
_polyrnn() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" command= next words= options= at
  # bash takes the = of --option=value for a word of its own.
  if [[ $current == "=" ]]; then
    current=
  elif [[ $previous == "=" ]]; then
    previous="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    next="\${command:+$command }\${COMP_WORDS[at]}"
    case $next in
    ${known.join("|")}) command=$next ;;
    *) break ;;
    esac
  done
  COMPREPLY=()
  case $command:$previous in
${cases.join("\n")}
  esac
  case $command in
${lists.join("\n")}
  esac
  if [[ $current == -* ]]; then
    _polyrnn_words "$options"
  else
    _polyrnn_words "$words"
  fi
}
_polyrnn_words() {
  local IFS=$' \\t\\n'
  COMPREPLY=($(compgen -W "$1" -- "$current"))
}
# The last of several words with commas between them.
_polyrnn_list() {
  local IFS=$' \\t\\n' before=
  [[ $current == *,* ]] && before="\${current%,*},"
  COMPREPLY=($(compgen -P "$before" -W "$1" -- "\${current##*,}"))
}
# Nothing, and no files either.
_polyrnn_nothing() {
  compopt +o default 2>/dev/null
}
complete -o default -F _polyrnn polyrnn
`;
}

/** @returns undefined for an option that takes no value */
function bashValue(value: Value): string | undefined {
  switch (value.kind) {
    case "none":
      return undefined;
    case "words":
      return `${value.isList ? "_polyrnn_list" : "_polyrnn_words"} ${single(value.words.join(" "))}`;
    case "path":
      return "COMPREPLY=()"; // readline's own, which knows names with spaces
    case "other":
      return "_polyrnn_nothing";
  }
}

function zshScript(entries: readonly Entry[]): string {
  const known = entries.filter(({ path }) => path !== "").map(({ path }) => single(path));
  const cases = entries.map(({ path, next, options, positionals }) => {
    const specs = options.map(({ flag, describe, value }) => {
      const text = `${flag}${value.kind === "none" ? "" : "="}[${zshText(describe)}]${zshValue(value)}`;
      return single(text);
    });
    const words = next.map(([word, summary]) => single(`${word}:${zshText(summary)}`)).join(" ");
    const rest =
      next.length > 0
        ? `'*: :->next'`
        : single(`*${zshValue(positionals.kind === "other" ? { kind: "path" } : positionals)}`);
    return `    ${single(path)})
      next=(${words})
      _arguments -S : ${[...specs, rest].join(" \\\n        ")} && return
      ;;`;
  });
  return `#compdef polyrnn
# zsh completion for polyrnn, ${HEAD}
_polyrnn() {
  local command= try state
  local -i at=2
  local -a next
  while (( at < CURRENT )); do
    try="\${command:+$command }\${words[at]}"
    case $try in
    ${known.join("|")}) command=$try; (( at++ )) ;;
    *) break ;;
    esac
  done
  # What follows the command, as if the command were one word.
  shift $(( at - 2 )) words
  (( CURRENT -= at - 2 ))
  case $command in
${cases.join("\n")}
  esac
  [[ $state == next ]] && _describe -t commands command next
}
if [[ \${funcstack[1]} == _polyrnn ]]; then _polyrnn "$@"; else compdef _polyrnn polyrnn; fi
`;
}

/** Brackets and colons part the fields of a specification. */
function zshText(text: string): string {
  return text.replace(/[[\]:\\]/g, "\\$&");
}

function zshValue(value: Value): string {
  switch (value.kind) {
    case "none":
      return "";
    case "words":
      return value.isList ? `:word:_values -s , word ${value.words.join(" ")}` : `:word:(${value.words.join(" ")})`;
    case "path":
      return ":file:_files";
    case "other":
      return ":value: ";
  }
}

function fishScript(entries: readonly Entry[]): string {
  const known = entries.filter(({ path }) => path !== "").map(({ path }) => fishText(path));
  const lines = entries.flatMap(({ path, next, options, positionals }) => {
    const at = `complete -c polyrnn -n "__polyrnn_is ${fishText(path)}"`;
    return [
      ...next.map(([word, summary]) => `${at} -f -a ${word} -d ${fishText(summary)}`),
      ...(positionals.kind === "words" ? [`${at} -f -a ${fishText(positionals.words.join(" "))}`] : []),
      ...options.map(
        ({ flag, describe, value }) => `${at} -l ${flag.slice(2)}${fishValue(value)} -d ${fishText(describe)}`,
      ),
    ];
  });
  return `# fish completion for polyrnn, ${HEAD}
function __polyrnn_is
    set -l path
    for word in (commandline -opc)[2..-1]
        contains -- (string trim -- "$path $word") ${known.join(" ")}
        or break
        set path $path $word
    end
    test "$path" = "$argv[1]"
end
${lines.join("\n")}
`;
}

function fishText(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function fishValue(value: Value): string {
  switch (value.kind) {
    case "none":
      return "";
    case "words":
      return ` -x -a ${fishText(value.words.join(" "))}`;
    case "path":
      return " -r";
    case "other":
      return " -x";
  }
}
