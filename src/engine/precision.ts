/**
 * Whether kernels of our own compute in float16. Only who asks for it gets it: no graphics card has been measured in it
 * yet, neither its speed nor its numbers. Other engines know float32 only.
 */
import { unavailable } from "../errors.js";
import type { Engine, Precision } from "./engine.js";
import type { AdapterReport } from "./webgpu/adapter.js";

export type PrecisionChoice = "auto" | Precision;

export interface ChosenPrecision {
  readonly precision: Precision;
  /** For people: what `auto` took, and why. */
  readonly remark?: string;
}

/** @throws E_UNAVAILABLE where float16 is asked for and the adapter does not offer it */
export function choosePrecision(
  choice: PrecisionChoice,
  { name, float16 }: Pick<AdapterReport, "name" | "float16">,
): ChosenPrecision {
  if (choice === "float32") return { precision: "float32" };
  if (choice === "auto") return { precision: "float32", remark: `float32, because ${whyFloat32(float16)}` };
  if (float16 !== "absent") return { precision: "float16" };
  throw unavailable(
    `--precision float16: expected an adapter with WebGPU's feature shader-f16 but ${name} does not offer it`,
    "Use --precision auto, or install a newer driver for the graphics card.",
  );
}

function whyFloat32(float16: AdapterReport["float16"]): string {
  if (float16 === "absent") return "the adapter does not offer shader-f16";
  const hint = "--precision float16 takes it";
  if (float16 === "doubted") return `Dawn doubts float16 of this driver; ${hint} all the same`;
  return `float16 was not measured on a graphics card yet; ${hint}`;
}

/** Version, and the precision where `auto` had a choice: for the line that a run starts with. */
export function engineText({ version, remark }: Pick<Engine, "version" | "remark">): string {
  return remark === undefined ? version : `${version}; ${remark}`;
}
