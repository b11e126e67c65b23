/**
 * Kernels whose threads share the memory of a workgroup: dense layers, and pointwise convolutions with a depthwise one
 * in them.
 */
import { LANES, range } from "./wgsl-text.js";

/** Threads of a workgroup that sum one output of a dense layer, each a part of the inputs. */
const DENSE_THREADS = 64;
/** Rows of the batch that share one reading of a dense layer's weights. */
const DENSE_ROWS = 8;
/** Values that a workgroup may share: what every device offers, 16 KiB. */
const SHARED_VALUES = 4096;
/** Channels of the depthwise convolution that are computed between two waits. */
const MOST_CHANNELS = 32;
/** Threads side by side whose channels differ; the others' pixels do. */
const MOST_ACROSS = 8;

interface DenseText {
  readonly inputs: number;
  /** Buffer of the inputs. */
  readonly source: string;
  /** Expression of a value read from it. */
  readonly loaded: (value: string) => string;
  /** Expression of a weight. @param at index in the layer's weights */
  readonly weightAt: (at: string) => string;
  readonly bias: number;
  /** Whether a row of the batch has ended, as an expression; absent where none can. */
  readonly isEnded?: ((row: string) => string) | undefined;
  /** Statements that store (b, c, y, x). */
  readonly store: string;
}

/** The inputs are split among the threads of a workgroup, whose sums are added in one order. */
export function denseText({ inputs, source, loaded, weightAt, bias, isEnded, store }: DenseText): string {
  const sums = range(DENSE_ROWS);
  // All rows of a workgroup at once, because its threads wait for one another.
  const passOver =
    isEnded &&
    `if (li == 0u) { live = select(1u, 0u, ${sums.map((r) => isEnded(`min(b0 + ${r}u, batch - 1u)`)).join(" && ")}); }
  if (workgroupUniformLoad(&live) == 0u) { return; }`;
  return `var<workgroup> sums: array<f32, ${DENSE_ROWS * DENSE_THREADS}>;
var<workgroup> live: u32;
@compute @workgroup_size(${DENSE_THREADS}) fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) li: u32) {
  let batch = arrayLength(&${source}) / ${inputs}u;
  let o = group.x;
  let b0 = group.y * ${DENSE_ROWS}u;
  ${passOver ?? ""}
  ${sums.map((r) => `var s${r} = 0.0; let at${r} = min(b0 + ${r}u, batch - 1u) * ${inputs}u;`).join("\n  ")}
  for (var k = li; k < ${inputs}u; k += ${DENSE_THREADS}u) {
    let w = ${weightAt(`o * ${inputs}u + k`)};
    ${sums.map((r) => `s${r} += w * ${loaded(`${source}[at${r} + k]`)};`).join("\n    ")}
  }
  ${sums.map((r) => `sums[${r * DENSE_THREADS}u + li] = s${r};`).join(" ")}
  workgroupBarrier();
  let b = b0 + li;
  if (li >= ${DENSE_ROWS}u || b >= batch) { return; }
  var sum = K[${bias}u + o];
  for (var k = 0u; k < ${DENSE_THREADS}u; k++) { sum += sums[li * ${DENSE_THREADS}u + k]; }
  acc.x = sum;
  let c = o; let y = 0u; let x = 0u;
  ${store}
}`;
}

/** @returns workgroups of a dense layer */
export function denseGroups(outputs: number, batch: number): readonly [number, number, number] {
  return [outputs, Math.ceil(batch / DENSE_ROWS), 1];
}

/** What a thread of a convolution sums: groups of channels, each a vector, over several pixels. */
export interface Sums {
  readonly groupCount: number;
  /** Groups of a thread. */
  readonly groups: readonly number[];
  /** Pixels of a thread. */
  readonly columns: number;
  /** Declarations of the sums a0, a1, …, from `group` on, with the bias in them. */
  readonly declared: string;
}

interface JoinedText {
  /** Channels between both convolutions. */
  readonly inputs: number;
  readonly height: number;
  readonly width: number;
  /** Function of (b, c, y, x) that computes what the pointwise convolution reads. */
  readonly value: string;
  /** Statements that a row of the batch begins with. */
  readonly begin: string;
  readonly sums: Sums;
  /** Threads of a workgroup, at most. */
  readonly threads: number;
}

