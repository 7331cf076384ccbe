-- What wrk sends and expects: mostly one good picture, some that are none, a few that are too large. Settings come from the
-- environment; each thread counts, done() adds up.
local function read(path)
    local file = assert(io.open(path, "rb"))
    local text = file:read("*a")
    file:close()
    return text
end

local folder = os.getenv("LOAD_FOLDER")
local good_body, wanted = read(folder .. "/good"), read(folder .. "/wanted")
local large_body = string.rep("x", tonumber(os.getenv("LOAD_LARGE")))
local bad_every, large_every = tonumber(os.getenv("LOAD_BAD")), tonumber(os.getenv("LOAD_OVERSIZED"))
local path = "/v1/detect?name=load"
local good, bad, large

local threads = {}
function setup(thread)
    table.insert(threads, thread)
end

function init()
    good = wrk.format("POST", path, nil, good_body)
    bad = wrk.format("POST", path, nil, "this is no picture")
    large = wrk.format("POST", path, nil, large_body)
    sent = 0
    answered, right, rejected, bad_right, large_right, wrong = 0, 0, 0, 0, 0, 0
    first_wrong = ""
end

function request()
    sent = sent + 1
    if large_every > 0 and sent % large_every == 0 then
        return large
    end
    if bad_every > 0 and sent % bad_every == 0 then
        return bad
    end
    return good
end

function response(status, _, body)
    answered = answered + 1
    if status == 200 and body == wanted then
        right = right + 1
    elseif status == 400 then
        bad_right = bad_right + 1
    elseif status == 413 then
        large_right = large_right + 1
    elseif status == 429 then
        rejected = rejected + 1
    else
        wrong = wrong + 1
        first_wrong = status .. " " .. body:sub(1, 200)
    end
end

function done(summary, latency)
    local total = {right = 0, bad_right = 0, large_right = 0, rejected = 0, wrong = 0}
    for _, thread in ipairs(threads) do
        for name, value in pairs(total) do
            total[name] = value + thread:get(name)
        end
        if thread:get("first_wrong") ~= "" then
            io.write("first wrong answer: ", thread:get("first_wrong"), "\n")
        end
    end
    local seconds, errors = summary.duration / 1e6, summary.errors
    io.write(string.format("seconds %.1f\nright %d\nright_per_second %.1f\nrefused_pictures %d\noversized %d\nrejected %d\n",
        seconds, total.right, total.right / seconds, total.bad_right, total.large_right, total.rejected))
    io.write(string.format("wrong %d\nsocket_errors %d\n", total.wrong,
        errors.connect + errors.read + errors.write + errors.timeout))
    io.write(string.format("p50_ms %.1f\np99_ms %.1f\nmax_ms %.1f\n", latency:percentile(50) / 1e3,
        latency:percentile(99) / 1e3, latency.max / 1e3))
end
