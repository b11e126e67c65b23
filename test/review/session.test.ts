import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkDecision } from "../../src/review/decision.js";
import { exportRunFolder } from "../../src/review/export.js";
import { Superseded } from "../../src/review/redraw.js";
import { openReviewedRun } from "../../src/review/run.js";
import { NO_CLICKS } from "../../src/review/statistics.js";
import type { JsonObject } from "../../src/types.js";
import { sealLine, unsealLine } from "../../src/runs/journal.js";
import { schemaProblems } from "../helpers/schemas.js";
import { accept, firstOf, linesOf, newRun, openSession } from "./reviews.js";

const annotationsOf = async (folder: string): Promise<JsonObject[]> =>
  (JSON.parse(await readFile(join(folder, "annotations.json"), "utf8")) as { annotations: JsonObject[] }).annotations;

test("the queue begins with the lowest score, and pages follow one another", async () => {
  const session = await openSession(await newRun());
  const { rows, total } = session.queuePage(-1, 200);
  const scores = rows.map(({ score }) => score ?? -1);
  expect(scores).toEqual([...scores].sort((a, b) => a - b));
  expect(session.queuePage(4, 3).rows.map(({ position }) => position)).toEqual([5, 6, 7]);
  expect(session.session()).toMatchObject({ total, next: 0, counts: { open: total } });
});

test("--below, --category and --sample choose, and the same seed chooses the same", async () => {
  const folder = await newRun();
  const all = await openSession(folder);
  const { rows } = all.queuePage(-1, 200);
  await all.close();
  const limit = rows[10]!.score!;
  const below = await openSession(folder, { below: limit });
  expect(below.queuePage(-1, 200).rows.every(({ score }) => score === null || score <= limit)).toBe(true);
  await below.close();
  const category = rows[0]!.category;
  const one = await openSession(folder, { categories: [category] });
  expect(new Set(one.queuePage(-1, 200).rows.map((row) => row.category))).toEqual(new Set([category]));
  await one.close();
  const samples: number[][] = [];
  for (const seed of [7, 7, 8]) {
    const session = await openSession(folder, { sample: 12, seed });
    samples.push(session.queuePage(-1, 200).rows.map(({ ordinal }) => ordinal));
    await session.close();
  }
  expect(samples[0]).toHaveLength(12);
  expect(samples[1]).toEqual(samples[0]);
  expect(samples[2]).not.toEqual(samples[0]);
});

test("a decision is on disk before the answer, and is there after a restart", async () => {
  const folder = await newRun();
  const session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  const answer = await session.decide(ordinal, accept(await session.instance(ordinal)));
  expect(answer).toMatchObject({ revision: 1, next: 1, counts: { accepted: 1 } });
  expect((await linesOf(folder)).at(-1)).toContain(`"type":"decision","ordinal":${ordinal},"revision":1`);
  await session.close();
  const again = await openSession(folder);
  expect(await again.instance(ordinal)).toMatchObject({ status: "accepted", revision: 1 });
});

test("an undo whose decision is lost takes no other decision back", async () => {
  const folder = await newRun();
  const session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  await session.decide(ordinal, accept(await session.instance(ordinal)));
  await session.decide(ordinal, accept(await session.instance(ordinal), { status: "rejected", reason: "other" }));
  await session.undo(session.session().revision);
  await session.close();
  const path = join(folder, "review.ndjson");
  const lines = (await readFile(path, "utf8")).split("\n");
  expect(lines[3]).toContain('"status":"rejected"');
  lines[3] = lines[3]!.replace("rejected", "accepted"); // its checksum is another now
  await writeFile(path, lines.join("\n"));
  const again = await openSession(folder);
  expect(await again.instance(ordinal)).toMatchObject({ status: "accepted", revision: 3 });
});

