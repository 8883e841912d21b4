-- For wrk: GET of the URL's path with one Authorization header after the other, out of a file that has one on each line.
--
--   wrk … -s rotate.lua http://127.0.0.1:8080/check -- FILE ['Name: value'…]
--
-- All requests are written before the first is sent, so that wrk has nothing to do but to send them. wrk itself counts
-- the answers that are neither 2xx nor 3xx.

local requests, count, n = {}, 0, 0

function init(args)
    local file = assert(args[1], "say the file of header values: wrk … -s rotate.lua URL -- FILE")
    for i = 2, #args do
        local name, value = args[i]:match("^([^:%s]+):%s*(.*)$")
        wrk.headers[assert(name, "not a header: " .. args[i])] = value
    end
    for value in assert(io.open(file)):lines() do
        wrk.headers["Authorization"] = value
        count = count + 1
        requests[count] = wrk.format("GET")
    end
    assert(count > 0, file .. " is empty")
end

function request()
    n = n % count + 1
    return requests[n]
end
