/**
 * Puts the part of ECharts that draws a page's charts into dist/page/chart.js, so that whoever installs polyrnn does
 * not install its 62 MB. ECharts is a package of development for that reason. Runs after tsc; a file that is bundled
 * already is left alone. The licenses of what is inside lie beside it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const page = fileURLToPath(new URL("../dist/page/", import.meta.url));
const file = join(page, "chart.js");
if (/from "echarts/.test(readFileSync(file, "utf8"))) {
  writeFileSync(file, await bundle());
  writeFileSync(join(page, "chart.LICENSES.txt"), terms());
}

async function bundle() {
  const graph = await rolldown({
    input: file,
    external: (id, importer) => importer === file && id.startsWith("./"),
    platform: "neutral",
  });
  const { output } = await graph.generate({ format: "esm", minify: true, comments: false });
  await graph.close();
  const [{ code, imports }, ...others] = output;
  const foreign = [...imports.filter((name) => name !== "markup.js"), ...others.map(({ fileName }) => fileName)];
  if (foreign.length > 0) throw new Error(`expected one file beside markup.js, received ${foreign}`);
  return code;
}

function terms() {
  const own = createRequire(import.meta.url);
  const echarts = own.resolve("echarts/package.json");
  const { resolve } = createRequire(echarts);
  const files = [
    ["Apache ECharts", join(dirname(echarts), "LICENSE")],
    ["Apache ECharts", join(dirname(echarts), "NOTICE")],
    ["ZRender", join(dirname(resolve("zrender/package.json")), "LICENSE")],
    ["tslib", join(dirname(resolve("tslib")), "LICENSE.txt")],
  ];
  return files
    .map(([name, path]) => `chart.js contains parts of ${name}.\n\n${readFileSync(path, "utf8").trim()}\n`)
    .join(`\n${"-".repeat(80)}\n\n`);
}
