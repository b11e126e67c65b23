/**
 * Which kernels compute a network, as data: what each reads and writes, and what is fused into it. No device is named
 * here.
 *
 * A kernel has at most one heavy node, a convolution or a dense layer. What follows it value by value (bias, ReLU,
 * residual, a whole LSTM cell) is computed before the result is stored. What only moves values (concatenation, slices,
 * vertex lookup, flips, normalization) is computed while they are read. A depthwise convolution goes into the pointwise
 * one that follows it. Only the rest goes through memory.
 */
import { CLASS_COUNT } from "../../geometry/grid.js";
import type { Operation, PlanNode } from "./record.js";
import { elements } from "./record.js";

export interface Kernel {
  /** Absent: a kernel of values alone. */
  readonly heavy?: PlanNode;
  /** Depthwise convolution before the heavy node, whose values stay in the memory of a workgroup. */
  readonly before?: PlanNode;
  /** What is stored, in the order in which it is computed. All have one shape. */
  readonly roots: readonly PlanNode[];
  /**
   * Equal parts of the heavy node's channels that one value of a root is made of: 4 where an LSTM cell follows its
   * gates.
   */
  readonly parts: number;
  /** Stored values and inputs that are read. */
  readonly reads: readonly PlanNode[];
  /** Input of indices, one of `reads`, that holds ENDED for rows of the batch which are left as they are. */
  readonly rows?: PlanNode;
}

/** In place of a vertex: the row's polygon has ended, or the row is free. */
export const ENDED = CLASS_COUNT;

export interface Plan {
  /** In an order in which they can run. */
  readonly kernels: readonly Kernel[];
  /** Nodes that lie in memory: inputs and roots. */
  readonly stored: ReadonlySet<PlanNode>;
  readonly outputs: Readonly<Record<string, PlanNode>>;
  /** Nodes that lie in memory as float16; weights do, too, then. Absent: everything is float32. */
  readonly halves?: ReadonlySet<PlanNode>;
}

/** Parts that fit one vector of a shader. */
const MAX_PARTS = 4;

type Kind = Operation["kind"];
const HEAVY: ReadonlySet<Kind> = new Set<Kind>(["conv", "dense"]);
/** Computed from operands at the same place. */
const LOCAL: ReadonlySet<Kind> = new Set<Kind>([
  "add",
  "multiply",
  "relu",
  "relu6",
  "sigmoid",
  "tanh",
  "affine",
  "map",
  "slice",
]);
/** So cheap that a convolution computes them wherever it reads. */
const MOVES: ReadonlySet<Kind> = new Set<Kind>(["concat", "slice", "flatten", "pad", "lookup", "view", "normalize"]);

export interface PlanOptions {
  /** Whether depthwise convolutions are computed within the pointwise ones that follow them. */
  readonly joinsDepthwise?: boolean;
}

export function planKernels(
  outputs: Readonly<Record<string, PlanNode>>,
  { joinsDepthwise = true }: PlanOptions = {},
): Plan {
  const nodes = reachable(Object.values(outputs));
  const consumers = new Map<PlanNode, PlanNode[]>(nodes.map((node) => [node, []]));
  for (const node of nodes) for (const operand of new Set(node.from)) consumers.get(operand)!.push(node);
  const joined = new Map<PlanNode, PlanNode>();
  for (const node of joinsDepthwise ? nodes : []) {
    const before = depthwiseBefore(node, consumers);
    if (before !== undefined) joined.set(node, before);
  }
  const stored = mustBeStored(nodes, Object.values(outputs), joined);
  const isInside = new Set(joined.values());
  const kernelOf = new Map<PlanNode, Omit<Kernel, "reads">>();
  for (const heavy of nodes.filter((node) => HEAVY.has(node.operation.kind) && !isInside.has(node))) {
    const before = joined.get(heavy);
    const fused = followers(heavy, { consumers, stored, taken: kernelOf, before });
    const kernel = { ...(fused ?? { heavy, roots: [heavy], parts: 1 }), ...(before && { before }) };
    for (const root of kernel.roots) {
      stored.add(root);
      kernelOf.set(root, kernel);
    }
  }
  for (const node of stored) {
    if (node.operation.kind !== "input" && !kernelOf.has(node)) kernelOf.set(node, { roots: [node], parts: 1 });
  }
  return { kernels: inOrder(kernelOf, stored, Object.values(outputs)), stored, outputs };
}

/** The same plan, whose kernels pass over rows that hold ENDED in an input of indices. */
export function passingOverEnded(plan: Plan, input: string): Plan {
  const rows = [...plan.stored].find(({ operation }) => operation.kind === "input" && operation.name === input);
  if (rows?.operation.kind !== "input" || rows.operation.type !== "index") throw new Error(`no indices ${input}`);
  const kernels = plan.kernels.map((kernel) => ({
    ...kernel,
    reads: kernel.reads.includes(rows) ? kernel.reads : [...kernel.reads, rows],
    rows,
  }));
  return { ...plan, kernels };
}

/**
 * The same plan, with weights and whatever lies between kernels in float16; sums stay float32.
 * @param names of inputs and outputs that are float16 as well
 */
export function inFloat16(plan: Plan, names: ReadonlySet<string>): Plan {
  const outer = new Map(Object.entries(plan.outputs).map(([name, node]) => [node, name]));
  const isHalf = (node: PlanNode): boolean => {
    const { operation, shape } = node;
    if (elements(shape) === 1) return false; // two of the batch would share a word
    if (operation.kind === "input") return operation.type === "float" && names.has(operation.name);
    const name = outer.get(node);
    return name === undefined || names.has(name);
  };
  return { ...plan, halves: new Set([...plan.stored].filter(isHalf)) };
}

