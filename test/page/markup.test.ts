import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { html, shownText } from "../../src/page/markup.js";

describe("HTML templates", () => {
  test("escape whatever is put in, so that no text opens a tag, an attribute or an entity", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const { text: markup } = html`<p title="${text}">${text}</p>`;
        const inside = markup.slice('<p title="'.length, -"</p>".length);
        expect(inside.replace('">', "")).not.toMatch(/[<>"']/);
        expect(inside.replace(/&#\d+;/g, "")).not.toContain("&");
      }),
    );
  });

  test("keep markup that was made by a template, and join lists of it", () => {
    // prettier-ignore
    const list = html`<ul>${["a", "<b>"].map((item) => html`<li>${item}</li>`)}</ul>`;
    expect(list.text).toBe("<ul><li>a</li><li>&#60;b&#62;</li></ul>");
  });

  test("show characters that hide or turn text as a replacement mark", () => {
    expect(html`${"a\u0000b\u202Ec\u200Bd"}`.text).toBe("a\uFFFDb\uFFFDc\uFFFDd");
  });

  test("cut nothing: not the points of an outline, not a sentence", () => {
    const points = "12.5,13.5 ".repeat(2000);
    expect(html`<polygon points="${points}"/>`.text).toContain(points);
    expect(html`<p>${"word ".repeat(400)}end.</p>`.text).toContain("end.");
  });

  test("a name that would fill the page is cut where all can see it, between two characters", () => {
    expect(shownText("x".repeat(4000))).toBe(`${"x".repeat(300)}…`);
    expect(shownText("x".repeat(300))).toBe("x".repeat(300));
    expect(shownText(`${"x".repeat(299)}\u{1F600}y`)).toBe(`${"x".repeat(299)}…`);
  });
});
