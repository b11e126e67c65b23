/**
 * Questions to another thread and their answers. Each has a number, so that they may be answered in any order, and an
 * error comes back with its code and its hint. Whoever waits for a thread that ends hears of it and does not wait on.
 */
import type { MessagePort, Transferable } from "node:worker_threads";
import { Worker } from "node:worker_threads";
import { gone, PolyrnnError, reasonOf } from "./errors.js";

/** A question; `kind` says which. */
interface Question {
  readonly kind: string;
}

interface Asked<Q> {
  readonly id: number;
  readonly question: Q;
}

/** An error on its way to another thread: of a PolyrnnError's fields the class would be lost. */
type ThreadError = Pick<Error, "message"> & Partial<Pick<PolyrnnError, "code" | "exitCode" | "hint" | "isLasting">>;

type Answered = { readonly id: number } & ({ readonly value: unknown } | { readonly error: ThreadError });

/** The end of a line to another thread. */
type Line = Worker | MessagePort;

interface Waiting {
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
}

/** The side that asks. `A` names what answers each kind of question. */
export class Asker<Q extends Question, A extends Record<Q["kind"], unknown>> {
  private readonly waiting = new Map<number, Waiting>();
  private asked = 0;
  private failure: Error | undefined;

  constructor(private readonly line: Line) {
    line.on("message", (answered: Answered) => {
      const asker = this.waiting.get(answered.id); // nobody after `fail`
      this.waiting.delete(answered.id);
      if ("value" in answered) asker?.resolve(answered.value as never);
      else asker?.reject(errorOf(answered.error));
    });
  }

  /**
   * @param handedOver buffers and ports of the question, which the caller gives up
   * @throws the other side's error, or why it cannot answer
   */
  ask<K extends Q["kind"]>(question: Extract<Q, { kind: K }>, handedOver: readonly Transferable[] = []): Promise<A[K]> {
    if (this.failure !== undefined) return Promise.reject(this.failure);
    const id = this.asked++;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.tell(question, handedOver, id);
    });
  }

  /** Asks without waiting for an answer. */
  tell(question: Q, handedOver: readonly Transferable[] = [], id = this.asked++): void {
    this.line.postMessage({ id, question } satisfies Asked<Q>, handedOver);
  }

  /** Fails everyone who waits, and everyone who asks from now on. The first error stays. */
  fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.values()) reject(this.failure);
    this.waiting.clear();
  }
}

const AFTER_A_THREAD =
  "What is finished is kept: go on with --resume. With --threads 1 there are fewer threads, and they take less memory.";

/** A thread that is asked; it ends when it is told so, with a question of kind "close". */
export class AskedThread<
  Q extends Question | { readonly kind: "close" },
  A extends Record<Q["kind"], unknown>,
> extends Asker<Q, A> {
  /** Resolves when there is nothing left of the thread, however it ended. */
  readonly ended: Promise<void>;

  /**
   * A thread that ends unasked, for want of memory or because a library ended it, is an E_UNAVAILABLE of whoever waits.
   * @param file    the thread's own
   * @param name    stands in messages, "a thread that ..."
   * @param options what it starts with, and who hears of its end or failure
   */
  constructor(
    file: URL,
    private readonly name: string,
    { workerData, onFailure }: { workerData?: unknown; onFailure?: (error: Error) => void } = {},
  ) {
    const worker = new Worker(file, { workerData });
    super(worker);
    const failed = (what: string, cause?: unknown): void => {
      const error = gone(`${name} has ${what}`, AFTER_A_THREAD, cause);
      this.fail(error);
      onFailure?.(error);
    };
    worker.on("error", (error) => {
      failed(`failed: ${reasonOf(error)}`, error);
    });
    this.ended = new Promise((resolve) => {
      worker.on("exit", (code) => {
        failed(`ended with exit code ${code}`);
        resolve();
      });
    });
  }

  /** Fails the questions that still wait. @param why @returns when the thread has ended, after what it is at */
  async close(why = `${this.name} was closed`): Promise<void> {
    this.fail(new Error(why));
    this.tell({ kind: "close" } as Q);
    await this.ended;
  }
}

/** What answers a question. */
export interface ThreadAnswer {
  readonly value: unknown;
  /** Buffers of the value that this thread gives up. */
  readonly handedOver?: readonly Transferable[];
}

/** The side that answers. @param answer knows the kinds that the other side asks */
export function answerOn(line: Line, answer: (question: never) => Promise<ThreadAnswer>): void {
  line.on("message", ({ id, question }: Asked<never>) => {
    answer(question).then(
      ({ value, handedOver }) => {
        line.postMessage({ id, value } satisfies Answered, handedOver);
      },
      (error: unknown) => {
        line.postMessage({ id, error: threadErrorOf(error) } satisfies Answered);
      },
    );
  });
}

function threadErrorOf(error: unknown): ThreadError {
  if (!(error instanceof PolyrnnError)) return { message: reasonOf(error) };
  const { message, code, exitCode, hint, isLasting } = error;
  return { message, code, exitCode, hint, isLasting };
}

function errorOf({ message, code, exitCode, hint, isLasting = false }: ThreadError): Error {
  if (code === undefined || exitCode === undefined || hint === undefined) return new Error(message);
  return new PolyrnnError(message, code, exitCode, hint, { isLasting });
}

/** A copy in memory that all threads share: passing it on copies nothing. */
export function sharedCopy(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}
