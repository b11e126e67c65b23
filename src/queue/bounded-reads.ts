/**
 * Reading what anyone may have written to Redis. Keys, fields, members and values can have 512 MB each and be any number,
 * so a script on the server cuts and counts them before they are sent: no answer is larger than what was asked for.
 * Scripts go over a store in steps, so that none holds up the server for long.
 */
import type { QueueConnection } from "./connection.js";

type Asking = Pick<QueueConnection, "client" | "ask">;

/** Bytes of the names that are looked at: ids of jobs, keys of workers and leases. Those of ours are far shorter. */
export const LONGEST_NAME = 300;
/** Keys, fields and members one script looks at. */
const STEP = 1000;

/** ARGV: cursor, pattern, step, longest name, longest value. Longer values are cut; other kinds of keys are left out. */
const KEYS_STEP = `
local found = redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])
local values = {}
for _, key in ipairs(found[2]) do
  if #key <= tonumber(ARGV[4]) and redis.call('TYPE', key).ok == 'string' then
    values[#values + 1] = redis.call('GETRANGE', key, 0, ARGV[5])
  end
end
return {found[1], values}`;

/** KEYS: a hash. ARGV: cursor, step, length of the names, longest value. Fields of other lengths are left out. */
const FIELDS_STEP = `
local found = redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', ARGV[2])
local flat = {}
for i = 1, #found[2], 2 do
  if #found[2][i] == tonumber(ARGV[3]) then
    flat[#flat + 1] = found[2][i]
    flat[#flat + 1] = string.sub(found[2][i + 1], 1, tonumber(ARGV[4]))
  end
end
return {found[1], flat}`;

/** KEYS: a list or a sorted set. ARGV: first, last, longest name, beginning. Answers how many there were, and names. */
const MEMBERS_STEP = `
local kind = redis.call('TYPE', KEYS[1]).ok
local found = {}
if kind == 'list' then found = redis.call('LRANGE', KEYS[1], ARGV[1], ARGV[2])
elseif kind == 'zset' then found = redis.call('ZRANGE', KEYS[1], ARGV[1], ARGV[2]) end
local names = {}
for _, name in ipairs(found) do
  if #name <= tonumber(ARGV[3]) and string.sub(name, 1, #ARGV[4]) == ARGV[4] then names[#names + 1] = name end
end
return {#found, names}`;

/**
 * KEYS: a stream of BullMQ. ARGV: after which entry ("" begins at the newest), entries, longest name, longest value.
 * Answers the last entry, and a list of id, event, result; a longer result is left out.
 */
const EVENTS_STEP = `
if ARGV[1] == '' then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)
  return {newest[1] and newest[1][1] or '0-0', {}}
end
local last, ended = ARGV[1], {}
for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '(' .. last, '+', 'COUNT', ARGV[2])) do
  last = entry[1]
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  local id, event, result = fields.jobId, fields.event, fields.returnvalue or ''
  if id and #id <= tonumber(ARGV[3]) and (event == 'completed' or event == 'failed') then
    if #result > tonumber(ARGV[4]) then result = '' end
    ended[#ended + 1] = id
    ended[#ended + 1] = event
    ended[#ended + 1] = result
  end
end
return {last, ended}`;

/**
 * Values of the keys that a pattern names, in no order.
 * @param limits longest: bytes of a value, longer ones are cut and so damaged; most: how many are read, roughly
 */
export async function readValues(
  { client, ask }: Asking,
  pattern: string,
  { longest, most }: { readonly longest: number; readonly most: number },
): Promise<readonly string[]> {
  const values: string[] = [];
  let cursor = "0";
  do {
    const answer = client.eval(KEYS_STEP, 0, cursor, pattern, STEP, LONGEST_NAME, longest - 1);
    const [next, found] = (await ask(answer)) as [string, string[]];
    cursor = next;
    for (const value of found) if (value !== "") values.push(value);
  } while (cursor !== "0" && values.length < most);
  return values.slice(0, most);
}

/**
 * Fields of a hash whose names have a length in bytes.
 * @param limits longest: bytes of a value, longer ones are cut; most: how many are read
 * @returns isWhole: false when there are more
 */
export async function readFields(
  { client, ask }: Asking,
  key: string,
  { name, longest, most }: { readonly name: number; readonly longest: number; readonly most: number },
): Promise<{ readonly fields: ReadonlyMap<string, string>; readonly isWhole: boolean }> {
  const fields = new Map<string, string>();
  let cursor = "0";
  do {
    const [next, found] = (await ask(client.eval(FIELDS_STEP, 1, key, cursor, STEP, name, longest))) as [
      string,
      string[],
    ];
    cursor = next;
    for (let i = 0; i < found.length; i += 2) {
      if (fields.size === most && !fields.has(found[i]!)) return { fields, isWhole: false };
      fields.set(found[i]!, found[i + 1]!);
    }
  } while (cursor !== "0");
  return { fields, isWhole: true };
}

/**
 * Members of a list or a sorted set, in its order, that begin with a text.
 * @param range which are looked at, counted from 0; `last` is one of them. Names longer than LONGEST_NAME are left out
 * @returns seen: how many members the range holds
 */
export async function readMembers(
  { client, ask }: Asking,
  key: string,
  { first, last, start = "" }: { readonly first: number; readonly last: number; readonly start?: string },
): Promise<{ readonly seen: number; readonly names: readonly string[] }> {
  const answer = client.eval(MEMBERS_STEP, 1, key, first, Math.min(last, first + STEP - 1), LONGEST_NAME, start);
  const [seen, names] = (await ask(answer)) as [number, string[]];
  return { seen, names };
}

/** One end of a job. @property result undefined for a failure, and for a result too long for an event */
export interface EndEvent {
  readonly id: string;
  readonly result?: string;
}

/**
 * Ends of jobs that BullMQ's stream of events tells.
 * @param after the entry that an earlier call gave as `last`; absent: only the newest entry is looked up
 * @param limits entries that are looked at; longest: bytes of a result
 */
export async function readEvents(
  { client, ask }: Asking,
  key: string,
  after: string | undefined,
  { most, longest }: { readonly most: number; readonly longest: number },
): Promise<{ readonly last: string; readonly ended: readonly EndEvent[] }> {
  const answer = client.eval(EVENTS_STEP, 1, key, after ?? "", most, LONGEST_NAME, longest);
  const [last, flat] = (await ask(answer)) as [string, string[]];
  const ended: EndEvent[] = [];
  for (let i = 0; i < flat.length; i += 3)
    ended.push({
      id: flat[i]!,
      ...(flat[i + 1] === "completed" && flat[i + 2] !== "" && { result: flat[i + 2]! }),
    });
  return { last, ended };
}

/** KEYS: a hash. ARGV: field, longest value. Answers the value, or its bytes where it is longer. */
const FIELD = `
local bytes = redis.call('HSTRLEN', KEYS[1], ARGV[1])
if bytes > tonumber(ARGV[2]) then return bytes end
return redis.call('HGET', KEYS[1], ARGV[1])`;

/** @returns undefined where there is none; the number of its bytes where it is longer than asked for */
export async function readField(
  { client, ask }: Asking,
  key: string,
  field: string,
  longest: number,
): Promise<string | number | undefined> {
  return ((await ask(client.eval(FIELD, 1, key, field, longest))) as string | number | null) ?? undefined;
}
