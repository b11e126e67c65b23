/**
 * A large COCO file opened and walked as a stream, beside JSON.parse of the same file; time and peak memory, a process
 * per run.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { createWriteStream, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { createRandom } from "../dist/random.js";
import { interleaved, limitRow, mebibytes, median, ratio, ratioRow, seconds } from "./harness.mjs";

const ANNOTATIONS_PER_IMAGE = 7;

export async function measure({ quick, full }) {
  const count = quick ? 10_000 : full ? 1_000_000 : 100_000;
  const folder = mkdtempSync(join(tmpdir(), "polyrnn-bench-"));
  try {
    const path = join(folder, "instances.json");
    await writeInstances(path, count);
    const runs = await interleaved(
      full ? 1 : 3,
      { stream: () => walk("stream", path), parse: () => walk("parse", path) },
      { warmUp: !full },
    );
    for (const run of [...runs.stream, ...runs.parse]) {
      if (run.annotations !== count || run.vertices !== runs.parse[0].vertices)
        throw new Error(`expected the same ${count} annotations both ways, received ${JSON.stringify(run)}`);
    }
    const of = (way, field) => runs[way].map((run) => run[field]);
    return [
      {
        name: "read",
        title: `A COCO file of ${count} annotations, ${mebibytes(statSync(path).size / 2 ** 20)} MiB`,
        columns: ["Way", "Seconds", "Peak memory, MiB"],
        rows: [
          [
            "opened and walked",
            `${seconds(median(of("stream", "seconds")))} (of which opened ${seconds(median(of("stream", "openSeconds")))})`,
            mebibytes(median(of("stream", "peakMiB"))),
          ],
          ["JSON.parse and a loop", seconds(median(of("parse", "seconds"))), mebibytes(median(of("parse", "peakMiB")))],
        ],
        ratios: [
          ratioRow("seconds, walked / JSON.parse", ratio(of("stream", "seconds"), of("parse", "seconds"))),
          ratioRow("peak memory, walked / JSON.parse", ratio(of("stream", "peakMiB"), of("parse", "peakMiB"))),
        ],
        limits: [limitRow("peak memory, walked", median(of("stream", "peakMiB")), "MiB", { below: 700 })],
        notes: [
          "Walking also checks every field and turns segmentations into polygons. The limit is meant for --full: 1,000,000 annotations.",
        ],
      },
    ];
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function walk(way, path) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    join(import.meta.dirname, "walk-coco.mjs"),
    way,
    path,
  ]);
  return JSON.parse(stdout);
}

/** About 450 bytes per annotation, as in COCO 2017: a polygon of 10 to 40 vertices, box, area and ids. */
async function writeInstances(path, count) {
  const random = createRandom("read");
  const file = createWriteStream(path);
  const images = Math.ceil(count / ANNOTATIONS_PER_IMAGE);
  const put = async (text) => {
    if (!file.write(text)) await once(file, "drain");
  };
  await put('{"info":{"description":"generated"},"images":[');
  for (let image = 1; image <= images; image++) {
    await put(
      `${image > 1 ? "," : ""}{"id":${image},"file_name":"${String(image).padStart(12, "0")}.jpg","width":640,"height":480,"license":1,"date_captured":"2017-01-01 00:00:00"}`,
    );
  }
  await put('],"annotations":[');
  for (let id = 1; id <= count; id++)
    await put(`${id > 1 ? "," : ""}${annotation(id, 1 + Math.floor((id - 1) / ANNOTATIONS_PER_IMAGE), random)}`);
  await put('],"categories":[{"id":1,"name":"thing","supercategory":"all"}]}');
  file.end();
  await once(file, "close");
}

function annotation(id, imageId, random) {
  const left = random.between(0, 400),
    top = random.between(0, 300),
    size = random.between(20, 170);
  const vertices = 10 + random.integer(31);
  const ring = Array.from({ length: vertices }, (_, at) => {
    const angle = (2 * Math.PI * at) / vertices;
    return `${(left + size * (0.5 + 0.5 * Math.cos(angle))).toFixed(2)},${(top + size * (0.5 + 0.5 * Math.sin(angle))).toFixed(2)}`;
  });
  const box = [left, top, size, size].map((value) => value.toFixed(2)).join(",");
  return `{"segmentation":[[${ring.join(",")}]],"area":${(size * size * 0.785).toFixed(2)},"iscrowd":0,"image_id":${imageId},"bbox":[${box}],"category_id":1,"id":${id}}`;
}
