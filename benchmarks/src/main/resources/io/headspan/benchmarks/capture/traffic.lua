-- wrk script: every request carries a traceparent of its own, from which the checker can tell what it must find.
-- Arguments after "--": 16 hex digits that begin every trace id of the run, and the pause between a connection's requests in milliseconds.
-- Trace id = those digits, 4 digits of the thread, 12 of the request's number; parent span id = thread and number again.
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  prefix = args[1]
  pause = tonumber(args[2])
  count = 0
end

function delay()
  return pause
end

function request()
  count = count + 1
  local id = string.format("%04x%012x", number, count)
  return wrk.format("GET", "/items/" .. (count % 50), { ["traceparent"] = "00-" .. prefix .. id .. "-" .. id .. "-01" })
end

function done(summary, latency, requests)
  io.write(string.format("requests=%d seconds=%.6f p50_us=%.1f p99_us=%.1f errors=%d\n",
    summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
