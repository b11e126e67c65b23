/** `polyrnn models import vgg16 FILE --out DIR`: ImageNet weights in, a model folder out. */
import { EXIT, usageError, type ExitCode } from "../../errors.js";
import { importVgg16, writeModelFolder } from "../../runtime/import-vgg16.js";
import { makeFolder } from "../../write/make-folder.js";
import type { ImportFlags } from "../options/models-table.js";
import { printable } from "../terminal-text.js";
import { writeLine, type Terminal } from "../terminal.js";

export async function importCommand(options: ImportFlags, terminal: Terminal): Promise<ExitCode> {
  const { file, out, name, peepholes, seed } = options;
  // The form a card's name must have (schema/model-card.ts); checked before the work instead of when the model is next opened.
  if (!/^[a-z0-9][a-z0-9._-]{0,63}$/.test(name)) {
    throw usageError(
      `--name: expected lower case letters, digits, dots and dashes, 64 at most, but received ${JSON.stringify(name)}`,
      "Choose a name like vgg16-imagenet.",
    );
  }
  const { card, naming, weights } = await importVgg16(file, { name, peepholes, seed });
  await makeFolder(out);
  await writeModelFolder(out, { card, weights });
  if (options.json) {
    await writeLine(terminal.stdout, JSON.stringify({ version: 1, type: "imported", folder: out, naming, card }));
  } else {
    terminal.stderr.write(
      `${printable(`wrote ${out}: model ${card.name}, both trunks from ${file} (${naming} names), the rest random (seed ${seed})`)}\n`,
    );
    terminal.stderr.write("next: train it; as it is, its polygons mean nothing\n");
  }
  return EXIT.ok;
}
