-- The windows of one subject: what `portcullis_core::window` does, where several nodes share them. `now` (milliseconds) is set before
-- this by the clock of this server, so that no node's clock takes part.
--
-- KEYS[1] has the instants of single requests as the scores of a sorted set; KEYS[2] and on have the counts by segment of one greater
-- window each. ARGV: what to do, the cost, where a refund begins, its instant, and for each window its limit and its milliseconds.
local exact, segments = 4096, 256
-- What nobody asks for is forgotten so much later than it could be.
local slow = 10000
local what, cost = ARGV[1], tonumber(ARGV[2])
local single, longest, windows, long = KEYS[1], 0, {}, 1
for i = 5, #ARGV, 2 do
  local window = { limit = tonumber(ARGV[i]), millis = tonumber(ARGV[i + 1]) }
  if window.limit > exact then
    long = long + 1
    window.key = KEYS[long]
  elseif window.millis > longest then
    longest = window.millis
  end
  windows[#windows + 1] = window
end

local function number(key, field)
  return tonumber(redis.call('HGET', key, field)) or 0
end

-- Forgets the segments that have no part in the window any more; where the clock went back, whatever lies ahead of it happened now.
local function advance(window)
  local key, segment = window.key, math.floor(now * segments / window.millis)
  local newest = number(key, 'newest')
  if newest == 0 or newest == segment then
    redis.call('HSET', key, 'newest', segment)
  elseif newest < segment then
    local gone = 0
    for n = newest - segments, math.min(newest, segment - segments - 1) do
      gone = gone + number(key, n)
      redis.call('HDEL', key, n)
    end
    redis.call('HINCRBY', key, 'sum', 0 - gone)
    redis.call('HSET', key, 'newest', segment)
  else
    local ahead = 0
    for n = segment + 1, newest do
      ahead = ahead + number(key, n)
      redis.call('HDEL', key, n)
    end
    redis.call('HINCRBY', key, segment, ahead)
    redis.call('HSET', key, 'newest', segment)
  end
  return segment
end

if what == 'refund' then
  local seq, at = tonumber(ARGV[3]), tonumber(ARGV[4])
  for i = 0, cost - 1 do
    redis.call('ZREM', single, seq - i)
  end
  for _, window in ipairs(windows) do
    if window.key then
      local segment = math.floor(at * segments / window.millis)
      if number(window.key, segment) >= cost then
        redis.call('HINCRBY', window.key, segment, -cost)
        redis.call('HINCRBY', window.key, 'sum', -cost)
      end
    end
  end
  return {}
end

if longest > 0 then
  local ahead = redis.call('ZRANGEBYSCORE', single, '(' .. now, '+inf')
  for _, member in ipairs(ahead) do
    redis.call('ZADD', single, 'XX', now, member)
  end
end

-- For each window how many of the limit are taken, in how long the first of those leaves (-1 where there is none), and in how long
-- there is room (-1 where there never is).
local answer, fits = { now, 0 }, true
local function look(taken, leaves, room)
  if room ~= 0 then
    fits = false
  end
  answer[#answer + 1] = taken
  answer[#answer + 1] = leaves
  answer[#answer + 1] = room
end

local function score(found, at)
  return tonumber(found[2]) + at - now
end

for _, window in ipairs(windows) do
  local limit, millis, spare = window.limit, window.millis, window.limit - cost
  if window.key then
    local newest = advance(window)
    local function over(n)
      return math.ceil((n + segments + 1) * millis / segments) - now
    end
    local taken, first, room = number(window.key, 'sum'), -1, 0
    local enough, left = taken - spare, 0
    if spare < 0 then
      room = -1
    end
    if taken > 0 then
      for n = newest - segments, newest do
        local count = number(window.key, n)
        if count > 0 and first < 0 then
          first = math.max(over(n), 0)
          if spare < 0 or enough <= 0 then
            break
          end
        end
        left = left + count
        if enough > 0 and left >= enough then
          room = math.max(over(n), 0)
          break
        end
      end
    end
    look(taken, first, room)
  else
    local since = '(' .. (now - millis)
    local taken, first, room = redis.call('ZCOUNT', single, since, '+inf'), -1, 0
    if taken > 0 then
      first = score(redis.call('ZRANGEBYSCORE', single, since, '+inf', 'WITHSCORES', 'LIMIT', 0, 1), millis)
    end
    if spare < 0 then
      room = -1
    elseif taken > spare then
      room = score(redis.call('ZREVRANGE', single, spare, spare, 'WITHSCORES'), millis)
    end
    look(taken, first, room)
  end
end

if what == 'charge' and fits then
  if longest > 0 then
    redis.call('ZREMRANGEBYSCORE', single, 0, now - longest)
    -- The number of the last that was let in is kept below all instants, and tells one from another.
    local seq = -tonumber(redis.call('ZINCRBY', single, -cost, 'seq'))
    answer[2] = seq
    for i = 0, cost - 1 do
      redis.call('ZADD', single, now, seq - i)
    end
    redis.call('PEXPIRE', single, longest + slow)
  end
  for _, window in ipairs(windows) do
    if window.key then
      local segment = math.floor(now * segments / window.millis)
      redis.call('HINCRBY', window.key, segment, cost)
      redis.call('HINCRBY', window.key, 'sum', cost)
      redis.call('PEXPIRE', window.key, window.millis + math.ceil(window.millis / segments) + slow)
    end
  end
end
return answer
