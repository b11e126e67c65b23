/**
 * Where the time of a batch goes on a device, kernel by kernel: every kernel of the encoder and of a step is run alone,
 * often enough to be measured by the clock (timestamps of WebGPU are rounded to tenths of a millisecond). Beside each
 * stands its share of what the same device does at most in a loop of multiply-adds, and in copying memory.
 *
 *     node bench/card.mjs --profile
 */
import { encoderPlan, stepPlan } from "../dist/engine/webgpu/engine.js";
import { ENDED, bytesOf } from "../dist/engine/webgpu/plan.js";
import { Program, compileShader, submit } from "../dist/engine/webgpu/program.js";
import { elements } from "../dist/engine/webgpu/record.js";
import { median, timed } from "./harness.mjs";

const THREADS = 64;
const CHAINS = 8;

/**
 * @param rows  of a run: crops of the encoder, polygons of a step
 * @param quick that it runs, not how fast
 * @returns title and table of each program, and the most the device does
 */
export async function profileKernels(gpu, model, { encoderRows, stepRows, tiles, quick }) {
  const roundMs = quick ? 0 : 10;
  const peak = { flops: await mostFlops(gpu, quick), bytes: await mostBytes(gpu, quick) };
  const parts = [];
  for (const [title, plan, rows] of [
    ["encoder", encoderPlan(model), encoderRows],
    ["step", stepPlan(model), stepRows],
  ]) {
    const program = await Program.compile(gpu, plan, model.weights, tiles);
    const bindings = {};
    for (const [name, node] of inputsAndOutputs(plan)) bindings[name] = { buffer: inputBuffer(gpu, node, rows) };
    const { kernels } = program.bind(rows, bindings);
    const each = [];
    for (const [at, kernel] of kernels.entries()) {
      const seconds = await secondsOf(gpu, kernel, roundMs);
      each.push({ ...costOf(plan, plan.kernels[at], model.weights), seconds });
    }
    parts.push({ title: `${title}, ${rows} rows, ${kernels.length} kernels`, each: grouped(each, rows), rows });
    gpu.free(Object.values(bindings).map(({ buffer }) => buffer));
    program.dispose();
  }
  return { peak, parts };
}

/** @returns columns and rows of a table, the dearest first */
export function profileTable({ each, rows }, peak) {
  const all = each.reduce((sum, { seconds }) => sum + seconds, 0);
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  const line = ({ name, times, seconds, flops, bytes }) => [
    times > 1 ? `${name}, ${times} times` : name,
    ((1e6 * seconds) / rows).toFixed(2),
    percent(seconds / all),
    flops === 0 ? "" : `${tera(flops / seconds)}, ${percent(flops / seconds / peak.flops)}`,
    `${giga(bytes / seconds)}, ${percent(bytes / seconds / peak.bytes)}`,
  ];
  const total = each.reduce(
    (sum, { times, flops, bytes, seconds }) => ({
      name: "all of them",
      times: sum.times + times,
      flops: sum.flops + flops,
      bytes: sum.bytes + bytes,
      seconds: sum.seconds + seconds,
    }),
    { times: 0, flops: 0, bytes: 0, seconds: 0 },
  );
  const columns = [
    "Kernel",
    "us per row",
    "Share of the time",
    "TFLOP/s, share of the most",
    "GB/s, share of the most",
  ];
  return { columns, rows: [...each.map(line), line({ ...total, times: 1 })] };
}

/** Of operations per second, as a card and a driver on the processor can both be told. */
export function tera(perSecond) {
  return (perSecond / 1e12).toPrecision(3);
}

export function giga(perSecond) {
  return (perSecond / 1e9).toPrecision(3);
}

/** Median of three rounds, each of so many runs that the clock can tell; one where a round takes longer than wanted. */
async function secondsOf(gpu, kernel, roundMs) {
  const round = async (times) => {
    const work = Array.from({ length: times }, () => kernel);
    const { seconds } = await timed(() => (submit(gpu, work), gpu.device.queue.onSubmittedWorkDone()));
    gpu.check();
    return seconds / times;
  };
  let times = 1;
  let seconds = await round(1); // the first run of a kernel takes longer
  while (times < 4096 && 1000 * times * (seconds = await round(times)) < roundMs) times *= 4;
  if (1000 * times * seconds > 4 * roundMs) return seconds;
  return median([seconds, await round(times), await round(times)]);
}

function inputsAndOutputs(plan) {
  const inputs = [...plan.stored].filter(({ operation }) => operation.kind === "input");
  return [...inputs.map((node) => [node.operation.name, node]), ...Object.entries(plan.outputs)];
}

