import fc from "fast-check";
import { expect, test } from "vitest";
import { escapeXml, toPlainText } from "../../src/write/xml-text.js";

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
