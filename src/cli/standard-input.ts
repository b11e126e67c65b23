/**
 * Boxes from standard input. They are saved first: a box file is read several times by position, and a run that is
 * resumed, reviewed or merged needs them again.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { reasonOf, usageError } from "../errors.js";
import { AtomicFile } from "../files/atomic-file.js";

/**
 * @param out output folder of the run, which the file lies beside; "-" for a run without one
 * @param mayReplace whether other boxes of that name may be replaced
 * @returns the file
 * @throws E_USAGE when nothing is connected, when there is no text in UTF-8, or when other boxes would be replaced
 */
export async function saveStandardInput(
  input: Readable & { readonly isTTY?: boolean },
  out: string,
  mayReplace: boolean,
): Promise<string> {
  if (input.isTTY === true)
    throw usageError(
      "--boxes -: expected boxes on standard input, received a terminal",
      "Pipe them in, for example: detector | polyrnn annotate ./images --boxes -",
    );
  const path = `${out === "-" ? "polyrnn-out" : resolve(out)}.boxes`;
  const file = await AtomicFile.open(path);
  try {
    const decoder = new TextDecoder("utf-8", { fatal: true });
    const hash = createHash("sha256");
    for await (const chunk of input as AsyncIterable<Buffer>) {
      hash.update(chunk);
      await file.write(decode(decoder, chunk));
    }
    await file.write(decode(decoder));
    const before = mayReplace ? undefined : await hashOf(path);
    if (before !== undefined && before !== hash.digest("hex"))
      throw usageError(
        `${path}: expected no such file, or the same boxes, received the boxes of another run`,
        "Name another folder with --out, or replace that run with --force.",
      );
    await file.commit();
  } catch (error) {
    await file.abort();
    throw error;
  }
  return path;
}

function decode(decoder: InstanceType<typeof TextDecoder>, chunk?: Buffer): string {
  try {
    return decoder.decode(chunk, { stream: chunk !== undefined });
  } catch (error) {
    throw usageError(`--boxes -: expected text in UTF-8, received other bytes (${reasonOf(error)})`, "Write JSON.");
  }
}

async function hashOf(path: string): Promise<string | undefined> {
  try {
    return createHash("sha256")
      .update(await readFile(path))
      .digest("hex");
  } catch {
    return undefined; // There is none.
  }
}
