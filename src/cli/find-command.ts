/** Which command a line means. A word that names none is never guessed: the error lists the words that fit there. */
import { usageError } from "../errors.js";
import { nearestName } from "../nearest.js";
import type { Command, CommandGroup } from "./command.js";

/** The commands whose path goes on from that of a command or group. */
export function commandsBelow(path: readonly string[], commands: readonly Command[]): readonly Command[] {
  return commands.filter((other) => other.path.length > path.length && path.every((word, i) => other.path[i] === word));
}

/**
 * The command whose path begins the line, the longest one when several do (`models show` before `models`).
 * @throws E_USAGE for an unknown word, and for a group without the command that has to follow
 */
export function findCommand(
  args: readonly string[],
  commands: readonly Command[],
  groups: readonly CommandGroup[],
): Command {
  const head = longestHead(args, [...commands, ...groups]);
  const path = head?.path ?? [];
  const next = args[path.length];
  const goesOn = next !== undefined && !next.startsWith("-");
  const known = [...new Set(commandsBelow(path, commands).map((other) => other.path[path.length]!))];
  const command = commands.find((other) => other === head);
  if (command !== undefined && (known.length === 0 || !goesOn)) return command;
  if (head === undefined || goesOn) throw unknownCommand(args.slice(0, path.length + 1), known);
  const name = path.join(" ");
  const received = next === undefined ? "nothing" : JSON.stringify(next);
  throw usageError(
    `${name}: expected one of ${known.join(", ")} after it but received ${received}`,
    `Run "polyrnn ${name} --help" to see what each of them does.`,
  );
}

/** The group whose help is asked for: its own words and then nothing, or options. */
export function findGroup(
  args: readonly string[],
  commands: readonly Command[],
  groups: readonly CommandGroup[],
): CommandGroup | undefined {
  const head = longestHead(args, [...commands, ...groups]);
  const next = args[head?.path.length ?? 0];
  return next === undefined || next.startsWith("-") ? groups.find((group) => group === head) : undefined;
}

function longestHead(args: readonly string[], heads: readonly CommandGroup[]): CommandGroup | undefined {
  const fitting = heads.filter(({ path }) => path.every((word, i) => args[i] === word));
  return fitting.sort((a, b) => b.path.length - a.path.length)[0];
}

function unknownCommand(typed: readonly string[], known: readonly string[]): Error {
  const parents = typed.slice(0, -1);
  const parent = parents.join(" ");
  const word = typed.at(-1) ?? "";
  const hint = `Run "polyrnn${parent === "" ? "" : ` ${parent}`} --help" to see all commands.`;
  if (word.startsWith("-")) return usageError(`unknown option ${word}: options follow the command`, hint);
  const suggestion = nearestName(word, known);
  const names = known.map((name) => [...parents, name].join(" "));
  return usageError(
    `unknown command "${typed.join(" ")}": expected one of ${names.join(", ")}`,
    suggestion === undefined ? hint : `Did you mean "polyrnn ${[...parents, suggestion].join(" ")}"? ${hint}`,
  );
}
