/**
 * A kernel of the plan as WGSL. Tensors are [B, C, H, W], float32 or in part float16; sums are float32. Every node of a kernel is a function of (batch,
 * channel, row, column); a stored one reads its buffer. A thread of a convolution computes a few columns (tiles.ts) of
 * groups of channels: four, or the parts that one channel of a cell is made of.
 */
import type { WeightedNetwork } from "../../model/model.js";
import type { Kernel, Plan } from "./plan.js";
import { ENDED } from "./plan.js";
import type { PlanNode } from "./record.js";
import { elements } from "./record.js";
import type { Tiles } from "./tiles.js";
import { SAFE_TILES } from "./tiles.js";
import { HALF_FUNCTIONS, loadedHalf, storedHalf, toFloat16 } from "./float16.js";
import {
  ACTIVATIONS,
  LANES,
  concatText,
  elementOf,
  flattenText,
  float,
  indexOf,
  lookText,
  lookupText,
  normalizeText,
  packKernels,
  pixelText,
  poolText,
  range,
  resizeText,
  startsOf,
  viewText,
  viewVariables,
} from "./wgsl-text.js";

export interface Shader {
  readonly code: string;
  /**
   * Kernels of convolutions, four lanes a vector; empty where there are none. In float16 also the rows of dense layers.
   * Binding 0.
   */
  readonly vectors: Float32Array | Uint16Array;
  /** Biases, dense rows, maps and tables. Binding 1. */
  readonly constants: Float32Array;
  /** Buffers from binding 2 on: what is read, then what is stored. */
  readonly buffers: readonly PlanNode[];
  /** Workgroups for a batch. */
  readonly groups: (batch: number) => readonly [number, number, number];
}

const THREADS = 64;
/** Rows of the batch that share one reading of a dense layer's weights. */
const DENSE_ROWS = 8;

type Weights = WeightedNetwork["weights"];

/** @param halves nodes in float16, as in Plan */
export function shaderOf(kernel: Kernel, weights: Weights, tiles = SAFE_TILES, halves?: Plan["halves"]): Shader {
  const text = new ShaderText(kernel, weights, tiles, halves);
  const { heavy } = kernel;
  if (heavy?.operation.kind === "conv") return text.convolution(heavy);
  if (heavy?.operation.kind === "dense") return text.dense(heavy);
  return text.values();
}

class ShaderText {
  private readonly constants: Float32Array[] = [];
  private constantCount = 0;
  private readonly offsets = new Map<string, number>();
  /** By name. */
  private readonly functions = new Map<string, string>();
  /** In the order of use: kernels that do the same have the same text, which a device compiles once. */
  private readonly numbers = new Map<PlanNode, number>();
  private readonly buffers: readonly PlanNode[];

  constructor(
    private readonly kernel: Kernel,
    private readonly weights: Weights,
    private readonly tiles: Tiles,
    private readonly halves: Plan["halves"],
  ) {
    this.buffers = [...kernel.reads, ...kernel.roots];
  }

