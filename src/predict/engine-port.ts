/**
 * An engine that another thread asks for: the rules of predict/ run there as they are, and this thread's time is left
 * to the device. Only for engines that decode whole polygons; crops and maps are handed over, not shared.
 */
import type { MessagePort } from "node:worker_threads";
import type { ThreadAnswer } from "../asking.js";
import { answerOn, Asker } from "../asking.js";
import type { DecodedRow, Decoding, EncodedBatch, Engine } from "../engine/engine.js";
import { CELL_COUNT } from "../geometry/grid.js";

interface EncodeQuestion {
  readonly kind: "encode";
  readonly pixels: Uint8Array;
  readonly count: number;
  /** What the batch is called from then on. */
  readonly id: number;
}

interface FlipQuestion {
  readonly kind: "encodeFlipped";
  readonly from: number;
  /** Of that batch. */
  readonly rows: readonly number[];
  readonly id: number;
}

interface DecodeQuestion {
  readonly kind: "decode";
  readonly id: number;
  readonly rows: readonly number[];
  readonly firsts: readonly number[];
  readonly maxSteps: number;
}

type Question = EncodeQuestion | FlipQuestion | DecodeQuestion | { readonly kind: "dispose"; readonly id: number };

interface Maps extends Pick<EncodedBatch, "firstVertexLogits" | "maskLogits" | "fineMaskLogits"> {
  /** Whether the batch can be asked for crops flipped. */
  readonly flips: boolean;
}

interface Answers {
  readonly encode: Maps;
  readonly encodeFlipped: Maps;
  readonly decode: readonly DecodedRow[];
  readonly dispose: undefined;
}

/** What serves one port. */
export interface ServedEngine {
  /** Refuses what is asked from now on. @returns when what was asked before is done */
  stop(): Promise<void>;
  /** Whoever asks gets no answer any more. */
  leave(): void;
}

/** Lets whoever has the other end of the port use the engine. */
export function serveEngine(engine: Engine, port: MessagePort): ServedEngine {
  const batches = new Map<number, EncodedBatch>();
  const underWay = new Set<Promise<ThreadAnswer>>();
  let isStopped = false;
  const serve = async (id: number, encoding: Promise<EncodedBatch>): Promise<ThreadAnswer> => {
    const encoded = await encoding;
    batches.set(id, encoded);
    return handOver(encoded);
  };
  const answer = async (question: Question): Promise<ThreadAnswer> => {
    switch (question.kind) {
      case "encode":
        return serve(question.id, engine.encode(question.pixels, question.count));
      case "encodeFlipped":
        return serve(question.id, batches.get(question.from)!.flipped!(question.rows));
      case "decode": {
        const { id, rows, firsts, maxSteps } = question;
        const taken = batches.get(id)!.select(rows);
        try {
          if (taken.decode === undefined) throw notByStep();
          return { value: await taken.decode(firsts, maxSteps) };
        } finally {
          taken.dispose();
        }
      }
      case "dispose":
        batches.get(question.id)?.dispose();
        batches.delete(question.id);
        return { value: undefined };
    }
  };
  answerOn(port, (question: Question) => {
    if (isStopped) return Promise.reject(new Error("the engine was disposed"));
    const answering = answer(question);
    underWay.add(answering);
    const leave = (): void => {
      underWay.delete(answering);
    };
    answering.then(leave, leave);
    return answering;
  });
  return {
    async stop() {
      isStopped = true;
      await Promise.allSettled(underWay);
      for (const batch of batches.values()) batch.dispose();
      batches.clear();
    },
    leave() {
      port.close();
    },
  };
}

/** The masks are the asker's from then on: nothing here reads them. First vertices stay, for `select`. */
function handOver({ firstVertexLogits, maskLogits, fineMaskLogits, flipped }: EncodedBatch): ThreadAnswer {
  const maps: Maps = { firstVertexLogits, maskLogits, fineMaskLogits, flips: flipped !== undefined };
  const handedOver = [maskLogits, fineMaskLogits].flatMap((map) => {
    const isWhole = map?.buffer instanceof ArrayBuffer && map.byteLength === map.buffer.byteLength;
    return isWhole ? [map.buffer] : [];
  });
  return { value: maps, handedOver };
}

/**
 * The engine behind a port. Its batches are decoded whole, not step by step.
 * @param known of the engine that serves it
 */
export function engineOver(port: MessagePort, known: Pick<Engine, "name" | "device" | "version">): Engine {
  const asker = new Asker<Question, Answers>(port);
  let batches = 0;
  const batchOf = (id: number, maps: Maps): DistantBatch =>
    new DistantBatch(asker, id, maps, async (rows) => {
      const flipped = batches++;
      return batchOf(flipped, await asker.ask({ kind: "encodeFlipped", from: id, rows, id: flipped }));
    });
  return {
    ...known,
    async encode(pixels, count) {
      const id = batches++;
      const copy = pixels.slice(); // handed over; the caller still needs its own
      return batchOf(id, await asker.ask({ kind: "encode", pixels: copy, count, id }, [copy.buffer]));
    },
    dispose() {
      port.close();
      return Promise.resolve();
    },
  };
}

/** A batch that another thread holds. */
class DistantBatch implements EncodedBatch {
  readonly size: number;
  readonly firstVertexLogits: Float32Array;
  readonly maskLogits: Float32Array | undefined;
  readonly fineMaskLogits: Float32Array | undefined;
  readonly flipped: EncodedBatch["flipped"];

  constructor(
    private readonly asker: Asker<Question, Answers>,
    private readonly id: number,
    maps: Maps,
    flipped: NonNullable<EncodedBatch["flipped"]>,
  ) {
    this.firstVertexLogits = maps.firstVertexLogits;
    this.maskLogits = maps.maskLogits;
    this.fineMaskLogits = maps.fineMaskLogits;
    this.size = maps.firstVertexLogits.length / CELL_COUNT;
    this.flipped = maps.flips ? flipped : undefined;
  }

  decode(firsts: readonly number[], maxSteps: number): Promise<readonly DecodedRow[]> {
    const rows = Array.from({ length: this.size }, (_, row) => row);
    return this.decodeRows(rows, firsts, maxSteps);
  }

  step(): Promise<never> {
    return Promise.reject(notByStep());
  }

  /** The rows stay the batch's: disposing the selection does nothing. */
  select(rows: readonly number[]): Decoding {
    const firstVertexLogits = new Float32Array(rows.length * CELL_COUNT);
    rows.forEach((row, at) => {
      const start = row * CELL_COUNT;
      firstVertexLogits.set(this.firstVertexLogits.subarray(start, start + CELL_COUNT), at * CELL_COUNT);
    });
    return {
      size: rows.length,
      firstVertexLogits,
      decode: (firsts, maxSteps) => this.decodeRows(rows, firsts, maxSteps),
      step: () => this.step(),
      select: (some) => this.select(some.map((row) => rows[row]!)),
      dispose: () => undefined,
    };
  }

  dispose(): void {
    this.asker.tell({ kind: "dispose", id: this.id });
  }

  private decodeRows(
    rows: readonly number[],
    firsts: readonly number[],
    maxSteps: number,
  ): Promise<readonly DecodedRow[]> {
    return this.asker.ask({ kind: "decode", id: this.id, rows, firsts, maxSteps });
  }
}

function notByStep(): Error {
  return new Error("an engine in another thread decodes whole polygons, not step by step");
}