/**
 * A workgroup computes the depthwise convolution for its pixels, some channels at a time, into shared memory; then each
 * thread adds the products of its pixels and output channels. Outputs that one workgroup has no room for are left to
 * another, which computes the depthwise values again.
 */
export function joinedText({ inputs, height, width, value, begin, sums, threads }: JoinedText): {
  readonly main: string;
  readonly groups: (batch: number) => readonly [number, number, number];
} {
  const { groupCount, groups, columns, declared } = sums;
  const ofThread = groups.length;
  const across = Math.min(MOST_ACROSS, Math.ceil(groupCount / ofThread));
  const pixels = height * width;
  const along = Math.max(1, Math.min(Math.floor(threads / across), Math.ceil(pixels / columns)));
  const side = along * columns;
  const channels = Math.max(1, Math.min(MOST_CHANNELS, inputs, Math.floor(SHARED_VALUES / side)));
  const size = across * along;
  const main = `var<workgroup> hidden: array<f32, ${channels * side}>;
@compute @workgroup_size(${size}) fn main(@builtin(workgroup_id) at: vec3u, @builtin(local_invocation_index) li: u32) {
  let b = at.z;
  ${begin}
  let first = at.x * ${side}u;
  let own = (at.y * ${across}u + li % ${across}u) * ${ofThread}u;
  let group = min(own, ${groupCount - ofThread}u);
  let mine = li / ${across}u * ${columns}u;
  ${declared}
  for (var c0 = 0u; c0 < ${inputs}u; c0 += ${channels}u) {
    let count = min(${channels}u, ${inputs}u - c0);
    for (var i = li; i < count * ${side}u; i += ${size}u) {
      let p = min(first + i % ${side}u, ${pixels - 1}u);
      hidden[i] = ${value}(b, c0 + i / ${side}u, p / ${width}u, p % ${width}u);
    }
    workgroupBarrier();
    for (var k = 0u; k < count; k++) {
      let near = k * ${side}u + mine;
      ${groups
        .map(
          (g) => `let w${g} = vec4f(V[(group + ${g}u) * ${inputs}u + c0 + k]);
      ${range(columns)
        .map((t) => `a${g}[${t}] += w${g} * hidden[near + ${t}u];`)
        .join(" ")}`,
        )
        .join("\n      ")}
    }
    workgroupBarrier();
  }
  for (var t = 0u; t < ${columns}u; t++) {
    let p = first + mine + t;
    if (p >= ${pixels}u) { return; }
    ${groups.map((g) => `if (group + ${g}u >= own) { finish(b, o${g}, p / ${width}u, p % ${width}u, a${g}[t]); }`).join(" ")}
  }
}`;
  return {
    main,
    groups: (batch) => [Math.ceil(pixels / side), Math.ceil(groupCount / ofThread / across), batch],
  };
}

/** The depthwise convolution as a function's statements. @param at value of its input, zero outside */
export function depthwiseText(
  { size, stride, dilation, before }: Readonly<Record<"size" | "stride" | "dilation" | "before", number>>,
  { start, weightAt, at }: { readonly start: string; readonly weightAt: (tap: string) => string; readonly at: string },
): string {
  return `var sum = ${start};
  for (var ky = 0; ky < ${size}; ky++) { for (var kx = 0; kx < ${size}; kx++) {
    let v = ${at}(b, c, i32(y) * ${stride} - ${before} + ky * ${dilation}, i32(x) * ${stride} - ${before} + kx * ${dilation});
    sum += ${weightAt(`u32(ky * ${size} + kx)`)} * v;
  } }
  return sum;`;
}

/** Function that stores the sums of one pixel. @param store statements that store `acc` at (b, c, y, x) */
export function finishText(
  { channels, width, parts }: { readonly channels: number; readonly width: number; readonly parts: number },
  store: string,
): string {
  return `fn finish(b: u32, o0: u32, y: u32, x: u32, a: vec4f) {
  if (x >= ${width}u) { return; }
  ${
    parts > 1
      ? `acc = a; let c = o0; ${store}`
      : `for (var lane = 0u; lane < min(${LANES}u, ${channels}u - o0); lane++) {
    acc.x = a[lane]; let c = o0 + lane; ${store}
  }`
  }
}`;
}
