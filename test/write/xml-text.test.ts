import fc from "fast-check";
import { expect, test } from "vitest";
import { SaxesParser } from "saxes";
import { escapeXml, escapeXmlData, toPlainText } from "../../src/write/xml-text.js";

test.each([
  {
    text: 'car & "bus" <b>\'s',
    escaped: "car &amp; &quot;bus&quot; &lt;b&gt;&apos;s",
    why: "marks of XML become entities",
  },
  { text: "a\u0000b\nc\u0085d\ufffee", escaped: "a b c d e", why: "what XML cannot hold becomes a space" },
  { text: "a\ud800b\u202ec", escaped: "a b c", why: "so do half characters and marks that turn text" },
  { text: "猫 😀 é", escaped: "猫 😀 é", why: "other scripts stay" },
])("$why", ({ text, escaped }) => {
  expect(escapeXml(text)).toBe(escaped);
});

test("escaped text has no mark that could end an attribute or an element, and reads back as the plain text", () => {
  const entities: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" };
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const escaped = escapeXml(text);
      expect(escaped).not.toMatch(/[<>"']/u);
      expect(escaped.replace(/&(\w+);/gu, (_, name: string) => entities[name]!)).toBe(toPlainText(text));
    }),
  );
});

test("data reads back as it was, but for what XML cannot hold at all", () => {
  const impossible = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Cs}/gu; // eslint-disable-line no-control-regex -- looked for
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const read: string[] = [];
      const parser = new SaxesParser();
      parser.on("opentag", ({ attributes }) => read.push(attributes["name"]!));
      parser.write(`<image name="${escapeXmlData(text)}"/>`).close();
      expect(read).toEqual([text.replace(impossible, " ")]);
    }),
    { examples: [["a\u202eb\u2028\r\n\tc\u0085d"], ["a\u0000\ud800\ufffeb"], ["<&>\"'"]] },
  );
  expect(escapeXmlData("turned \u202e")).toBe("turned &#x202E;");
});
