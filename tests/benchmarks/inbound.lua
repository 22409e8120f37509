-- wrk script: inbound messages, each with an id and a sender of its own.
-- Arguments after --: the text, and a prefix of 4 digits that tells runs apart.
local counter, text, prefix, thread = 0, "HOURS", "0000", 0

function setup(t)
  t:set("thread", thread)
  thread = thread + 1
end

function init(arguments)
  text = arguments[1] or text
  prefix = arguments[2] or prefix
end

function request()
  counter = counter + 1
  local id = string.format("%s%d%09d", prefix, thread, counter)
  local body = string.format(
    '{"event":"received","message_id":"","reply_id":"%s","status":"","status_code":"","source_address":"+614%d%07d",' ..
    '"destination_address":"+61491593156","content":"%s","original_content":"","type":"SMS",' ..
    '"submitted_date":"2026-08-18T03:43:24Z","date_received":"2026-08-18T03:43:24Z","account_id":"A",' ..
    '"retry_count":"0","attachments":[],"metadata":[]}', id, thread, counter, text)
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency)
  io.write(string.format(
    '{"requests": %d, "seconds": %.3f, "p50_ms": %.3f, "p99_ms": %.3f, "errors": %d}\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000,
    summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.timeout))
end
