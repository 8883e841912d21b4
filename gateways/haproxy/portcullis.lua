-- Asks Portcullis about a request, with HAProxy's own HTTP client: `http-request lua.portcullis GATE`.
--
-- It only puts what came of it into variables of the transaction (`txn.portcullis_…`); haproxy.cfg acts on them. So when
-- this script fails, or is not there, no variable says "allowed" and nothing passes.

local PORTCULLIS = "http://127.0.0.1:7373"
-- HAProxy 2.6 asks up to four times where no answer comes in time, and offers no way to say otherwise: two seconds in all, and a
-- second more where connections are refused.
local TIMEOUT_MS = 500

-- What a permission brings for the API, and what the client is told of its limit.
local IDENTITY = { "key_id", "user_id", "business_id", "businesses", "permissions" }
local LIMIT = { "ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset" }
local CHALLENGE = { "content-type", "www-authenticate", "retry-after", "x-request-id" }

local DENIALS = { [400] = true, [401] = true, [403] = true, [429] = true, [431] = true, [503] = true }

-- Some HAProxy tables of values begin at 0 and some at 1, hence `pairs`.
local function values(headers, name)
    local found = {}
    for _, value in pairs(headers and headers[name] or {}) do
        found[#found + 1] = value
    end
    return found
end

local function variable(name)
    return "txn.portcullis_" .. name:gsub("-", "_")
end

-- What Portcullis is told of the request. All credentials go along, so that two in one request are seen and refused. The last
-- header is for gates that take the business from it.
local function question(txn)
    local sent = txn.http:req_get_headers()
    local headers = {
        ["host"] = { "portcullis" },
        ["x-forwarded-method"] = { txn.sf:method() },
        ["x-forwarded-uri"] = { txn.sf:pathq() },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    for _, name in ipairs({ "authorization", "x-api-key", "x-business-id" }) do
        local found = values(sent, name)
        if #found > 0 then
            headers[name] = found
        end
    end
    return headers
end

local function allow(txn, answer)
    for _, name in ipairs(IDENTITY) do
        local header = "x-portcullis-" .. name:gsub("_", "-")
        txn:set_var(variable(name), values(answer.headers, header)[1] or "")
    end
    for _, name in ipairs(LIMIT) do
        local value = values(answer.headers, name)[1]
        if value then
            txn:set_var(variable(name), value)
        end
    end
    txn:set_var("txn.portcullis_decision", "allowed")
end

-- Ends the transaction with the answer of Portcullis.
local function deny(txn, answer)
    local reply = txn:reply({ status = answer.status })
    for _, names in ipairs({ CHALLENGE, LIMIT }) do
        for _, name in ipairs(names) do
            for _, value in ipairs(values(answer.headers, name)) do
                reply:add_header(name, value)
            end
        end
    end
    reply:add_header("cache-control", "no-store")
    reply:set_body(answer.body or "")
    txn:done(reply)
end

local function decide(txn, gate)
    local answer = core.httpclient():get({
        url = PORTCULLIS .. "/auth/" .. gate,
        headers = question(txn),
        timeout = TIMEOUT_MS,
    })
    if not answer then
        return
    end
    -- Allowed is exactly 200. HAProxy makes up a 503 or 504 of its own where nobody answers, so a denial must be a problem document.
    local kind = values(answer.headers, "content-type")[1]
    if answer.status == 200 and answer.headers["x-portcullis-key-id"] then
        allow(txn, answer)
    elseif DENIALS[answer.status] and kind == "application/problem+json" then
        deny(txn, answer)
    end
end

core.register_action("portcullis", { "http-req" }, decide, 1)