  convolution(node: PlanNode): Shader {
    const { operation, from, shape } = node;
    if (operation.kind !== "conv") throw new Error("not a convolution");
    const { size, stride, dilation, before, depthwise } = operation;
    const [channels, height, width] = shape;
    const [inputs, inHeight, inWidth] = from[0]!.shape;
    const { parts } = this.kernel;
    const { columns, threads } = this.tiles;
    const perGroup = parts > 1 ? 1 : LANES;
    const groupCount = Math.ceil(channels / parts / perGroup);
    // What a depthwise group reads serves no other.
    const groups = range(depthwise ? 1 : Math.min(this.tiles.groups, groupCount));
    const across = Math.ceil(width / columns);
    const total = Math.ceil(groupCount / groups.length) * height * across;
    const span = (columns - 1) * stride + (size - 1) * dilation + 1;
    const channelOf = (lane: number, group = 0): string =>
      parts > 1 ? `(o${group} + ${(lane * channels) / parts}u)` : `min(o${group} + ${lane}u, ${channels - 1}u)`;
    const lanes = (value: (lane: number) => string): string =>
      `vec4f(${[0, 1, 2, 3].map((lane) => (lane < Math.max(parts, perGroup) ? value(lane) : "0.0")).join(", ")})`;
    const bias = this.weights.has(`${operation.weights}.bias`) ? this.weight(`${operation.weights}.bias`) : undefined;
    const startOf = (group: number): string =>
      bias === undefined ? "vec4f()" : lanes((lane) => `K[${bias}u + ${channelOf(lane, group)}]`);
    // Channels that lie side by side are read one source after the other, so that no reading has to ask whose they are:
    // SwiftShader needs minutes to compile inlined copies of a reading with branches, and a step is mostly readings.
    const sources = depthwise ? [{ node: from[0]!, start: 0 }] : this.sourcesOf(from[0]!);
    const loads = sources.map(
      (source, at) => `fn load${at}(b: u32, c: u32, y: i32, x: i32) -> f32 {
  let isInside = y >= 0 && x >= 0 && y < ${inHeight} && x < ${inWidth};
  let value = ${this.call(source.node)}(b, c, u32(clamp(y, 0, ${inHeight - 1})), u32(clamp(x, 0, ${inWidth - 1})));
  return select(0.0, value, isInside);
}`,
    );
    const readings = sources.map((_, at) =>
      depthwise
        ? range(LANES)
            .map((lane) => `near[i][${lane}] = load${at}(b, ${channelOf(lane)}, y, x + i32(i));`)
            .join(" ")
        : `near[i] = load${at}(b, ci, y, x + i32(i));`,
    );
    const inputsOfGroup = depthwise ? 1 : inputs;
    const products = range(size).flatMap((kx) =>
      groups.flatMap((g) => [
        `let w${g}_${kx} = vec4f(V[at + ${g * inputsOfGroup * size * size + kx}u]);`,
        ...range(columns).map((t) => `a${g}[${t}] += w${g}_${kx} * near[${t * stride + kx * dilation}];`),
      ]),
    );
    const main = `@compute @workgroup_size(${threads}) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${total}u) { return; }
  let b = id.z;
  ${this.begin()}
  let tile = id.x % ${across}u;
  let row = (id.x / ${across}u) % ${height}u;
  let own = id.x / ${across * height}u * ${groups.length}u;
  let group = min(own, ${groupCount - groups.length}u);
  ${groups
    .map(
      (g) => `let o${g} = (group + ${g}u) * ${perGroup}u;
  let start${g} = ${startOf(g)};
  var a${g} = array<vec4f, ${columns}>(${range(columns)
    .map(() => `start${g}`)
    .join(", ")});`,
    )
    .join("\n  ")}
  var near: array<${depthwise ? "vec4f" : "f32"}, ${span}>;
  let x = i32(tile) * ${columns * stride} - ${before};
  ${sources
    .map(
      ({ node: source, start: first }, at) => `for (var ci = 0u; ci < ${depthwise ? 1 : source.shape[0]}u; ci++) {
    for (var ky = 0u; ky < ${size}u; ky++) {
      let y = i32(row) * ${stride} - ${before} + i32(ky) * ${dilation};
      let at = ((group * ${inputsOfGroup}u + ${first}u + ci) * ${size}u + ky) * ${size}u;
      for (var i = 0u; i < ${span}u; i++) { ${readings[at]!} }
      ${products.join("\n      ")}
    }
  }`,
    )
    .join("\n  ")}
  for (var t = 0u; t < ${columns}u; t++) {
    ${groups.map((g) => `if (group + ${g}u >= own) { finish(b, o${g}, row, tile * ${columns}u + t, a${g}[t]); }`).join(" ")}
  }
}
fn finish(b: u32, o0: u32, y: u32, x: u32, a: vec4f) {
  if (x >= ${width}u) { return; }
  ${
    parts > 1
      ? `acc = a; let c = o0; ${this.store()}`
      : `for (var lane = 0u; lane < min(${LANES}u, ${channels}u - o0); lane++) {
    acc.x = a[lane]; let c = o0 + lane; ${this.store()}
  }`
  }
}`;
    const sizes = { channels, inputs: depthwise ? 1 : inputs, taps: size * size, parts };
    const vectors = packKernels(this.valuesOf(`${operation.weights}.weight`), sizes);
    return this.shader(`${loads.join("\n")}\n${main}`, vectors, (batch) => [Math.ceil(total / threads), 1, batch]);
  }

  /** What a concatenation that is not in memory is made of. */
  private sourcesOf(node: PlanNode): ReturnType<typeof startsOf> {
    return startsOf(node.operation.kind !== "concat" || this.kernel.reads.includes(node) ? [node] : node.from);
  }