/** Vertices that have not ended; the rows of a batch in order; else zeros: no kernel's time depends on values. */
function inputBuffer(gpu, node, rows) {
  if (node.operation.kind !== "input" || node.operation.type !== "index")
    return gpu.buffer(rows * 4 * elements(node.shape));
  return gpu.upload(Int32Array.from({ length: rows }, (_, row) => row % ENDED));
}

/** Of a row: multiply-adds count two; bytes are those that must cross, each once. */
function costOf(plan, kernel, weights) {
  const { heavy, roots, reads } = kernel;
  const bytes = [...reads, ...roots].reduce((sum, node) => sum + bytesOf(plan, node), 0);
  const [channels, height, width] = (heavy ?? roots[0]).shape;
  const size = `${channels} x ${height} x ${width}`;
  if (heavy === undefined) return { name: `${roots[0].operation.kind} to ${size}`, flops: 0, bytes };
  const from = heavy.from[0].shape;
  const { kind, size: side = 1, stride = 1, depthwise = false } = heavy.operation;
  const perValue = weights.get(`${heavy.operation.weights}.weight`).values.length / channels;
  const flops = 2 * perValue * elements(heavy.shape);
  const after = kernel.parts > 1 ? ", and the cell" : "";
  if (kind === "dense") return { name: `dense, ${elements(from)} to ${channels}`, flops, bytes };
  const what = `${depthwise ? "depthwise" : "convolution"} ${side} x ${side}`;
  return { name: `${what}${stride > 1 ? ` / ${stride}` : ""}, ${from[0]} to ${size}${after}`, flops, bytes };
}

/** Kernels of one name together. */
function grouped(each, rows) {
  const byName = new Map();
  for (const { name, seconds, flops, bytes } of each) {
    const known = byName.get(name) ?? { name, times: 0, seconds: 0, flops: 0, bytes: 0 };
    known.times++;
    known.seconds += seconds;
    known.flops += rows * flops;
    known.bytes += rows * bytes;
    byName.set(name, known);
  }
  return [...byName.values()].sort((a, b) => b.seconds - a.seconds);
}

/** Multiply-adds of float32 in registers, eight independent vectors of four a thread, two operations each. */
async function mostFlops(gpu, quick) {
  const loops = quick ? 16 : 512;
  const groups = quick ? 4 : 8192;
  const sums = Array.from({ length: CHAINS }, (_, at) => at);
  const code = `@group(0) @binding(0) var<storage, read> A: array<f32>;
@group(0) @binding(1) var<storage, read_write> B: array<f32>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  let m = vec4f(A[0]); let s = vec4f(A[1]);
  ${sums.map((at) => `var a${at} = vec4f(f32(id.x) + ${at}.0);`).join(" ")}
  for (var i = 0u; i < ${loops}u; i++) { ${sums.map((at) => `a${at} = fma(a${at}, m, s);`).join(" ")} }
  let sum = ${sums.map((at) => `a${at}`).join(" + ")};
  B[id.x % 64u] = sum.x + sum.y + sum.z + sum.w;
}`;
  const buffers = [gpu.upload(Float32Array.of(0.999, 0.001)), gpu.buffer(4 * THREADS)];
  const flops = 2 * 4 * CHAINS * loops * THREADS * groups;
  return flops / (await secondsOfShader(gpu, code, { buffers, groups, quick }));
}

/** A copy, 128 MB read and as many written. */
async function mostBytes(gpu, quick) {
  const bytes = quick ? 2 ** 16 : 2 ** 27;
  const groups = Math.min(65_535, bytes / 16 / THREADS);
  const code = `@group(0) @binding(0) var<storage, read> A: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> B: array<vec4f>;
@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  for (var i = id.x; i < ${bytes / 16}u; i += ${groups * THREADS}u) { B[i] = A[i]; }
}`;
  const buffers = [gpu.buffer(bytes), gpu.buffer(bytes)];
  return (2 * bytes) / (await secondsOfShader(gpu, code, { buffers, groups, quick }));
}

async function secondsOfShader(gpu, code, { buffers, groups, quick }) {
  const pipeline = await compileShader(gpu, code, { readOnly: 1, written: 1 });
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  const group = gpu.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  const kernel = {
    record(pass) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(groups);
    },
  };
  try {
    return await secondsOf(gpu, kernel, quick ? 0 : 50);
  } finally {
    gpu.free(buffers);
  }
}
