import { expect, test } from "vitest";
import { EXIT, cannotWrite } from "../../src/errors.js";
import { toWriteError } from "../../src/files/atomic-file.js";

const systemError = (code: string): Error => Object.assign(new Error(`${code}: broken, open 'x'`), { code });

test.each([
  { code: "ENOSPC", words: /disk is full/u, next: /Free some space/u },
  { code: "EDQUOT", words: /quota/u, next: /Free some space/u },
  { code: "EACCES", words: /permission is denied/u, next: /permissions/u },
  { code: "EROFS", words: /read-only/u, next: /writable disk/u },
  { code: "ENOTDIR", words: /is a file, not a folder/u, next: /Remove that file/u },
  { code: "ENAMETOOLONG", words: /too long/u, next: /shorter path/u },
  { code: "EISDIR", words: /folder of that name/u, next: /Remove that folder/u },
  { code: "ENOENT", words: /does not exist any more/u, next: /--resume/u },
])("$code says what failed, where, and what to do next", ({ code, words, next }) => {
  const error = toWriteError("out/a.json", systemError(code));
  expect(error.message).toMatch(/^out\/a\.json: /u);
  expect(error.message).toMatch(words);
  expect(error.message).toContain(code);
  expect(error.hint).toMatch(next);
  expect(error.exitCode).toBe(EXIT.cannotWrite);
});

test.each([
  { why: "a code nobody listed", thrown: systemError("EWEIRD"), words: /EWEIRD: broken/u },
  { why: "a name that objects have anyway", thrown: systemError("toString"), words: /toString: broken/u },
  { why: "an error without a code", thrown: new Error("plain"), words: /plain/u },
  { why: "a code that is a number", thrown: Object.assign(new Error("numbered"), { code: 5 }), words: /numbered/u },
  { why: "something that is no error", thrown: "text", words: /text/u },
])("$why still becomes a sentence with the path", ({ thrown, words }) => {
  const error = toWriteError("out/a.json", thrown);
  expect(error.message).toMatch(/^out\/a\.json: /u);
  expect(error.message).toMatch(words);
  expect(error.cause).toBe(thrown);
});

test("an error that was explained already stays as it is", () => {
  const explained = cannotWrite("a", "b");
  expect(toWriteError("other", explained)).toBe(explained);
});
