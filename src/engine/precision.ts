/**
 * Whether kernels of our own compute in float16. `auto` takes it where the adapter offers it, is a graphics card, and
 * the engine then passes its self-check; else float32, with the reason. Other engines know float32 only.
 */
import { reasonOf, unavailable } from "../errors.js";
import type { Engine, Precision } from "./engine.js";
import type { AdapterReport } from "./webgpu/adapter.js";

export type PrecisionChoice = "auto" | Precision;

/** What is tried, best first; with one left, a clause that says why it is that one. */
interface Tries {
  readonly tries: readonly [Precision, ...Precision[]];
  readonly why?: string;
}

/** @throws E_UNAVAILABLE where float16 is asked for and the adapter does not offer it */
export function precisionsFor(choice: PrecisionChoice, adapter: Omit<AdapterReport, "limits" | "memoryBound">): Tries {
  const { name, float16, isSoftware } = adapter;
  if (choice === "float32") return { tries: ["float32"] };
  if (choice === "float16") {
    if (float16 !== "absent") return { tries: ["float16"] };
    throw unavailable(
      `--precision float16: expected an adapter with WebGPU's feature shader-f16 but ${name} does not offer it`,
      "Use --precision auto, or install a newer driver for the graphics card.",
    );
  }
  if (float16 === "absent") return { tries: ["float32"], why: "the adapter does not offer shader-f16" };
  if (isSoftware) return { tries: ["float32"], why: "float16 gains nothing on a CPU" };
  if (float16 === "doubted") {
    return { tries: ["float32"], why: "Dawn doubts float16 of this driver; --precision float16 takes it all the same" };
  }
  return { tries: ["float16", "float32"] };
}

/**
 * @param open opens an engine and checks its numbers
 * @returns    what was opened, and for people which precision `auto` took and why
 * @throws     what `open` throws with the last precision that is tried
 */
export async function openInPrecision<E>(
  choice: PrecisionChoice,
  adapter: Parameters<typeof precisionsFor>[1],
  open: (precision: Precision) => Promise<E>,
): Promise<{ readonly opened: E; readonly precision: Precision; readonly remark?: string }> {
  const { tries, why } = precisionsFor(choice, adapter);
  const [first, second] = tries;
  const remark = (precision: Precision, reason = why): { remark?: string } =>
    choice === "auto" ? { remark: reason === undefined ? precision : `${precision}, because ${reason}` } : {};
  try {
    return { opened: await open(first), precision: first, ...remark(first) };
  } catch (error) {
    if (second === undefined) throw error;
    const reason = `${first} failed (${reasonOf(error)})`;
    return { opened: await open(second), precision: second, ...remark(second, reason) };
  }
}

/** Version, and the precision where `auto` had a choice: for the line that a run starts with. */
export function engineText({ version, remark }: Pick<Engine, "version" | "remark">): string {
  return remark === undefined ? version : `${version}; ${remark}`;
}