test("a polygon of more vertices than a request may have is accepted as it is, and is there after a restart", async () => {
  const folder = await newRun();
  const path = join(folder, "journal.ndjson");
  const lines = (await readFile(path, "utf8")).split("\n");
  const at = lines.findIndex((line) => line.includes('"status":"done"'));
  const ring = Array.from({ length: 2000 }, (_, i) => ({
    x: Math.round((60 + 50 * Math.cos((i * Math.PI) / 1000)) * 100) / 100,
    y: Math.round((60 + 50 * Math.sin((i * Math.PI) / 1000)) * 100) / 100,
  }));
  const { ordinal, ...outcome } = unsealLine(lines[at]!)!;
  lines[at] = sealLine({ type: "outcome", ordinal, ...outcome, ring });
  await writeFile(path, lines.join("\n"));
  const session = await openSession(folder);
  const { rings, ...asked } = accept(await session.instance(ordinal as number));
  expect(rings).toEqual([ring]);
  expect(() => checkDecision({ ...asked, rings })).toThrow("/rings/0");
  const answer = await session.decide(ordinal as number, checkDecision(asked));
  expect(answer).toMatchObject({ counts: { accepted: 1 } });
  await session.close();
  const again = await openSession(folder);
  expect(await again.instance(ordinal as number)).toMatchObject({ status: "accepted", rings: [ring] });
});

test("an instance without a polygon is not accepted by saying nothing of it", async () => {
  const session = await openSession(await newRun(), { arm: "manual" });
  const ordinal = firstOf(session.queuePage(-1, 1));
  const { rings: _rings, ...asked } = accept(await session.instance(ordinal));
  await expect(session.decide(ordinal, checkDecision(asked))).rejects.toThrow("expected a polygon");
});

