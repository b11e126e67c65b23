/** What is shown of an address: where it leads, never who goes there with what. */
import { inspect } from "node:util";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { hideInWord, hideSecrets, Secret, secretAddress } from "../src/secret.js";

test("a secret prints as *** however it is printed", () => {
  const secret = new Secret("LEAKME");
  const all = [
    [secret].join(""),
    String(secret),
    JSON.stringify({ secret }),
    inspect({ secret }, { showHidden: true, depth: 9 }),
  ];
  for (const text of all) expect(text).not.toContain("LEAKME");
  expect(JSON.stringify(secret)).toBe('"***"');
  expect(secret.open()).toBe("LEAKME");
  expect(Object.values(secret)).not.toContain("LEAKME");
  expect(String(secretAddress("redis://u:LEAKME@h/5"))).toBe("redis://***@h/5");
});

describe("in a text", () => {
  test.each([
    ["redis://:LEAKME@host:1 is gone", "redis://***@host:1 is gone"],
    ["rediss://ann:LEAKME@host/0", "rediss://***@host/0"],
    ["--queue=redis://u:LEAKME@h", "--queue=redis://***@h"],
    ['x "redis://u:LEAKME@h" y', 'x "redis://***@h" y'],
    ["redis://u:p@ss'LEAKME@127.0.0.1:27431/5", "redis://***@127.0.0.1:27431/5"],
    ['redis://u:p"LEAKME@h and http://u:LEAKME@h', "redis://***@h and http://***@h"],
    ["redis://u:LEAKME/x?y#z@h", "redis://***@h"],
    ["http://u:LEAKME@h:18080/x?sig=LEAKME", "http://***@h:18080/x?***"],
    ["https://h/x#LEAKME then https://h/?LEAKME", "https://h/x#*** then https://h/?***"],
    ["redis://redis://u:LEAKME@h", "redis://***@h"],
    ["REDIS://U:LEAKME@h", "REDIS://***@h"],
    ["http://h/x@2x.jpg", "http://h/x@2x.jpg"],
    ["no address, ann@host, a://b", "no address, ann@host, a://b"],
    ["Write redis://HOST:6379, or rediss://USER:PASSWORD@HOST:6380/0 for TLS", undefined],
  ])("%s", (text, shown) => {
    expect(hideSecrets(text)).toBe(shown ?? text);
  });

  test("an address that is a word of its own may hold spaces", () => {
    expect(hideInWord("--queue=redis://u:LEAK ME@h")).toBe("--queue=redis://***@h");
    expect(hideInWord("./images")).toBe("./images");
  });

  test("no password of any characters is left", () => {
    const part = fc.string({ minLength: 1 }).map((text) => text.replace(/\s/gu, "_"));
    fc.assert(
      fc.property(part, part, (before, after) => {
        expect(hideSecrets(`at redis://u:${before}LEAKME${after}@h:1/2 now`)).not.toContain("LEAKME");
      }),
    );
  });

  test.each(["redis://", "@", "://@", "redis://u:", "?", " a://"])("a megabyte of %s takes no time", (part) => {
    const text = part.repeat(1_000_000 / part.length);
    const before = performance.now();
    hideSecrets(text);
    hideInWord(text);
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});
