import fc from "fast-check";
import { expect, test } from "vitest";
import { Gate } from "../../src/crop/gate.js";

/** Lets everything that can go on go on. */
const settle = (): Promise<void> =>
  new Promise((resolve) => {
    setImmediate(resolve);
  });

test("never more than the capacity is inside, unless one alone is larger, and everyone gets in in order", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 15 }), { maxLength: 30 }), async (amounts) => {
      const gate = new Gate(10);
      const entered: number[] = [];
      for (const [i, amount] of amounts.entries()) void gate.enter(amount).then(() => entered.push(i));
      let left = 0;
      for (;;) {
        await settle();
        const inside = entered.slice(left).map((i) => amounts[i]!);
        const sum = inside.reduce((a, b) => a + b, 0);
        expect(gate.inside).toBe(sum);
        expect(sum <= 10 || inside.length === 1).toBe(true);
        if (left === entered.length) break;
        gate.leave(amounts[entered[left++]!]!);
      }
      expect(entered).toEqual(amounts.map((_, i) => i));
    }),
    { numRuns: 50 },
  );
});

test("a small one does not pass a large one that came first", async () => {
  const gate = new Gate(10);
  await gate.enter(6);
  const order: string[] = [];
  void gate.enter(9).then(() => order.push("large"));
  void gate.enter(1).then(() => order.push("small"));
  await settle();
  expect(order).toEqual([]);
  gate.leave(6);
  await settle();
  expect(order).toEqual(["large", "small"]);
});

test("an opened gate lets in who waits and who comes", async () => {
  const gate = new Gate(1);
  await gate.enter(1);
  const waiting = gate.enter(1);
  gate.open();
  await waiting;
  await gate.enter(5);
  expect(gate.inside).toBe(7);
});
