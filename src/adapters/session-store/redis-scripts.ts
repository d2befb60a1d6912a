import { createHash } from "node:crypto";
import type { FinishedTurn } from "../../types.ts";
import type { Script } from "../redis/connection.ts";

/** Entries of a user's list, which is read whole; beyond, the oldest tenth goes. */
const LISTED_MAX = 10_000;

/**
 * A session is one hash, so that it lives on one slot, expires and is evicted as a whole. Its fields: `version`, `replacedVersion`,
 * `summary`, `summarizedTurns`, `entities`, `turnCount`, `totalTokens`, `recallModel`, `recallUpTo`, `groups` (a list, as JSON); `t:<number>` a turn and `s:<number>` its
 * short form; `v:<number>` its vector; `n:<request id>` a turn's number; `pending` the ids of pending questions, each of which has a
 * `p:<request id>`. Request ids are URI-encoded. Turns are `<status>|<tokens>|<JSON>`, pending ones `<expires at>|<tokens>|<JSON of the turn as
 * interrupted>`: of what is JSON, groups alone are read here. A user's sessions have a hash as well, which may lack some: by id, when
 * each was last asked in.
 */
const COMMON = `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function get(field) return redis.call('HGET', key, field) end
local function set(field, value) redis.call('HSET', key, field, value) end
local function add(field, value) return redis.call('HINCRBY', key, field, value) end
local function number(field) return tonumber(get(field) or 0) end
local function parts(value) return string.match(value, '^(%w+)|(%d+)|(.*)$') end

local function pendingIds()
  local ids = {}
  for id in string.gmatch(get('pending') or '', '%S+') do ids[#ids + 1] = id end
  return ids
end

local function dropPending(id)
  local kept = {}
  for _, other in ipairs(pendingIds()) do
    if other ~= id then kept[#kept + 1] = other end
  end
  set('pending', table.concat(kept, ' '))
  redis.call('HDEL', key, 'p:' .. id)
end

local function isOpenTo(groups)
  local asked = get('groups')
  if not asked or asked == groups then return true end
  local has = {}
  for _, group in ipairs(cjson.decode(groups)) do has[group] = true end
  for _, group in ipairs(cjson.decode(asked)) do
    if not has[group] then return false end
  end
  return true
end

local function join(groups)
  local asked = get('groups') or '[]'
  if groups == '[]' or groups == asked then return end
  local all, has = cjson.decode(asked), {}
  for _, group in ipairs(all) do has[group] = true end
  for _, group in ipairs(cjson.decode(groups)) do
    if not has[group] then all[#all + 1] = group end
  end
  set('groups', cjson.encode(all))
end

local function view(turnsMax)
  local fields = redis.call('HMGET', key, 'version', 'summary', 'summarizedTurns', 'entities', 'turnCount', 'totalTokens',
    'recallModel', 'recallUpTo')
  local turns, pending = {}, {}
  if fields[1] then
    local count = tonumber(fields[5])
    for n = math.max(tonumber(fields[3]), count - turnsMax) + 1, count do
      turns[#turns + 1] = {tostring(n), get('t:' .. n), get('s:' .. n)}
    end
    for _, id in ipairs(pendingIds()) do pending[#pending + 1] = get('p:' .. id) end
  end
  return {string.format('%.0f', now), fields, turns, pending}
end
`;

/** request id, pending turn, turns at most, lease, TTL, most pending, groups → the session as it was; 0: too many are pending; -1: groups are lacking. */
export const BEGIN = script(`
local id, asked, turnsMax, leaseMs, ttlMs, pendingMax, groups = unpack(ARGV)
if not isOpenTo(groups) then return -1 end
local before = view(tonumber(turnsMax))
if not before[2][1] then
  local first = string.format('%.0f', time[1] * 1000000 + time[2])
  redis.call('HSET', key, 'version', first, 'replacedVersion', first, 'summary', '', 'summarizedTurns', 0, 'entities', '[]',
    'turnCount', 0, 'totalTokens', 0, 'pending', '')
end
for _, other in ipairs(pendingIds()) do
  local expiresAt, tokens, json = parts(get('p:' .. other))
  if tonumber(expiresAt) <= now then
    local n = add('turnCount', 1)
    set('t:' .. n, 'interrupted|' .. tokens .. '|' .. json)
    set('n:' .. other, n)
    add('totalTokens', tokens)
    dropPending(other)
  end
end
redis.call('PEXPIRE', key, ttlMs)
if get('n:' .. id) or get('p:' .. id) then return before end
local ids = pendingIds()
if #ids >= tonumber(pendingMax) then return 0 end
if groups ~= '[]' then set('groups', groups) end
ids[#ids + 1] = id
set('pending', table.concat(ids, ' '))
set('p:' .. id, string.format('%.0f', now + leaseMs) .. '|' .. asked)
add('version', 1)
return before
`);

/** request id, lease, TTL. */
export const RENEW = script(`
local field = 'p:' .. ARGV[1]
local asked = get(field)
if not asked then return 0 end
set(field, string.format('%.0f', now + ARGV[2]) .. string.match(asked, '^%d+(.*)$'))
redis.call('PEXPIRE', key, ARGV[3])
return 1
`);

