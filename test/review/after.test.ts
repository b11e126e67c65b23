/** What is done with a review afterwards: merged, drawn on, evaluated, resumed, replaced. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openMeasuredReview } from "../../src/review/measured.js";
import { mergeRuns } from "../../src/merge/merge.js";
import { BOXES, newOut, readCoco, refusalOf, runAnnotate } from "../annotate/runs.js";
import type { CocoAnnotation } from "../annotate/runs.js";
import { accept, linesOf, newRun, openSession } from "./reviews.js";
import { temporaryFolder } from "../helpers/temporary-folder.js";

/** Accepts the first, moves a vertex of the second, rejects the third. @returns their annotation ids */
async function decideThree(folder: string, reviewer?: string): Promise<number[]> {
  const session = await openSession(folder, reviewer === undefined ? {} : { reviewer });
  const views = await Promise.all(session.queuePage(-1, 3).rows.map(({ ordinal }) => session.instance(ordinal)));
  const [first, second, third] = views;
  const [start, ...rest] = second!.rings[0]!;
  await session.decide(first!.ordinal, accept(first!));
  await session.decide(second!.ordinal, accept(second!, { rings: [[{ x: start!.x, y: start!.y + 0.25 }, ...rest]] }));
  await session.decide(third!.ordinal, accept(third!, { status: "rejected", reason: "hidden" }));
  await session.export();
  await session.close();
  return views.map(({ annotationId }) => Number(annotationId));
}

test("what people did is told per instance, for those accepted or edited with the network at hand", async () => {
  const folder = await newRun();
  const ids = await decideThree(folder);
  const review = await openMeasuredReview(folder, () => undefined);
  onTestFinished(() => review.close());
  expect(review.count).toBe(2);
  const { annotations } = await readCoco(BOXES);
  const [accepted, edited, rejected] = await Promise.all(
    ids.map((id) => review.find(annotations.find((annotation) => annotation.id === id)!.image_id, id)),
  );
  expect(rejected).toBeUndefined();
  expect(await review.find(-1, ids[0]!)).toBeUndefined();
  expect(accepted).toMatchObject({ clicks: 0, redrawTaken: 0, activeSeconds: 4 });
  expect(accepted!.decided).toEqual(accepted!.automatic);
  expect(edited!.decided[0]!.y).toBe(edited!.automatic[0]!.y + 0.25);
});

const marksOf = (annotations: readonly CocoAnnotation[], ids: readonly number[]): unknown[] =>
  ids.map((wanted) => {
    const found = annotations.find(({ id }) => id === wanted);
    return found === undefined ? "absent" : (found["polyrnn_review"] ?? "none");
  });

test("shards that several people reviewed merge, decisions included, and the merged run can be reviewed on", async () => {
  const folder = temporaryFolder();
  const parts = [join(folder, "part-1"), join(folder, "part-2")];
  const ids: number[] = [];
  for (const [at, out] of parts.entries()) {
    await runAnnotate({ out, candidates: 1, shard: { index: at + 1, count: 2 } });
    ids.push(...(await decideThree(out, ["ann", "bob"][at])));
  }
  const all = join(folder, "all");
  await mergeRuns({ parts, out: all, force: false }, { note: () => undefined });
  const { annotations } = await readCoco(all, "annotations.json");
  expect(marksOf(annotations, ids)).toEqual(["accepted", "edited", "absent", "accepted", "edited", "absent"]);
  const names = ids.map((wanted) => annotations.find(({ id }) => id === wanted)?.["polyrnn_reviewer"]);
  expect(names).toEqual(["ann", "ann", undefined, "bob", "bob", undefined]);
  const session = await openSession(all, { reviewer: "cleo" });
  expect(session.session().counts).toMatchObject({ accepted: 2, edited: 2, rejected: 2 });
  await session.export();
  expect((await readCoco(all, "annotations.json")).annotations).toEqual(annotations);
});

test("--only-new and --existing keep take the reviewed polygons unchanged", async () => {
  const folder = await newRun();
  const ids = await decideThree(folder);
  const reviewed = (await readCoco(folder, "annotations.json")).annotations.filter(({ id }) => ids.includes(id));
  const { out } = await runAnnotate({ candidates: 1, onlyNew: folder });
  const again = (await readCoco(out, "annotations.json")).annotations;
  for (const annotation of reviewed) expect(again.find(({ id }) => id === annotation.id)).toEqual(annotation);
  const kept = await runAnnotate({ candidates: 1, boxes: join(folder, "annotations.json"), existing: "keep" });
  const unchanged = (await readCoco(kept.out, "annotations.json")).annotations;
  for (const annotation of reviewed) expect(unchanged.find(({ id }) => id === annotation.id)).toEqual(annotation);
});

test("a run never replaces a folder that holds a review, and resuming leaves the review alone", async () => {
  const folder = await newRun();
  await decideThree(folder);
  const lines = await linesOf(folder);
  const journal = await readFile(join(folder, "journal.ndjson"));
  const refusal = await refusalOf({ out: folder, candidates: 1, force: true });
  expect([refusal.code, refusal.hint]).toEqual(["E_OUT_NOT_EMPTY", expect.stringContaining("never removes")]);
  expect(await readFile(join(folder, "journal.ndjson"))).toEqual(journal);
  await runAnnotate({ out: folder, candidates: 1, resume: true });
  expect(await linesOf(folder)).toEqual(lines);
  const fresh = newOut();
  await runAnnotate({ out: fresh, candidates: 1 });
  await runAnnotate({ out: fresh, candidates: 1, force: true });
});
