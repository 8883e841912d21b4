-- For wrk: sends the requests of a file in turn, each as its bytes stand there. The first line of the file says how many bytes each
-- request has, so that a body may hold anything.
--
--   wrk … -s load.lua http://127.0.0.1:8080 -- FILE
--
-- At the end it prints one line of numbers: answers, microseconds, answers of 400 and above, and failures of connections.

local requests, count, n = {}, 0, 0

function init(args)
    local file = assert(io.open(assert(args[1], "say the file of requests: wrk … -s load.lua URL -- FILE"), "rb"))
    for length in file:read("*l"):gmatch("%d+") do
        count = count + 1
        requests[count] = file:read(tonumber(length))
    end
    assert(count > 0, args[1] .. " is empty")
end

function request()
    n = n % count + 1
    return requests[n]
end

function done(summary)
    local errors = summary.errors
    io.write(("\nload %d %d %d %d\n"):format(summary.requests, summary.duration, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