test("two windows cannot overwrite each other", async () => {
  const session = await openSession(await newRun());
  const ordinal = firstOf(session.queuePage(-1, 1));
  const view = await session.instance(ordinal);
  const both = await Promise.allSettled([
    session.decide(ordinal, accept(view)),
    session.decide(ordinal, accept(view, { status: "rejected", reason: "hidden" })),
  ]);
  expect(both.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
  expect(both[1]).toMatchObject({ reason: { code: "E_STALE", current: { status: "accepted", revision: 1 } } });
});

test("an undo puts the decision before in force, also after a restart; drafts are no decisions", async () => {
  const folder = await newRun();
  let session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  await session.decide(ordinal, accept(await session.instance(ordinal)));
  await session.decide(ordinal, accept(await session.instance(ordinal), { status: "rejected", reason: "other" }));
  await session.decide(ordinal, accept(await session.instance(ordinal), { status: "draft" }));
  await session.close();
  session = await openSession(folder);
  expect(await session.instance(ordinal)).toMatchObject({ status: "draft", revision: 3 });
  expect(await session.undo(session.session().revision)).toMatchObject({ status: "accepted", revision: 4 });
  expect(await session.undo(session.session().revision)).toMatchObject({ status: "open", revision: 5 });
  await expect(session.undo(session.session().revision)).rejects.toThrow(
    expect.objectContaining({ code: "E_NOTHING_TO_UNDO" }),
  );
  await expect(session.undo(1)).rejects.toThrow(expect.objectContaining({ code: "E_STALE" }));
  await session.close();
  const lines = await linesOf(folder);
  expect(lines.filter((line) => /"type":"(review|session|decision|undo)"/.test(line)).length).toBe(1 + 2 + 3 + 2);
  expect(schemaProblems(folder).problems).toEqual([]);
});

test("a torn end is cut off, and damage elsewhere is named with its line and costs only itself", async () => {
  const folder = await newRun();
  let session = await openSession(folder);
  const ordinals = session.queuePage(-1, 3).rows.map(({ ordinal }) => ordinal);
  for (const ordinal of ordinals) await session.decide(ordinal, accept(await session.instance(ordinal)));
  await session.close();
  const path = join(folder, "review.ndjson");
  const lines = await linesOf(folder);
  lines[3] = lines[3]!.replace('"accepted"', '"rejected"');
  await writeFile(path, `${lines.join("\n")}\n{"type":"decision","ordi`);
  const notes: string[] = [];
  const run = await openReviewedRun(folder, (line) => notes.push(line));
  await run.close();
  expect(notes).toEqual([`${path}: damaged at line 4; what was decided there is open again`]);
  session = await openSession(folder);
  const statuses = session.queuePage(-1, 3).rows.map(({ status }) => status);
  expect(statuses).toEqual(["accepted", "open", "accepted"]);
  expect((await linesOf(folder)).filter((line) => line.includes("ordi") && !line.endsWith("}"))).toEqual([]);
});

test("a journal that is torn at any byte opens with the whole lines before", async () => {
  const folder = await newRun();
  const session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  await session.decide(ordinal, accept(await session.instance(ordinal)));
  await session.close();
  const path = join(folder, "review.ndjson");
  const whole = await readFile(path);
  const last = whole.lastIndexOf("\n", whole.length - 2) + 1;
  for (let end = last; end < whole.length; end += 97) {
    await writeFile(path, whole.subarray(0, end));
    const run = await openReviewedRun(folder, () => undefined);
    expect(run.review.inForce(ordinal)).toBeUndefined();
    await run.close();
  }
});

test("a review of another run is refused, and is no folder without a run", async () => {
  const folder = await newRun();
  const session = await openSession(folder);
  await session.close();
  const path = join(folder, "review.ndjson");
  const text = await readFile(path, "utf8");
  await writeFile(path, text.replace(/"run":"[0-9a-f]{8}/, '"run":"00000000'));
  await expect(openSession(folder)).rejects.toThrow("line 1: expected the head of a review");
  await expect(openSession(join(folder, "nothing"))).rejects.toThrow(expect.objectContaining({ code: "E_MISSING" }));
});

test("a second process is refused while one is at work", async () => {
  const folder = await newRun();
  await openSession(folder);
  await expect(openSession(folder)).rejects.toThrow(expect.objectContaining({ code: "E_OUT_IN_USE" }));
});

test("a move is redrawn up to the next pin, and pinned vertices stay where they are", async () => {
  const session = await openSession(await newRun());
  const { rows } = session.queuePage(-1, 200);
  for (const { ordinal } of rows.slice(0, 6)) {
    const view = await session.instance(ordinal);
    const ring = view.rings[0]!;
    const pin = Math.floor(ring.length / 2);
    for (const [request, give] of (["pin", "tail", "all"] as const).entries()) {
      const asked = { request: request + 1, revision: 0, ring, pins: [pin], moved: 0, give };
      const answer = await session.redraw(ordinal, asked);
      expect(
        answer.kept.every((at) => ring.some(({ x, y }) => x === answer.ring[at]!.x && y === answer.ring[at]!.y)),
      ).toBe(true);
      expect(await session.redraw(ordinal, { ...asked, request: request + 1 })).toMatchObject({ ring: answer.ring });
      if (give === "all") continue;
      expect(answer.ring[answer.moved]).toEqual(ring[0]);
      if (give === "pin") expect(answer.pins.map((at) => answer.ring[at])).toEqual([ring[0], ring[pin]]);
      if (give === "pin") expect(answer.kept).toHaveLength(ring.length - pin + 1);
    }
  }
});

test("a newer redraw of one window ends the older in the middle, and so does a window that has gone", async () => {
  const session = await openSession(await newRun());
  const ordinal = firstOf(session.queuePage(-1, 1));
  const { rings } = await session.instance(ordinal);
  const asked = { request: 1, revision: 0, ring: rings[0]!, pins: [], moved: 1, give: "tail", window: "a" } as const;
  const gone = new AbortController();
  const left = session.redraw(ordinal, { ...asked, window: "gone" }, gone.signal);
  gone.abort(new Superseded());
  const [older, newer, other, lost] = await Promise.allSettled([
    session.redraw(ordinal, asked),
    session.redraw(ordinal, { ...asked, request: 2 }),
    session.redraw(ordinal, { ...asked, window: "b" }),
    left,
  ]);
  expect(older).toMatchObject({ status: "rejected", reason: { name: "Superseded" } });
  expect(newer).toMatchObject({ status: "fulfilled", value: { request: 2 } });
  expect(other).toMatchObject({ status: "fulfilled", value: { request: 1 } });
  expect(lost).toMatchObject({ status: "rejected", reason: { name: "Superseded" } });
  await expect(session.redraw(ordinal, { ...asked, revision: 5 })).rejects.toThrow(
    expect.objectContaining({ code: "E_STALE" }),
  );
});

test("who opens an instance again goes on with its clicks and seconds, and the pace is that of this session", async () => {
  const folder = await newRun();
  let session = await openSession(folder);
  const [one, two] = session.queuePage(-1, 2).rows.map(({ ordinal }) => ordinal) as [number, number];
  const begun = { counts: { ...NO_CLICKS, move: 3 }, activeMs: 7000, openMs: 9000, networkMs: 100 };
  expect((await session.instance(one)).spent.activeMs).toBe(0);
  await session.decide(one, accept(await session.instance(one), { ...begun, status: "draft" }));
  expect(session.session().own.count).toBe(0);
  await session.decide(two, accept(await session.instance(two), { activeMs: 2000 }));
  expect(session.session()).toMatchObject({ revision: 1, own: { count: 1, secondsMean: 2, secondsMedian: 2 } });
  await session.close();
  session = await openSession(folder);
  expect((await session.instance(one)).spent).toEqual(begun);
  expect(session.statistics()).toMatchObject({ own: { count: 0, secondsMean: null }, all: { count: 1 } });
  const { own } = await session.decide(one, accept(await session.instance(one), begun));
  expect(own).toMatchObject({ count: 1, secondsMedian: 7, clicksMean: 3 });
  const undone = await session.undo(session.session().revision);
  expect([undone.status, undone.spent]).toEqual(["open", begun]);
});

test("a draft of another window does not stand in the way of an undo", async () => {
  const session = await openSession(await newRun());
  const [one, two] = session.queuePage(-1, 2).rows.map(({ ordinal }) => ordinal) as [number, number];
  await session.decide(one, accept(await session.instance(one)));
  const { revision } = session.session();
  await session.decide(two, accept(await session.instance(two), { status: "draft" }));
  expect(await session.undo(revision)).toMatchObject({ ordinal: one, status: "open" });
  expect((await session.instance(two)).status).toBe("draft");
});

test("without the model of the run everything but redrawing works, and the page is told why", async () => {
  const folder = await newRun();
  const path = join(folder, "run.json");
  const record = JSON.parse(await readFile(path, "utf8")) as { model: { folder: string } };
  record.model.folder = join(folder, "gone");
  await writeFile(path, JSON.stringify(record));
  const session = await openSession(folder);
  expect(session.session().model).toMatchObject({
    available: false,
    reason: expect.stringContaining("gone") as string,
  });
  const ordinal = firstOf(session.queuePage(-1, 1));
  const view = await session.instance(ordinal);
  const ring = view.rings[0]!;
  await expect(
    session.redraw(ordinal, { request: 1, revision: 0, ring, pins: [], moved: 0, give: "pin" }),
  ).rejects.toThrow(expect.objectContaining({ code: "E_NO_MODEL" }));
  await session.decide(ordinal, accept(view));
});

test("an image that vanished is named, and its instance can be skipped but not accepted", async () => {
  const folder = await newRun();
  const session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  const image = session.run.images[session.run.imageOf[ordinal]!]!;
  const gone = image.location.kind === "file" ? image.location.path : "";
  Object.assign(image, { location: { kind: "file", path: `${gone}.gone` } });
  const view = await session.instance(ordinal);
  expect(view.problem).toContain(".gone: expected an image file, received no file");
  await expect(session.picture(ordinal, { margin: 0.5, side: 100 })).rejects.toThrow(".gone");
  await expect(session.decide(ordinal, accept(view))).rejects.toThrow(".gone");
  await session.decide(ordinal, accept(view, { status: "skipped" }));
});

test("the export lays decisions over the automatic polygons; the rest goes out byte for byte as it was", async () => {
  const folder = await newRun();
  const before = await annotationsOf(folder);
  const journal = await readFile(join(folder, "journal.ndjson"));
  const session = await openSession(folder, { reviewer: "ann" });
  const [first, second, third, fourth] = await Promise.all(
    session.queuePage(-1, 4).rows.map(({ ordinal }) => session.instance(ordinal)),
  );
  const ring = first!.rings[0]!.map(({ x, y }) => ({ x: Math.max(0, x - 0.5), y }));
  const other = session.session().categories.find(({ id }) => id !== first!.categoryId)!;
  await session.decide(first!.ordinal, accept(first!, { rings: [ring], categoryId: other.id }));
  await session.decide(second!.ordinal, accept(second!));
  await session.decide(third!.ordinal, accept(third!, { status: "rejected", reason: "bad-box" }));
  await session.decide(fourth!.ordinal, accept(fourth!, { status: "skipped" }));
  const { files } = await session.export();
  expect(files).toEqual(["annotations.json"]);
  const after = await annotationsOf(folder);
  const byId = (list: readonly JsonObject[], { annotationId }: { annotationId: unknown }): JsonObject | undefined =>
    list.find(({ id }) => id === annotationId);
  expect(byId(after, first!)).toMatchObject({
    category_id: other.id,
    segmentation: [ring.flatMap(({ x, y }) => [Math.round(x * 100) / 100, y])],
    polyrnn_review: "edited",
    polyrnn_reviewer: "ann",
  });
  const { polyrnn_review: mark, polyrnn_reviewer: _, ...rest } = byId(after, second!)!;
  expect(mark).toBe("accepted");
  expect(rest).toEqual(byId(before, second!));
  expect(byId(after, third!)).toBeUndefined();
  expect(byId(after, fourth!)).toEqual(byId(before, fourth!));
  const touched = new Set([first, second, third].map((view) => view!.annotationId));
  const untouched = (list: readonly JsonObject[]): readonly JsonObject[] =>
    list.filter(({ id }) => !touched.has(id as number));
  expect(untouched(after)).toEqual(untouched(before));
  expect(await readFile(join(folder, "journal.ndjson"))).toEqual(journal);
  await session.close();
  await exportRunFolder(folder, { keepRejected: true }, () => undefined);
  expect(byId(await annotationsOf(folder), third!)).toMatchObject({
    polyrnn_review: "rejected",
    polyrnn_review_reason: "bad-box",
  });
});

test.each([
  { change: { rings: [] }, why: "no polygon", says: "expected a polygon" },
  {
    change: {
      rings: [
        [
          { x: -1, y: 2 },
          { x: 5, y: 5 },
          { x: 9, y: 1 },
        ],
      ],
    },
    why: "outside",
    says: "vertices on the image",
  },
  {
    change: {
      rings: [
        [
          { x: 1, y: 2 },
          { x: 1, y: 2 },
          { x: 1, y: 2 },
        ],
      ],
    },
    why: "one point",
    says: "different places",
  },
  { change: { categoryId: "no such" }, why: "no such category", says: "category of the data set" },
])("what cannot be a polygon is refused and changes nothing: $why", async ({ change, says }) => {
  const folder = await newRun();
  const session = await openSession(folder);
  const ordinal = firstOf(session.queuePage(-1, 1));
  const asked = accept(await session.instance(ordinal), change);
  const { checkDecision } = await import("../../src/review/decision.js");
  await expect((async () => session.decide(ordinal, checkDecision(asked)))()).rejects.toThrow(says);
  expect(await linesOf(folder)).toHaveLength(2);
});

test("drawing by hand is timed apart: no polygon is shown and the network is off", async () => {
  const session = await openSession(await newRun(), { arm: "mixed", seed: 3 });
  const views = await Promise.all(session.queuePage(-1, 12).rows.map(({ ordinal }) => session.instance(ordinal)));
  const manual = views.filter(({ arm }) => arm === "manual");
  expect(manual.length).toBeGreaterThan(0);
  expect(manual.length).toBeLessThan(12);
  expect(manual.every(({ rings, automatic }) => rings.length === 0 && automatic.length === 0)).toBe(true);
});
