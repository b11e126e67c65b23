/**
 * A kernel of the plan as WGSL. Tensors are [B, C, H, W], float32 or in part float16; sums are float32. Every node of a
 * kernel is a function of (batch, channel, row, column); a stored one reads its buffer. A thread of a convolution
 * computes a few columns (tiles.ts) of groups of channels: four, or the parts that one channel of a cell is made of.
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
import type { Sums } from "./wgsl-workgroup.js";
import { denseGroups, denseText, depthwiseText, finishText, joinedText } from "./wgsl-workgroup.js";

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
    const inputs = from[0]!.shape[0];
    const { parts } = this.kernel;
    const sums = this.sums(node);
    const { groupCount, groups, columns } = sums;
    const sizes = { channels, inputs: depthwise ? 1 : inputs, taps: size * size, parts };
    const vectors = packKernels(this.valuesOf(`${operation.weights}.weight`), sizes);
    const finish = finishText({ channels, width, parts }, this.store());
    const { threads } = this.tiles;
    const begin = this.begin();
    if (this.kernel.before !== undefined) {
      const joined = joinedText({ inputs, height, width, value: this.call(from[0]!), begin, sums, threads });
      return this.shader(`${joined.main}\n${finish}`, vectors, joined.groups);
    }
    const across = Math.ceil(width / columns);
    const total = Math.ceil(groupCount / groups.length) * height * across;
    const span = (columns - 1) * stride + (size - 1) * dilation + 1;
    // Channels that lie side by side are read one source after the other, so that no reading has to ask whose they are:
    // SwiftShader needs minutes to compile inlined copies of a reading with branches, and a step is mostly readings.
    const sources = depthwise ? [{ node: from[0]!, start: 0 }] : this.sourcesOf(from[0]!);
    const loads = sources.map(({ node: source }, at) => this.loadText(`load${at}`, source));
    const readings = sources.map((_, at) =>
      depthwise
        ? range(LANES)
            .map((lane) => `near[i][${lane}] = load${at}(b, min(o0 + ${lane}u, ${channels - 1}u), y, x + i32(i));`)
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
  ${begin}
  let tile = id.x % ${across}u;
  let row = (id.x / ${across}u) % ${height}u;
  let own = id.x / ${across * height}u * ${groups.length}u;
  let group = min(own, ${groupCount - groups.length}u);
  ${sums.declared}
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
}`;
    return this.shader([...loads, main, finish].join("\n"), vectors, (batch) => [Math.ceil(total / threads), 1, batch]);
  }

  /** What a thread of a convolution sums, from its first group of channels on. */
  private sums(node: PlanNode): Sums {
    const { operation, shape } = node;
    if (operation.kind !== "conv") throw new Error("not a convolution");
    const [channels] = shape;
    const { parts } = this.kernel;
    const { columns } = this.tiles;
    const perGroup = parts > 1 ? 1 : LANES;
    const groupCount = Math.ceil(channels / parts / perGroup);
    // What a depthwise group reads serves no other.
    const groups = range(operation.depthwise ? 1 : Math.min(this.tiles.groups, groupCount));
    const bias = this.weights.has(`${operation.weights}.bias`) ? this.weight(`${operation.weights}.bias`) : undefined;
    const lane = (group: number, at: number): string =>
      parts > 1
        ? `K[${bias}u + o${group} + ${(at * channels) / parts}u]`
        : `K[${bias}u + min(o${group} + ${at}u, ${channels - 1}u)]`;
    const lanes = (group: number): string =>
      range(LANES)
        .map((at) => (at < Math.max(parts, perGroup) ? lane(group, at) : "0.0"))
        .join(", ");
    const declared = groups.map(
      (g) => `let o${g} = (group + ${g}u) * ${perGroup}u;
  let start${g} = vec4f(${bias === undefined ? "" : lanes(g)});
  var a${g} = array<vec4f, ${columns}>(${range(columns)
    .map(() => `start${g}`)
    .join(", ")});`,
    );
    return { groupCount, groups, columns, declared: declared.join("\n  ") };
  }

  /** A function of signed places, zero outside. */
  private loadText(name: string, source: PlanNode): string {
    const [, height, width] = source.shape;
    return `fn ${name}(b: u32, c: u32, y: i32, x: i32) -> f32 {
  let isInside = y >= 0 && x >= 0 && y < ${height} && x < ${width};
  let value = ${this.call(source)}(b, c, u32(clamp(y, 0, ${height - 1})), u32(clamp(x, 0, ${width - 1})));
  return select(0.0, value, isInside);
}`;
  }

  /** What a concatenation that is not in memory is made of. */
  private sourcesOf(node: PlanNode): ReturnType<typeof startsOf> {
    return startsOf(node.operation.kind !== "concat" || this.kernel.reads.includes(node) ? [node] : node.from);
  }

  dense(node: PlanNode): Shader {
    const { operation, from, shape } = node;
    if (operation.kind !== "dense") throw new Error("not a dense layer");
    const isHalf = this.halves !== undefined;
    const rows = isHalf ? undefined : this.weight(`${operation.weights}.weight`);
    const { rows: ended } = this.kernel;
    const main = denseText({
      inputs: elements(from[0]!.shape),
      source: `B${this.buffers.indexOf(from[0]!)}`,
      loaded: (value) => (this.isHalf(from[0]!) ? loadedHalf(from[0]!, value) : value),
      weightAt: (at) => (rows === undefined ? `f32(V[${at}])` : `K[${rows}u + ${at}]`),
      bias: this.weight(`${operation.weights}.bias`),
      isEnded: ended && ((row) => `B${this.buffers.indexOf(ended)}[${row}] >= ${ENDED}`),
      store: lookText(this.kernel.reads) + this.store(),
    });
    const values = isHalf ? this.valuesOf(`${operation.weights}.weight`) : new Float32Array(4);
    return this.shader(main, values, (batch) => denseGroups(shape[0], batch), isHalf ? "f16" : undefined);
  }

  values(): Shader {
    const [channels, height, width] = this.kernel.roots[0]!.shape;
    const total = channels * height * width;
    const main = `@compute @workgroup_size(${THREADS}) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x >= ${total}u) { return; }
  let b = id.z; ${this.begin()}
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
      ...this.kernel.roots.map((_, at) => `var<private> root${at}: f32;`),
      ...viewVariables(this.kernel.reads),
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
      if (node === this.kernel.before) return this.depthwise(node);
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

  /** Statements that compute a depthwise convolution within another kernel. */
  private depthwise({ operation, from }: PlanNode): string {
    if (operation.kind !== "conv") throw new Error("not a convolution");
    const { weights, size } = operation;
    const kernel = this.weight(`${weights}.weight`);
    this.functions.set("within", this.loadText("within", from[0]!));
    return depthwiseText(operation, {
      start: this.weights.has(`${weights}.bias`) ? `K[${this.weight(`${weights}.bias`)}u + c]` : "0.0",
      weightAt: (tap) => `K[${kernel}u + c * ${size * size}u + ${tap}]`,
      at: "within",
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
