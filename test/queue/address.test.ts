import { expect, test } from "vitest";
import { inspect } from "node:util";
import { parseImageAddress, parseRedisAddress, queueReason } from "../../src/queue/address.js";
import { Secret, secretAddress } from "../../src/secret.js";

test.each([
  {
    text: "redis://host",
    parts: { host: "host", port: 6379, database: 0, isEncrypted: false, shown: "redis://host:6379" },
    why: "the port is Redis' own",
  },
  {
    text: "rediss://ann:p%40ss@host:6380/2",
    parts: {
      host: "host",
      port: 6380,
      database: 2,
      isEncrypted: true,
      shown: "rediss://host:6380/2",
    },
    why: "TLS, user, password, database",
  },
  { text: "redis://[::1]:7000", parts: { host: "::1", port: 7000, shown: "redis://[::1]:7000" }, why: "IPv6" },
])("$why: $text", ({ text, parts }) => {
  expect(parseRedisAddress(new Secret(text))).toMatchObject(parts);
});

test.each([
  "redis://:secret@host:notaport",
  "http://u:secret@host",
  "redis://u:secret@host/x",
  "redis://u:%zzsecret@host",
  "redis://",
  "secret",
])("what is no address of a Redis server is refused without repeating it: %s", (text) => {
  expect(() => parseRedisAddress(new Secret(text))).toThrow(/--queue: expected/);
  expect(() => parseRedisAddress(new Secret(text))).not.toThrow(/secret/);
});

test("user and password open where they are used, and print as ***", () => {
  const address = parseRedisAddress(new Secret("rediss://ann:p%40ss@host:6380/2"));
  expect(address.username?.open()).toBe("ann");
  expect(address.password?.open()).toBe("p@ss");
  for (const text of [
    JSON.stringify(address),
    inspect(address, { depth: 9, showHidden: true }),
    String(address.password),
  ]) {
    expect(text).toContain("***");
    expect(text).not.toMatch(/ann|p@ss/);
  }
});

test("the address of the image folder opens for the jobs, and shows neither user nor query", () => {
  const address = parseImageAddress(secretAddress("https://u:secret@host:8080/x?sig=secret#secret"));
  expect(address.open()).toContain("secret");
  expect(String(address)).toBe("https://***@host:8080/x?***");
});

test.each(["ftp://u:secret@host", "http://", "https://u:secret@", "secret"])(
  "what is no address of an image folder is refused without repeating it: %s",
  (text) => {
    expect(() => parseImageAddress(new Secret(text))).toThrow(/^--image-address: expected/);
    expect(() => parseImageAddress(new Secret(text))).not.toThrow(/secret/);
  },
);

test("a reason of the server is one short line without secrets", () => {
  const reason = queueReason(new Error(`at redis://u:secret@h/1?secret ${"x".repeat(100_000)}\nmore`));
  expect(reason).not.toContain("secret");
  expect(reason.length).toBeLessThan(2100);
});
