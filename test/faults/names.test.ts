import { copyFileSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { FaultCase } from "./ledger.js";
import { ALL_FORMATS, TINY, makeSmallData, newHome, removeHome, runSoundly } from "./small-run.js";

const home = newHome();
afterAll(() => {
  removeHome(home);
});

/** Names that can stand on a disk, and names that can only stand in a file. */
const ON_DISK = [
  "<script>alert(1)<.jpg",
  '"><img src=x onerror=alert(2)>.jpg',
  "a\u202egpj.exe.jpg",
  "line\nbreak.jpg",
  "\u001b[31mred.jpg",
  "=1+1.jpg",
  `${"x".repeat(246)}.jpg`,
  "con.jpg",
  "..jpg",
  "é\u0301.jpg",
];
const NOT_ON_DISK = [
  "../outside.jpg",
  "/etc/passwd",
  "nul\0byte.jpg",
  "x".repeat(4000),
  `${"../".repeat(1000)}a.jpg`,
  "<script>alert(3)</script>/a.jpg",
];
const CATEGORIES = [
  "<script>alert(4)</script>",
  "</svg><script>alert(5)</script>",
  "\u2066rtl\u202e",
  "n\0l",
  "c".repeat(4000),
  "../../up",
  "&amp;\"'",
  "]]>",
  "=cmd|'/c calc'!A0",
  "__proto__",
  "constructor",
  "\ud83d\ude00".repeat(1000),
];

const MARKUP = /<script>alert|<img src=x/;
// eslint-disable-next-line no-control-regex -- control characters are what is searched for
const STEERS_TERMINAL = /[\u0000-\u0009\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/u;

test.skipIf(process.platform === "win32")(
  "hostile names come out of every format, overlay and report as text, and nothing is written beside the output folder",
  async () => {
    const data = await makeSmallData(home, 1);
    const images = join(home, "named");
    mkdirSync(images);
    const names = [...ON_DISK, ...NOT_ON_DISK];
    ON_DISK.forEach((name) => {
      copyFileSync(join(data.images, "street.jpg"), join(images, name));
    });
    const boxes = join(home, "named.json");
    writeFileSync(
      boxes,
      JSON.stringify({
        images: names.map((name, i) => ({ id: i + 1, file_name: name })),
        categories: CATEGORIES.map((name, i) => ({ id: i + 1, name })),
        annotations: names.flatMap((_, i) =>
          [0, 1].map((k) => ({
            id: 2 * i + k + 1,
            image_id: i + 1,
            category_id: 1 + ((2 * i + k) % CATEGORIES.length),
            bbox: [20, 20, 60, 50],
            segmentation: [[20, 20, 80, 20, 80, 70, 20, 70]],
          })),
        ),
      }),
    );
    const before = readdirSync(home).sort();
    const out = join(home, "named-out"),
      reports = join(home, "named-report");
    const drawn = await runSoundly([
      "annotate",
      images,
      "--boxes",
      boxes,
      "--out",
      out,
      "--model",
      TINY,
      "--device",
      "cpu",
      "--max-steps",
      "4",
      ...ALL_FORMATS,
      "--verbose",
    ]);
    const evaluated = await runSoundly([
      "evaluate",
      join(out, "annotations.json"),
      "--truth",
      boxes,
      "--images",
      images,
      "--out",
      reports,
    ]);

    const faults = new FaultCase("hostile names in formats, overlays, reports, terminal");
    faults.add(drawn.code === 1 ? [] : [`annotate ended with ${drawn.code}: ${drawn.stderr}`]);
    faults.add(
      [0, 1].includes(evaluated.code ?? -1) ? [] : [`evaluate ended with ${evaluated.code}: ${evaluated.stderr}`],
    );
    for (const { stderr } of [drawn, evaluated])
      faults.add(
        STEERS_TERMINAL.test(stderr)
          ? [`the terminal is sent ${JSON.stringify(STEERS_TERMINAL.exec(stderr)?.[0])}`]
          : [],
      );
    const { done, failed } = JSON.parse(readFileSync(join(out, "summary.json"), "utf8")) as {
      done: number;
      failed: number;
    };
    faults.add(
      done + failed === 2 * names.length && failed >= 2 * NOT_ON_DISK.length ? [] : [`${done} done, ${failed} failed`],
    );
    const overlays = readdirSync(join(out, "overlays"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".jpg"),
    );
    faults.add(overlays.length === ON_DISK.length ? [] : [`${overlays.length} overlays of ${ON_DISK.length} images`]);
    for (const folder of [out, reports]) {
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        const problems = /[<>"\p{Cc}\u202e]/u.test(name) ? [`${JSON.stringify(name)} is no harmless file name`] : [];
        if (name.endsWith(".json")) JSON.parse(readFileSync(join(folder, name), "utf8"));
        if (/\.(html|xml)$/.test(name) && MARKUP.test(readFileSync(join(folder, name), "utf8")))
          problems.push(`${name} holds markup of a name`);
        faults.add(problems);
      }
    }
    faults.add(existsSync(reports) && existsSync(join(reports, "report.html")) ? [] : ["there is no report.html"]);
    const added = readdirSync(home)
      .filter((name) => !before.includes(name))
      .sort();
    faults.add(
      JSON.stringify(added) === JSON.stringify(["named-out", "named-report"])
        ? []
        : [`beside the output lie ${added.join(", ")}`],
    );
    faults.note();
    expect(faults.losses).toEqual([]);
  },
  300_000,
);