/** Bytes of a row of the batch. */
export function bytesOf({ halves }: Plan, node: PlanNode): number {
  return (halves?.has(node) === true ? 2 : 4) * elements(node.shape);
}

/** In the order of recording. */
function reachable(outputs: readonly PlanNode[]): PlanNode[] {
  const seen = new Set<PlanNode>();
  const pending = [...outputs];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    pending.push(...node.from);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * The depthwise convolution that a pointwise one alone reads, through ReLUs at most. Its channels are many and its
 * products few: what it writes and reads again would cost more than the products.
 */
function depthwiseBefore(
  { operation, from }: PlanNode,
  consumers: ReadonlyMap<PlanNode, readonly PlanNode[]>,
): PlanNode | undefined {
  if (operation.kind !== "conv" || operation.size > 1 || operation.stride > 1 || operation.depthwise) return undefined;
  let node = from[0]!;
  while (node.operation.kind === "relu" || node.operation.kind === "relu6") {
    if (consumers.get(node)!.length > 1) return undefined;
    node = node.from[0]!;
  }
  const isJoined = node.operation.kind === "conv" && node.operation.depthwise && consumers.get(node)!.length === 1;
  return isJoined ? node : undefined;
}

/**
 * Inputs, outputs, and what is read at many places: by convolutions, dense layers, pooling and resizing.
 * @param joined pointwise convolutions -> the depthwise ones within them
 */
function mustBeStored(
  nodes: readonly PlanNode[],
  outputs: readonly PlanNode[],
  joined: ReadonlyMap<PlanNode, PlanNode>,
): Set<PlanNode> {
  const stored = new Set(outputs);
  const store = (node: PlanNode): void => {
    if (MOVES.has(node.operation.kind)) node.from.forEach(store);
    else stored.add(node);
  };
  for (const node of nodes) {
    const { kind } = node.operation;
    if (kind === "input") stored.add(node);
    if ((kind === "conv" && !joined.has(node)) || kind === "pool" || kind === "resize") node.from.forEach(store);
    if (kind === "dense") stored.add(node.from[0]!);
  }
  return stored;
}

interface Context {
  readonly consumers: ReadonlyMap<PlanNode, readonly PlanNode[]>;
  readonly stored: ReadonlySet<PlanNode>;
  readonly taken: ReadonlyMap<PlanNode, unknown>;
  readonly before: PlanNode | undefined;
}

/** What can be computed from a heavy node before anything is stored; undefined where the node itself must be. */
function followers(heavy: PlanNode, { consumers, stored, taken, before }: Context): Omit<Kernel, "reads"> | undefined {
  if (stored.has(heavy)) return undefined;
  const inside = new Set<PlanNode>([heavy]);
  const roots = new Set<PlanNode>();
  const slices: PlanNode[] = [];
  const pending = [heavy];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (const consumer of consumers.get(node)!) {
      const { kind } = consumer.operation;
      if (!LOCAL.has(kind) || taken.has(consumer)) return undefined;
      if (inside.has(consumer)) continue;
      inside.add(consumer);
      if (kind === "slice") slices.push(consumer);
      if (stored.has(consumer)) roots.add(consumer);
      else pending.push(consumer);
    }
  }
  const all = [...roots].sort((a, b) => a.id - b.id);
  const [channels] = all[0]!.shape;
  const parts = heavy.shape[0] / channels;
  const isEven =
    all.every(({ shape }) => shape[0] === channels) &&
    slices.every(
      ({ operation, shape }) => operation.kind === "slice" && shape[0] === channels && operation.start % channels === 0,
    ) &&
    (parts === 1 ? slices.length === 0 : slices.every(({ from }) => from[0]!.shape[0] === heavy.shape[0]));
  if (!isEven || !Number.isInteger(parts) || parts > MAX_PARTS) return undefined;
  if (parts > 1 && heavy.operation.kind === "dense") return undefined;
  if (parts > 1 && heavy.operation.kind === "conv" && heavy.operation.depthwise) return undefined;
  // Nothing that is read may wait for this very kernel.
  if (readsOf({ heavy, before, roots: all }, stored).some((read) => dependsOn(read, heavy))) return undefined;
  return { heavy, roots: all, parts };
}

function dependsOn(node: PlanNode, on: PlanNode): boolean {
  return reachable([node]).includes(on);
}

interface Computed extends Pick<Kernel, "roots"> {
  readonly heavy?: PlanNode | undefined;
  readonly before?: PlanNode | undefined;
}

/** What a kernel does not compute itself. */
function readsOf({ heavy, before, roots }: Computed, stored: ReadonlySet<PlanNode>): PlanNode[] {
  const own = new Set([heavy, before, ...roots]);
  const reads = new Set<PlanNode>();
  const seen = new Set<PlanNode>();
  const visit = (node: PlanNode): void => {
    if (seen.has(node)) return;
    seen.add(node);
    if (!own.has(node) && (stored.has(node) || HEAVY.has(node.operation.kind))) reads.add(node);
    else node.from.forEach(visit);
  };
  roots.forEach(visit);
  return [...reads].sort((a, b) => a.id - b.id);
}

function inOrder(
  kernelOf: ReadonlyMap<PlanNode, Omit<Kernel, "reads">>,
  stored: ReadonlySet<PlanNode>,
  outputs: readonly PlanNode[],
): Kernel[] {
  const ordered: Kernel[] = [];
  const done = new Set<Omit<Kernel, "reads">>();
  const visit = (node: PlanNode): void => {
    const kernel = kernelOf.get(node);
    if (kernel === undefined || done.has(kernel)) return;
    done.add(kernel);
    const reads = readsOf(kernel, stored);
    reads.forEach(visit);
    ordered.push({ ...kernel, reads });
  };
  outputs.forEach(visit);
  return ordered;
}
