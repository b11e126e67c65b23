/** Numbers of other tools' files come out digit for digit, and files without measure are refused for what they are. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDataset } from "../../../src/dataset/open-dataset.js";
import { toJsonText } from "../../../src/json-text.js";
import { folderOf } from "./forms.js";

const BIG = "12345678901234567890";

async function rawOf(name: string, text: string): Promise<string> {
  const home = await folderOf({ [name]: text });
  const dataset = await openDataset({ boxes: join(home, name), images: join(home, "images") });
  try {
    const found: string[] = [];
    for await (const { image, entries } of dataset.groups())
      for (const entry of entries)
        if (entry.kind === "instance") found.push(toJsonText(image.raw), toJsonText(entry.instance.raw));
    return found.join("\n");
  } finally {
    await dataset.close();
  }
}

test.each([
  {
    name: "a.json",
    text: `{"version":"5","flags":{"seen":${BIG}},"shapes":[{"label":"car","shape_type":"rectangle","points":[[5,5],[40,40]],
      "group_id":${BIG},"flags":{"far":1e400,"price":1.10}}],"imagePath":"a.png"}`,
    fields: [`"seen":${BIG}`, `"group_id":${BIG}`, '"far":1e400', '"price":1.10'],
  },
  {
    name: "tasks.json",
    text: `[{"id":${BIG},"data":{"image":"a.png"},"annotations":[{"result":[{"id":-0,"score":0.50,"type":"rectanglelabels",
      "original_width":200,"original_height":100,"value":{"x":10,"y":10,"width":50,"height":50,"rectanglelabels":["car"]}}]}]}]`,
    fields: [`"task_id":${BIG}`, '"result_id":-0', '"score":0.50'],
  },
  {
    name: "boxes.ndjson",
    text: `{"image":"a.png","bbox":[5,5,30,30],"label":"car","id":${BIG},"track":1e400}\n`,
    fields: [`"source_id":${BIG}`, '"track":1e400'],
  },
  {
    name: "cvat.xml",
    text: `<annotations><image id="0" name="a.png" width="200" height="100"><box label="car" xtl="5" ytl="5" xbr="40"
      ybr="40" group_id="${BIG}" z_order="1e1"><attribute name="n">${BIG}</attribute></box></image></annotations>`,
    fields: [`"group_id":${BIG}`, '"z_order":1e1', `"n":"${BIG}"`],
  },
])("$name: numbers are as they were written", async ({ name, text, fields }) => {
  const raw = await rawOf(name, text);
  for (const field of fields) expect(raw).toContain(field);
});

test.each([
  { why: "brackets", text: `names: ${"[".repeat(20_000)}` },
  { why: "signs", text: `names:\n  ${"? ".repeat(20_000)}` },
  { why: "indents", text: Array.from({ length: 1000 }, (_, i) => `${" ".repeat(i)}a:`).join("\n") },
])("a list of classes of too many levels of $why is refused before it is parsed", async ({ text }) => {
  const home = await folderOf({ "labels/data.yaml": text, "labels/a.txt": "0 0.5 0.5 0.5 0.5\n" });
  await expect(openDataset({ boxes: join(home, "labels"), images: join(home, "images") })).rejects.toThrow(
    /data\.yaml: expected names.*received more than 16 levels of lists and objects/,
  );
});

test("a line of NDJSON that is too deep is named as that", async () => {
  const home = await folderOf({});
  const path = join(home, "deep.ndjson");
  writeFileSync(path, `{"image":"a.png","bbox":[5,5,30,30],"label":"car","x":${"[".repeat(600)}${"]".repeat(600)}}\n`);
  await expect(openDataset({ boxes: path, images: join(home, "images") })).rejects.toThrow(
    /line 1: expected a JSON object.*brackets are deeper than 512 levels/,
  );
});