/** request id, status, tokens, JSON, TTL, groups → 1; 0: never begun. */
export const FINISH = script(`
local id, status, tokens, json, ttlMs, groups = unpack(ARGV)
local n = get('n:' .. id)
if not n and not get('p:' .. id) then return 0 end
join(groups)
local turn = status .. '|' .. tokens .. '|' .. json
if not n then
  n = add('turnCount', 1)
  set('t:' .. n, turn)
  set('n:' .. id, n)
  add('totalTokens', tokens)
  add('version', 1)
  dropPending(id)
else
  local stored, storedTokens = parts(get('t:' .. n))
  if stored ~= 'complete' and status == 'complete' then
    set('t:' .. n, turn)
    redis.call('HDEL', key, 's:' .. n)
    add('totalTokens', tokens - storedTokens)
    set('replacedVersion', add('version', 1))
  end
end
redis.call('PEXPIRE', key, ttlMs)
return 1
`);

/** turns at most, TTL, groups → the session; -1: groups are lacking. */
export const LOAD = script(`
if not isOpenTo(ARGV[3]) then return -1 end
redis.call('PEXPIRE', key, ARGV[2])
return view(tonumber(ARGV[1]))
`);

/** → nothing: what Redis refuses where it takes no more of what grows. */
export const PROBE = script(`
redis.call('SET', key, '')
redis.call('DEL', key)
`);

/** TTL, groups, numbers … → number, turn, … */
export const TURNS = script(`
local found = {}
if not isOpenTo(ARGV[2]) then return found end
redis.call('PEXPIRE', key, ARGV[1])
for i = 3, #ARGV do
  local turn = get('t:' .. ARGV[i])
  if turn then found[#found + 1] = {ARGV[i], turn} end
end
return found
`);

/** version, TTL, turns summarised or '', recall model or '', then field, value, … → 1; 0: somebody was faster. */
export const REPLACE = script(`
local version, ttlMs, summarizedTurns, model = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4]
local current = tonumber(get('version') or -1)
if current < version or number('replacedVersion') > version then return 0 end
if summarizedTurns ~= '' and tonumber(summarizedTurns) > number('turnCount') then return 0 end
local upTo = number('recallUpTo')
if model ~= '' and get('recallModel') ~= model then
  for n = 1, upTo do redis.call('HDEL', key, 'v:' .. n) end
  upTo = 0
  set('recallModel', model)
end
for i = 5, #ARGV, 2 do
  local kind, n = string.match(ARGV[i], '^([sv]):(%d+)$')
  if not kind or get('t:' .. n) then
    set(ARGV[i], ARGV[i + 1])
    if kind == 'v' then upTo = math.max(upTo, tonumber(n)) end
  end
end
set('recallUpTo', upTo)
if summarizedTurns ~= '' then set('summarizedTurns', summarizedTurns) end
set('replacedVersion', add('version', 1))
redis.call('PEXPIRE', key, ttlMs)
return 1
`);

/** model, TTL, groups → number, vector, … */
export const VECTORS = script(`
local found = {}
if not isOpenTo(ARGV[3]) then return found end
redis.call('PEXPIRE', key, ARGV[2])
if get('recallModel') ~= ARGV[1] then return found end
for n = 1, number('recallUpTo') do
  local vector = get('v:' .. n)
  if vector then
    found[#found + 1] = tostring(n)
    found[#found + 1] = vector
  end
end
return found
`);

/** groups → when it was deleted; 0: there was nothing to delete. */
export const DELETE = script("return isOpenTo(ARGV[1]) and redis.call('UNLINK', key) == 1 and now or 0");

/** groups → the first turn, or a pending one, and the number of turns; nothing: it is not there. */
export const ENTRY = script(`
if redis.call('EXISTS', key) == 0 then return {} end
if not isOpenTo(ARGV[1]) then return {'', '-1'} end
local id = pendingIds()[1]
return {get('t:1') or (id and get('p:' .. id)) or '', tostring(number('turnCount'))}
`);

/** Of a user's list. TTL, id: it was just asked in. */
export const LIST = script(`
set(ARGV[2], string.format('%.0f', now))
redis.call('PEXPIRE', key, ARGV[1])
if redis.call('HLEN', key) <= ${LISTED_MAX} then return end
local all, times = redis.call('HGETALL', key), {}
for i = 2, #all, 2 do times[#times + 1] = tonumber(all[i]) end
table.sort(times)
local first = times[${LISTED_MAX / 10}]
for i = 1, #all, 2 do
  if tonumber(all[i + 1]) <= first then redis.call('HDEL', key, all[i]) end
end
`);
/** Of a user's list. TTL: one of them was read. */
export const KEEP_LIST = script("redis.call('PEXPIRE', key, ARGV[1])");
/** Of a user's list → id, time, … */
export const LISTED = script("return redis.call('HGETALL', key)");
/** Of a user's list. id, time, … of those that are not there any more, unless they were asked in later. */
export const UNLIST = script(`
for i = 1, #ARGV, 2 do
  local usedAt = get(ARGV[i])
  if usedAt and tonumber(usedAt) <= tonumber(ARGV[i + 1]) then redis.call('HDEL', key, ARGV[i]) end
end
`);

/** Of a turn as it is stored, finished or pending. */
export function turnOf(stored: string): FinishedTurn {
  return JSON.parse(stored.slice(stored.indexOf("|", stored.indexOf("|") + 1) + 1)) as FinishedTurn;
}

function script(body: string): Script {
  const source = COMMON + body;
  return { source, sha: createHash("sha1").update(source).digest("hex") };
}
