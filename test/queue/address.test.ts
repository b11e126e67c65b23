import { expect, test } from "vitest";
import { parseRedisAddress, queueReason, withoutPasswords } from "../../src/queue/address.js";

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
      username: "ann",
      password: "p@ss",
      shown: "rediss://host:6380/2",
    },
    why: "TLS, user, password, database",
  },
  { text: "redis://[::1]:7000", parts: { host: "::1", port: 7000, shown: "redis://[::1]:7000" }, why: "IPv6" },
])("$why: $text", ({ text, parts }) => {
  expect(parseRedisAddress(text)).toMatchObject(parts);
});

test.each([
  "redis://:secret@host:notaport",
  "http://u:secret@host",
  "redis://u:secret@host/x",
  "redis://u:%zzsecret@host",
  "redis://",
  "secret",
])("what is no address of a Redis server is refused without repeating it: %s", (text) => {
  expect(() => parseRedisAddress(text)).toThrow(/--queue: expected/);
  expect(() => parseRedisAddress(text)).not.toThrow(/secret/);
});

test.each([
  "redis://:secret@host:1",
  "rediss://ann:secret@host/0",
  "--queue=redis://u:secret@h",
  'x "redis://u:secret@h" y',
])("a password does not reach a message: %s", (text) => {
  expect(withoutPasswords(text)).not.toContain("secret");
  expect(queueReason(new Error(text))).not.toContain("secret");
});
