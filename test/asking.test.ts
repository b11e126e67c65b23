import { MessageChannel } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { answerOn, Asker, sharedCopy } from "../src/asking.js";
import { PolyrnnError, unavailable } from "../src/errors.js";

type Question =
  | { readonly kind: "double"; readonly value: number }
  | { readonly kind: "later" }
  | { readonly kind: "break"; readonly isExpected: boolean };
interface Answers {
  readonly double: number;
  readonly later: string;
  readonly break: undefined;
}

const open: MessageChannel[] = [];
afterEach(() => {
  for (const { port1 } of open.splice(0)) port1.close();
});

/** @returns the asking side, and what lets "later" be answered */
function connected(): { asker: Asker<Question, Answers>; answerLater: () => void } {
  const channel = new MessageChannel();
  open.push(channel);
  let answerLater = (): void => undefined;
  const waiting = new Promise<void>((resolve) => {
    answerLater = resolve;
  });
  answerOn(channel.port2, async (question: Question) => {
    if (question.kind === "double") return { value: 2 * question.value };
    if (question.kind === "break")
      throw question.isExpected ? unavailable("no device", "Buy one.") : new Error("a slip");
    await waiting;
    return { value: "at last" };
  });
  return { asker: new Asker<Question, Answers>(channel.port1), answerLater };
}

test("answers go to whoever asked, in whatever order they come", async () => {
  const { asker, answerLater } = connected();
  const later = asker.ask({ kind: "later" });
  expect(await Promise.all([3, 4].map((value) => asker.ask({ kind: "double", value })))).toEqual([6, 8]);
  answerLater();
  expect(await later).toBe("at last");
});

test("an error comes back with its code and hint, and the other side works on", async () => {
  const { asker } = connected();
  const expected = asker.ask({ kind: "break", isExpected: true });
  await expect(expected).rejects.toMatchObject({ message: "no device", code: "E_UNAVAILABLE", hint: "Buy one." });
  await expect(expected).rejects.toBeInstanceOf(PolyrnnError);
  await expect(asker.ask({ kind: "break", isExpected: false })).rejects.toThrow("a slip");
  expect(await asker.ask({ kind: "double", value: 1 })).toBe(2);
});

test("once the line has failed, whoever waits and whoever asks later hears the first reason", async () => {
  const { asker } = connected();
  const waiting = expect(asker.ask({ kind: "later" })).rejects.toThrow("the thread has ended");
  asker.fail(new Error("the thread has ended"));
  asker.fail(new Error("something that came of it"));
  await waiting;
  await expect(asker.ask({ kind: "double", value: 1 })).rejects.toThrow("the thread has ended");
});

test("a shared copy has the same bytes in memory of its own", () => {
  const bytes = Uint8Array.of(1, 2, 3);
  const copy = sharedCopy(bytes);
  bytes[0] = 9;
  expect([...copy]).toEqual([1, 2, 3]);
  expect(copy.buffer).toBeInstanceOf(SharedArrayBuffer);
});
