/** A review.ndjson that another program wrote, checksums and all. */
import { appendFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { exportRunFolder } from "../../src/review/export.js";
import { openReviewedRun } from "../../src/review/run.js";
import { sealLine, unsealLine } from "../../src/runs/journal.js";
import { accept, firstOf, linesOf, newRun, openSession } from "./reviews.js";

test("lines of foreign instances, sessions, rings, boxes and pins are named or passed over, and the review goes on", async () => {
  const folder = await newRun();
  const path = join(folder, "review.ndjson");
  let session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  const view = await session.instance(ordinal);
  await session.decide(ordinal, accept(view));
  const { total } = session.session();
  await session.close();
  const good = { ...unsealLine((await linesOf(folder)).at(-1)!) };
  const point = { x: 1, y: 1 };
  const beyond = { x: 2 ** 30, y: 1 };
  let deep: unknown = "end";
  for (let level = 0; level < 2000; level++) deep = [deep];
  const foreign = [
    { ...good, ordinal: 2 ** 39 }, // of no instance
    { ...good, note: { more: ["than we wrote"] } },
    { type: "undo", ordinal: 2 ** 39, revision: 2 ** 52, session: -4 },
    { ...good, rings: [[point, { x: 2, y: 2 }, beyond]], imageWidth: 2 ** 31 },
    { ...good, rings: [[point, { x: 2, y: 2 }, beyond]] },
    { ...good, rings: [[point, point]] },
    { ...good, box: [0, 0, -5, 1e300] },
    { ...good, pins: [[499]] },
    { ...good, counts: { ...(good["counts"] as object), move: 1e300 } },
    { ...good, at: deep },
    { type: "session", id: 2 ** 52, reviewer: "x" },
    { type: "session", id: -1, reviewer: deep },
    { type: "undo", ordinal: "0" },
    { type: "undo", ordinal: 0.5 },
  ];
  await appendFile(path, foreign.map((line) => `${sealLine(line)}\n`).join(""));
  const run = await openReviewedRun(folder, () => undefined);
  // The first three are whole: they cost nothing but themselves.
  expect(run.review.damaged).toEqual(foreign.slice(3).map((_, at) => 4 + 3 + at));
  await run.close();

  session = await openSession(folder);
  expect(session.session()).toMatchObject({ counts: { accepted: 1, open: total - 1 } });
  const next = await session.instance(firstOf(session.queuePage(0, 1)));
  await session.decide(next.ordinal, accept(next, { status: "rejected" }));
  await session.close();
  session = await openSession(folder);
  expect(session.session().counts).toMatchObject({ accepted: 1, rejected: 1 });
  await session.close();
  await exportRunFolder(folder, { keepRejected: false }, () => undefined);
});

test("nobody takes back a decision on an instance that is not in their queue", async () => {
  const folder = await newRun();
  let session = await openSession(folder);
  const [one] = session.queuePage(-1, 1).rows;
  const { rows } = session.queuePage(-1, 200);
  const other = rows.find(({ category }) => category !== one!.category)!;
  await session.decide(one!.ordinal, accept(await session.instance(one!.ordinal)));
  await session.close();
  session = await openSession(folder, { categories: [other.category] });
  await expect(session.undo(session.session().revision)).rejects.toThrow(
    expect.objectContaining({ code: "E_NOTHING_TO_UNDO" }),
  );
  await session.decide(other.ordinal, accept(await session.instance(other.ordinal)));
  expect(await session.undo(session.session().revision)).toMatchObject({ ordinal: other.ordinal, status: "open" });
  await session.close();
  session = await openSession(folder);
  expect(await session.instance(one!.ordinal)).toMatchObject({ status: "accepted" });
});