  dense(node: PlanNode): Shader {
    const { operation, from, shape } = node;
    if (operation.kind !== "dense") throw new Error("not a dense layer");
    const inputs = elements(from[0]!.shape);
    const isHalf = this.halves !== undefined;
    const values = this.valuesOf(`${operation.weights}.weight`);
    const rows = isHalf ? undefined : this.weight(`${operation.weights}.weight`);
    const bias = this.weight(`${operation.weights}.bias`);
    const source = `B${this.buffers.indexOf(from[0]!)}`;
    const loaded = (value: string): string => (this.isHalf(from[0]!) ? loadedHalf(from[0]!, value) : value);
    const sums = range(DENSE_ROWS);
    const { rows: ended } = this.kernel;
    const rowsOf = ended && `B${this.buffers.indexOf(ended)}`;
    const isEnded = (row: string): string => `${rowsOf}[min(${row}, batch - 1u)] >= ${ENDED}`;
    // All rows of a workgroup at once, because its threads wait for one another.
    const passOver =
      rowsOf &&
      `if (li == 0u) { live = select(1u, 0u, ${sums.map((r) => isEnded(`b0 + ${r}u`)).join(" && ")}); }
  if (workgroupUniformLoad(&live) == 0u) { return; }`;
    const main = `var<workgroup> sums: array<f32, ${DENSE_ROWS * THREADS}>;
var<workgroup> live: u32;
@compute @workgroup_size(${THREADS}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) li: u32) {
  let batch = arrayLength(&${source}) / ${inputs}u;
  let o = group.x;
  let b0 = group.y * ${DENSE_ROWS}u;
  ${passOver ?? ""}
  ${sums.map((r) => `var s${r} = 0.0; let at${r} = min(b0 + ${r}u, batch - 1u) * ${inputs}u;`).join("\n  ")}
  for (var k = li; k < ${inputs}u; k += ${THREADS}u) {
    let w = ${rows === undefined ? `f32(V[o * ${inputs}u + k])` : `K[${rows}u + o * ${inputs}u + k]`};
    ${sums.map((r) => `s${r} += w * ${loaded(`${source}[at${r} + k]`)};`).join("\n    ")}
  }
  ${sums.map((r) => `sums[${r * THREADS}u + li] = s${r};`).join(" ")}
  workgroupBarrier();
  let b = b0 + li;
  if (li >= ${DENSE_ROWS}u || b >= batch) { return; }
  var sum = K[${bias}u + o];
  for (var k = 0u; k < ${THREADS}u; k++) { sum += sums[li * ${THREADS}u + k]; }
  acc.x = sum; ${lookText(this.kernel.reads)}
  let c = o; let y = 0u; let x = 0u;
  ${this.store()}
}`;
    const groups: Shader["groups"] = (batch) => [shape[0], Math.ceil(batch / DENSE_ROWS), 1];
    return this.shader(main, isHalf ? values : new Float32Array(4), groups, isHalf ? "f16" : undefined);
  }

  values(): Shader {
    const [channels, height, width] = this.kernel.roots[0]!.shape;
    const total = channels * height * width;
    const main = `@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${total}u) { return; }
  let b = id.z;
  ${this.begin()}
  let c = id.x / ${height * width}u; let y = (id.x / ${width}u) % ${height}u; let x = id.x % ${width}u;
  ${this.store()}
}`;
    return this.shader(main, new Float32Array(4), (batch) => [Math.ceil(total / THREADS), 1, batch]);
  }

  /** Statements that end the thread of a row whose polygon has ended, and look up which crop another row sees. */
  private begin(): string {
    const { rows, reads } = this.kernel;
    const passOver = rows === undefined ? "" : `if (B${this.buffers.indexOf(rows)}[b] >= ${ENDED}) { return; }`;
    return passOver + lookText(reads);
  }

  /** @param element of `vectors`; as usual when absent */
  private shader(
    main: string,
    vectors: Float32Array,
    groups: Shader["groups"],
    element = this.halves === undefined ? "vec4f" : "vec4h",
  ): Shader {
    const constants = new Float32Array(Math.max(1, this.constantCount));
    let at = 0;
    for (const values of this.constants) {
      constants.set(values, at);
      at += values.length;
    }
    const bindings = this.buffers.map((node, at) => {
      const access = at < this.kernel.reads.length ? "read" : "read_write";
      return `@group(0) @binding(${at + 2}) var<storage, ${access}> B${at}: array<${elementOf(node, this.isHalf(node))}>;`;
    });
    const code = [
      ...(this.halves === undefined ? [] : ["enable f16;", HALF_FUNCTIONS]),
      `@group(0) @binding(0) var<storage, read> V: array<${element}>;`,
      "@group(0) @binding(1) var<storage, read> K: array<f32>;",
      ...bindings,
      "var<private> acc: vec4f;",
      ...viewVariables(this.kernel.reads),
      ...this.kernel.roots.map((_, at) => `var<private> root${at}: f32;`),
      ...this.functions.values(),
      main,
    ].join("\n");
    const packed = this.halves === undefined ? vectors : toFloat16(vectors);
    return { code, vectors: packed, constants, buffers: this.buffers, groups };
  }

