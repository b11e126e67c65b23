import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { Turns } from "../src/turns.js";

test("tasks do not overlap, keep their order, and a failed one is its caller's alone", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const task = (name: string, ms: number) => async (): Promise<string> => {
    seen.push(`${name} begins`);
    await wait(ms);
    seen.push(`${name} ends`);
    if (name === "b") throw new Error("b failed");
    return name;
  };
  const asked = [turns.take(task("a", 20)), turns.take(task("b", 0)), turns.take(task("c", 0))];
  expect((await Promise.allSettled(asked)).map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  await turns.idle();
  expect(seen).toEqual(["a begins", "a ends", "b begins", "b ends", "c begins", "c ends"]);
});

test("what is urgent goes before all that has not begun, in its own order, and its error is its caller's alone", async () => {
  const turns = new Turns();
  const seen: string[] = [];
  const task = (name: string) => async (): Promise<string> => {
    await wait(1);
    seen.push(name);
    if (name === "urgent one") throw new Error("urgent one failed");
    return name;
  };
  const running = turns.take(task("running"));
  await wait(0);
  const asked = [
    running,
    turns.take(task("waiting")),
    turns.takeFirst(task("urgent one")),
    turns.takeFirst(task("urgent two")),
    turns.take(task("last")),
  ];
  const results = await Promise.allSettled(asked);
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected", "fulfilled", "fulfilled"]);
  expect(seen).toEqual(["running", "urgent one", "urgent two", "waiting", "last"]);
  expect(await turns.takeFirst(() => Promise.resolve("alone"))).toBe("alone");
  await turns.idle();
});
