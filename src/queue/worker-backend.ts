/**
 * What BullMQ reads for a worker, made ours before BullMQ looks at it. Its own reader throws at a job that is not JSON,
 * which then stays in the list of active jobs for ever, and it follows ids, parents and schedules that a job names.
 *
 * Of a job only data and counters are taken, and they are checked. What it asks BullMQ to do (backoff, how long it is
 * kept) is set as for every job of ours. So a foreign job comes to the worker, which rejects it with a reason.
 */
import type { BackendFactory, RedisQueueBackend } from "bullmq";
import { createRedisBackend } from "bullmq";
import { cutText, parseForeignJson } from "../foreign.js";
import type { QueueConnection } from "./connection.js";
import { JOB_NAME, MOST_FIELD_BYTES, optionsOf } from "./job-board.js";
import { MOST_ATTEMPTS } from "./job.js";

/** Fields by which a job acts on other keys: another job, a parent, a schedule, a key against doubles. */
const NEVER_OURS = ["id", "parent", "parentKey", "rjk", "deid"];

/** Fields of a job that are taken. */
const TAKEN = ["data", "opts", "timestamp", "processedOn", "atm", "ats", "stc", "defa"];

/** How BullMQ's scripts read the job that they hand to a worker: whole, and Redis takes 512 MB in one field. */
const WHOLE_JOB = 'rcall("HGETALL", jobKey)';

/** The same within limits: fields that are taken, and the names of those that never are ours. Sizes come first. */
const JOB_WITHIN_LIMITS = `(function()
  local flat = {}
  for _, name in ipairs({${luaTexts(TAKEN)}}) do
    local bytes = rcall("HSTRLEN", jobKey, name)
    if bytes > ${MOST_FIELD_BYTES} then
      flat[#flat + 1] = name
      flat[#flat + 1] = "text of " .. bytes .. " bytes, which was not read"
    elseif bytes > 0 then
      flat[#flat + 1] = name
      flat[#flat + 1] = rcall("HGET", jobKey, name)
    end
  end
  for _, name in ipairs({${luaTexts(NEVER_OURS)}}) do
    if rcall("HEXISTS", jobKey, name) == 1 then
      flat[#flat + 1] = name
      flat[#flat + 1] = ""
    end
  end
  return flat
end)()`;

function luaTexts(names: readonly string[]): string {
  return names.map((name) => JSON.stringify(name)).join(", ");
}

/**
 * Of every job that BullMQ's scripts bring through this client, no more is sent than is taken. BullMQ defines its
 * scripts on the client that it is given; a version that reads jobs in another way is noticed by the test of this.
 */
export function readJobsWithinLimits(client: QueueConnection["client"]): void {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) => {
    define(name, { ...definition, lua: definition.lua.replaceAll(WHOLE_JOB, JOB_WITHIN_LIMITS) });
  };
}

/** @param connection for what BullMQ has no command for @returns what BullMQ's Worker takes as its last argument */
export function workerBackend({ client: own }: Pick<QueueConnection, "client">): BackendFactory<RedisQueueBackend> {
  return (name, options, more) => {
    const backend = createRedisBackend(name, options, more);
    const send = backend.execCommand.bind(backend) as (...command: Parameters<typeof backend.execCommand>) => unknown;
    backend.execCommand = (client, command, args): unknown => {
      const answer = send(client, command, args);
      if (!(answer instanceof Promise)) return answer; // queued in a transaction
      const tame = async (found: unknown): Promise<unknown> => {
        if (!bringsJob(found)) return found;
        const [fields, id, ...rest] = found;
        const odd = NEVER_OURS.filter((name) => fields.includes(name));
        if (odd.length > 0) await own.hdel(backend.toKey(String(id)), ...odd);
        return [tameFields(fields.map(String), String(id)), id, ...rest];
      };
      return answer.then(tame, async (error: unknown) => {
        // A string or a list under the name of a job: the script has made its id active, and then stopped.
        if (error instanceof Error && error.message.includes("WRONGTYPE")) {
          const { active, stalled, "": start } = backend.keys;
          // The error itself is reported; this is tried again with the next one.
          await own.eval(REMOVE_ODD_JOBS, 2, active!, stalled!, start!, MOST_ACTIVE).catch(() => undefined);
        }
        throw error;
      });
    };
    return backend;
  };
}

/** Active jobs that are looked at. */
const MOST_ACTIVE = 10_000;

/** An answer that begins with a job's fields, by name and value, and its id. */
function bringsJob(answer: unknown): answer is [unknown[], unknown, ...unknown[]] {
  return Array.isArray(answer) && Array.isArray(answer[0]);
}

/** @param flat names and values in turn @returns the same, with nothing in it that is not ours */
export function tameFields(flat: readonly string[], id: string): string[] {
  const given = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) given.set(flat[i]!, flat[i + 1]!);
  const whole = (field: string): number => {
    const value = Number(given.get(field));
    return Number.isSafeInteger(value) && value > 0 ? value : 0;
  };
  const deferred = given.get("defa");
  const fields: Record<string, string | number> = {
    name: JOB_NAME,
    data: dataOf(given.get("data")),
    opts: JSON.stringify(optionsOf(id, attemptsOf(given.get("opts")), 0)),
    timestamp: whole("timestamp"),
    processedOn: whole("processedOn"),
    atm: whole("atm"),
    ats: whole("ats"),
    stc: whole("stc"),
    ...(deferred !== undefined && { defa: cutText(deferred, 1000) }),
  };
  return Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
}

/** JSON as it is, of other text its beginning as a JSON string, which is no job of ours. */
function dataOf(text = ""): string {
  try {
    if (text.length > MOST_FIELD_BYTES) throw new SyntaxError("too long for a job");
    parseForeignJson(text);
    return text;
  } catch {
    return JSON.stringify(cutText(text, 200));
  }
}

function attemptsOf(options = ""): number {
  try {
    const { attempts } = Object(parseForeignJson(cutText(options, 100_000))) as { attempts?: unknown };
    return Number.isInteger(attempts) && Number(attempts) >= 1 ? Math.min(Number(attempts), MOST_ATTEMPTS) : 1;
  } catch {
    return 1;
  }
}

/** KEYS: active, stalled. ARGV: what keys of jobs begin with, ids that are looked at. */
const REMOVE_ODD_JOBS = `
for _, id in ipairs(redis.call('LRANGE', KEYS[1], 0, ARGV[2])) do
  local kind = redis.call('TYPE', ARGV[1] .. id).ok
  if kind ~= 'hash' and kind ~= 'none' then
    redis.call('LREM', KEYS[1], 0, id)
    redis.call('SREM', KEYS[2], id)
    redis.call('DEL', ARGV[1] .. id .. ':lock')
  end
end`;