  private isHalf(node: PlanNode): boolean {
    return this.halves?.has(node) === true;
  }

  /** Statements that compute and store every root at (b, c, y, x). */
  private store(): string {
    return this.kernel.roots
      .map((root, at) => {
        const index = indexOf(root);
        const buffer = `B${this.kernel.reads.length + at}`;
        const value = this.isHalf(root) ? storedHalf(root, `root${at}`) : `root${at}`;
        return `root${at} = ${this.computed(root)}(b, c, y, x); ${buffer}[${index}] = ${value};`;
      })
      .join(" ");
  }

  /** Name of the function that computes a root. */
  private computed(root: PlanNode): string {
    return root === this.kernel.heavy
      ? this.call(root)
      : this.declare(`compute${this.number(root)}`, () => this.body(root));
  }

  private number(node: PlanNode): number {
    if (!this.numbers.has(node)) this.numbers.set(node, this.numbers.size);
    return this.numbers.get(node)!;
  }

  private declare(name: string, body: () => string): string {
    if (!this.functions.has(name)) {
      this.functions.set(name, ""); // a network has no circles, but a node may be reached twice
      this.functions.set(name, `fn ${name}(b: u32, c: u32, y: u32, x: u32) -> f32 { ${body()} }`);
    }
    return name;
  }

  /** Name of the function that gives a node's value. */
  private call(node: PlanNode): string {
    return this.declare(`v${this.number(node)}`, () => {
      const { heavy, parts, roots, reads } = this.kernel;
      if (node === heavy) return `return ${parts === 1 ? "acc.x" : `acc[c / ${node.shape[0] / parts}u]`};`;
      if (roots.includes(node)) return `return root${roots.indexOf(node)};`;
      if (reads.includes(node)) {
        const { operation, shape } = node;
        const buffer = `B${reads.indexOf(node)}`;
        if (operation.kind === "input" && operation.type === "pixels") return pixelText(shape, buffer);
        const value = `${buffer}[${indexOf(node)}]`;
        return `return ${this.isHalf(node) ? loadedHalf(node, value) : value};`;
      }
      return this.body(node);
    });
  }

  /** Statements that return a node's value from its operands. */
  private body({ operation, from, shape }: PlanNode): string {
    const at = (operand: PlanNode, place = "b, c, y, x"): string => `${this.call(operand)}(${place})`;
    const [x, other] = from;
    switch (operation.kind) {
      case "add":
        return `return ${at(x!)} + ${at(other!)};`;
      case "multiply":
        return `return ${at(x!)} * ${at(other!)};`;
      case "relu":
      case "relu6":
      case "sigmoid":
      case "tanh":
        return `return ${ACTIVATIONS[operation.kind](at(x!))};`;
      case "affine":
        return `return ${at(x!)} * ${float(operation.scale)} + ${float(operation.offset)};`;
      case "map":
        return `return ${at(x!)} * K[${this.weight(`${operation.weights}.weight`)}u + (c * ${shape[1]}u + y) * ${shape[2]}u + x];`;
      case "slice":
        return `return ${at(x!, `b, c + ${operation.start}u, y, x`)};`;
      case "concat":
        return concatText(at, from);
      case "flatten":
        return flattenText((place) => at(x!, place), x!.shape);
      case "pad":
        return `if (c < ${x!.shape[0]}u) { return ${at(x!)}; } return 0.0;`;
      case "lookup": {
        const { name, values, channels } = operation.table;
        return lookupText(this.constant(name, values), channels, `B${this.kernel.reads.indexOf(x!)}`);
      }
      case "view":
        return viewText((place) => at(x!, place), shape);
      case "normalize":
        return normalizeText((place) => at(x!, place), operation.normalization);
      case "pool":
        return poolText((place) => at(x!, place), operation.size);
      case "resize":
        return resizeText((place) => at(x!, place), x!.shape, shape);
      case "input":
      case "conv":
      case "dense":
        throw new Error(`a ${operation.kind} node is read without being stored`);
    }
  }

  private weight(name: string): number {
    return this.constant(name, this.valuesOf(name));
  }

  private valuesOf(name: string): Float32Array {
    const weight = this.weights.get(name);
    if (weight === undefined) throw new Error(`no weights ${name}`);
    return weight.values;
  }

  /** @returns where the values start */
  private constant(name: string, values: Float32Array): number {
    const known = this.offsets.get(name);
    if (known !== undefined) return known;
    const start = this.constantCount;
    this.offsets.set(name, start);
    this.constants.push(values);
    this.constantCount += values.length;
    return start;
  }
}
