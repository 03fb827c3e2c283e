-- Repeats prepared requests and reports the run for bench/wrk.ts to read.
-- wrk -t1 ... --latency -s wrk.lua URL -- PATH FILE, where FILE has one request body per line.
local requests, n = {}, 0

function init(args)
  local headers = { ['Content-Type'] = 'application/json' }
  for body in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format('POST', args[1], headers, body)
  end
end

function request()
  n = n % #requests + 1
  return requests[n]
end

-- Points of the distribution close enough to merge it with those of other processes: each point
-- stands for the requests between it and the one before.
local function points(latency)
  local from, list = 0, {}
  local function upto(last, step)
    local steps = math.floor((last - from) / step + 0.5)
    for i = 1, steps do
      local percent = from + i * step
      list[#list + 1] = string.format('%.4f:%d', step, latency:percentile(percent - step / 2))
    end
    from = last
  end
  upto(90, 1)
  upto(99, 0.1)
  upto(99.9, 0.01)
  upto(100, 0.005)
  return table.concat(list, ' ')
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format('\nresult %d %d %d %d\n', summary.duration, summary.requests, e.status,
    e.connect + e.read + e.write + e.timeout))
  io.write('latency ', points(latency), '\n')
end
