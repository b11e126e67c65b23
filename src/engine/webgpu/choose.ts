/**
 * The choice of a step on the device, as predict/choose-vertex.ts makes it: of 785 logits two numbers come back, the
 * class and how sure the network is of it. The next step sees the class without a way over the host.
 */
import { CLASS_COUNT, EOS, GRID_SIZE } from "../../geometry/grid.js";
import { NEIGHBOR_WEIGHT, SCORE_SCALE } from "../../network/vertex-score.js";
import type { Gpu } from "./device.js";
import { ENDED } from "./plan.js";
import type { Recorded } from "./program.js";
import { compileShader } from "./program.js";
import { float } from "./wgsl-text.js";

/** Bytes of a row's choice: the class as u32, the log-probability as f32. */
export const CHOICE_BYTES = 8;

const THREADS = 64;
/** The grid with a border of zeros, so that no neighbor needs a branch; end-of-sequence lies behind it. */
const SIDE = GRID_SIZE + 2;
const BORDERED = SIDE * SIDE;

/** Statement over all classes of a thread. */
const overClasses = (statement: string): string =>
  `for (var i = li; i < ${CLASS_COUNT}u; i += ${THREADS}u) { ${statement} }`;
/** Statement over what each thread found. Every thread does the same: fewer waits than a tree of halves. */
const overThreads = (statement: string): string => `for (var t = 0u; t < ${THREADS}u; t++) { ${statement} }`;
const PLACE = `select((i / ${GRID_SIZE}u + 1u) * ${SIDE}u + i % ${GRID_SIZE}u + 1u, ${BORDERED}u, i == ${EOS}u)`;
const [BESIDE, ACROSS] = [
  [-1, 1, -SIDE, SIDE],
  [-SIDE - 1, -SIDE + 1, SIDE - 1, SIDE + 1],
].map((steps) => steps.map((step) => `mass[u32(i32(p) ${step < 0 ? "-" : "+"} ${Math.abs(step)})]`).join(" + "));

/** One workgroup per row. A row that has ended stays so and answers ENDED. */
const CODE = `@group(0) @binding(0) var<storage, read> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> choices: array<vec2u>;
@group(0) @binding(2) var<storage, read_write> previous: array<i32>;
@group(0) @binding(3) var<storage, read_write> before: array<i32>;
var<workgroup> mass: array<f32, ${BORDERED + 1}>;
var<workgroup> value: array<f32, ${THREADS}>;
var<workgroup> sums: array<f32, ${THREADS}>;
var<workgroup> place: array<u32, ${THREADS}>;
var<workgroup> isOver: u32;
@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) li: u32) {
  let b = group.x;
  if (li == 0u) {
    isOver = select(0u, 1u, previous[b] >= ${ENDED});
    choices[b] = vec2u(${ENDED}u, 0u);
  }
  if (workgroupUniformLoad(&isOver) == 1u) { return; }
  let start = b * ${CLASS_COUNT}u;
  var largest = logits[start + li];
  ${overClasses("largest = max(largest, logits[start + i]);")}
  value[li] = largest;
  workgroupBarrier();
  ${overThreads("largest = max(largest, value[t]);")}
  var sum = 0.0;
  ${overClasses(`let m = exp(logits[start + i] - largest); mass[${PLACE}] = m; sum += m;`)}
  sums[li] = sum;
  workgroupBarrier();
  var best = -1.0;
  var at = 0u;
  ${overClasses(`let p = ${PLACE};
    var score = mass[p];
    if (i < ${EOS}u) {
      score = ${float(SCORE_SCALE)} * (score + ${float(NEIGHBOR_WEIGHT)} * (${BESIDE}) + ${float(NEIGHBOR_WEIGHT ** 2)} * (${ACROSS}));
    }
    if (score > best) { best = score; at = i; }`)}
  value[li] = best;
  place[li] = at;
  workgroupBarrier();
  if (li > 0u) { return; }
  var all = 0.0;
  ${overThreads(`all += sums[t];
    if (value[t] > best || (value[t] == best && place[t] < at)) { best = value[t]; at = place[t]; }`)}
  let i = at;
  let p = ${PLACE};
  var near = mass[p];
  if (at < ${EOS}u) { near += ${BESIDE} + ${ACROSS}; }
  choices[b] = vec2u(at, bitcast<u32>(min(0.0, log(near / all))));
  before[b] = previous[b];
  previous[b] = select(i32(at), ${ENDED}, at == ${EOS}u);
}`;

export interface ChoiceBindings {
  /** [rows, 785] f32 */
  readonly logits: GPUBufferBinding;
  /** [rows] of CHOICE_BYTES */
  readonly choices: GPUBufferBinding;
  /** y(t-1) and y(t-2) of each row, i32; those of the next step afterwards. */
  readonly previous: GPUBufferBinding;
  readonly before: GPUBufferBinding;
}

/** @returns binds the kernel to its buffers */
export async function compileChoice(gpu: Gpu): Promise<(rows: number, bindings: ChoiceBindings) => Recorded> {
  const pipeline = await compileShader(gpu, CODE, { readOnly: 1, written: 3 });
  return (rows, { logits, choices, previous, before }) => {
    const entries = [logits, choices, previous, before].map((resource, binding) => ({ binding, resource }));
    const group = gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return {
      record(pass, computed = rows) {
        pass.setPipeline(pipeline);
        pass.setBindGroup(0, group);
        pass.dispatchWorkgroups(computed);
      },
    };
  };
}

/** Of one step. @param bytes [rows] of CHOICE_BYTES */
export function readChoices(bytes: ArrayBuffer): {
  readonly chosen: Uint32Array;
  readonly logProbabilities: Float32Array;
} {
  const [words, floats] = [new Uint32Array(bytes), new Float32Array(bytes)];
  return {
    chosen: words.filter((_, at) => at % 2 === 0),
    logProbabilities: floats.filter((_, at) => at % 2 === 1),
  };
}
