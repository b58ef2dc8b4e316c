-- :Guiderail and what each of its words does.

local status = require("guiderail.status")

local M = {}

local function say(text, level)
  vim.notify(text, level or vim.log.levels.INFO)
end

-- The client of this buffer, else any; the person hears when there is none.
local function client_or_say()
  local client = vim.lsp.get_clients({ name = "guiderail", bufnr = 0 })[1]
    or vim.lsp.get_clients({ name = "guiderail" })[1]
  if not client then
    say("guiderail is not running here; :checkhealth guiderail says why", vim.log.levels.WARN)
  end
  return client
end

-- Run one of the server's commands; `done` gets its result.
local function execute(command, arguments, done)
  local client = client_or_say()
  if not client then
    return
  end
  local params = { command = "guiderail." .. command, arguments = arguments }
  client:request("workspace/executeCommand", params, function(problem, result)
    if problem then
      say("guiderail: " .. problem.message, vim.log.levels.ERROR)
    elseif done then
      done(result, client)
    end
  end, 0)
end

local function ask_status(client)
  client:request("guiderail/status", vim.empty_dict(), function(problem, now)
    if problem then
      say("guiderail: " .. problem.message, vim.log.levels.ERROR)
    else
      status.update(client.id, now)
      say(status.line(now))
    end
  end, 0)
end

local function show_status()
  local client = client_or_say()
  if client then
    ask_status(client)
  end
end

---@param scope "global"|"language"|"file"
function M.toggle(scope)
  local buffer = vim.api.nvim_get_current_buf()
  local client = client_or_say()
  if not client then
    return
  end
  local here = vim.lsp.buf_is_attached(buffer, client.id)
  if scope == "file" and not here then
    say("guiderail is not running in this file; :checkhealth guiderail says why", vim.log.levels.WARN)
    return
  end
  local language = client.get_language_id(buffer, vim.bo[buffer].filetype)
  local arguments = { scope = scope, language = language, uri = vim.uri_from_bufnr(buffer) }
  execute("toggle", { arguments }, function(result)
    local where = { global = "", language = " for " .. (result.language or language), file = " for this file" }
    local said = ("suggestions are %s%s"):format(result.enabled and "on" or "off", where[scope])
    if here and result.enabled and result.status.state == "disabled" then
      -- Something else keeps them off here.
      said = scope == "global" and ("%s, but here: %s"):format(said, result.status.message) or result.status.message
    end
    say("guiderail: " .. said)
  end)
end

local function show_log()
  execute("showLog", {}, function(result)
    -- Names of a project's files are in some records: what looks like a modeline there sets no option.
    local modeline = vim.go.modeline
    vim.go.modeline = false
    vim.cmd.split(vim.fn.fnameescape(result.path))
    vim.go.modeline = modeline
    vim.bo.autoread = true
    vim.cmd.normal({ "G", bang = true })
  end)
end

-- A value as indented lines: names, then what belongs to them.
local function outline(value, indent, lines)
  local list = vim.islist(value)
  local keys = vim.tbl_keys(value)
  table.sort(keys)
  for _, key in ipairs(keys) do
    local inner = value[key]
    local head = indent .. (list and "-" or (key .. ":"))
    if type(inner) == "table" and next(inner) then
      lines[#lines + 1] = head
      outline(inner, indent .. "  ", lines)
    else
      local text = type(inner) == "table" and "none" or inner == vim.NIL and "unknown" or tostring(inner)
      lines[#lines + 1] = head .. " " .. text:gsub("\n", "\\n")
    end
  end
  return lines
end

-- Show lines in a window of their own, read-only; a page of that name that is open already is replaced.
local function page(name, lines, filetype)
  local old = vim.fn.bufnr("^guiderail://" .. name .. "$")
  if old ~= -1 then
    vim.api.nvim_buf_delete(old, { force = true })
  end
  vim.cmd.new()
  local buffer = vim.api.nvim_get_current_buf()
  vim.bo[buffer].buftype, vim.bo[buffer].bufhidden, vim.bo[buffer].swapfile = "nofile", "wipe", false
  vim.bo[buffer].modeline = false
  vim.api.nvim_buf_set_lines(buffer, 0, -1, false, lines)
  vim.bo[buffer].filetype, vim.bo[buffer].modifiable = filetype or "", false
  vim.api.nvim_buf_set_name(buffer, "guiderail://" .. name)
  vim.wo.wrap, vim.wo.linebreak = filetype == nil and name ~= "stats", true
end

local function explain()
  execute("explain", {}, function(result)
    if type(result) ~= "table" then
      say("guiderail has nothing to explain yet")
      return
    end
    page("explain", outline(result, "", {}), "yaml")
  end)
end

-- A page of the server's own words.
local function read(command)
  return function()
    execute(command, {}, function(result)
      page(command, vim.split(vim.trim(result.text), "\n"))
    end)
  end
end

local function stats(argument)
  if argument == "reset" then
    execute("stats", { { reset = true } }, function()
      say("guiderail: all counts are forgotten")
    end)
  else
    read("stats")()
  end
end

---@param minutes integer|string|nil
function M.snooze(minutes)
  execute("snooze", { { minutes = minutes == "off" and 0 or tonumber(minutes or 30) } }, function(result)
    say("guiderail: " .. (result["until"] == "" and "no longer snoozed" or "snoozed until " .. result["until"]))
  end)
end

-- The server's own restart while it lives; a new process when it does not.
local function restart()
  if vim.lsp.get_clients({ name = "guiderail" })[1] then
    execute("restart", {}, show_status)
  else
    vim.lsp.enable("guiderail", false)
    vim.lsp.enable("guiderail", true)
  end
end

local WORDS = {
  status = { run = show_status },
  toggle = {
    run = function(scope)
      M.toggle(scope or "global")
    end,
    arguments = { "global", "language", "file" },
  },
  log = { run = show_log },
  explain = { run = explain },
  why = { run = read("why") },
  stats = { run = stats, arguments = { "reset" } },
  snooze = { run = M.snooze, arguments = { "5", "30", "60", "off" } },
  restart = { run = restart },
  suggest = {
    run = function()
      require("guiderail.inline").suggest()
    end,
  },
}

local function run(call)
  local word, argument = call.fargs[1] or "status", call.fargs[2]
  local entry = WORDS[word]
  if not entry then
    say(("guiderail: no command '%s'; there are %s"):format(word, table.concat(vim.fn.sort(vim.tbl_keys(WORDS)), ", ")),
      vim.log.levels.ERROR)
  elseif argument and not vim.list_contains(entry.arguments or {}, argument) then
    say(("guiderail: '%s' does not take '%s'"):format(word, argument), vim.log.levels.ERROR)
  else
    entry.run(argument)
  end
end

local function complete(lead, line)
  local before = vim.split(line:gsub("^%s*%S+%s*", "", 1), "%s+")
  local options = #before <= 1 and vim.fn.sort(vim.tbl_keys(WORDS)) or (WORDS[before[1]] or {}).arguments or {}
  return vim.tbl_filter(function(option)
    return vim.startswith(option, lead)
  end, #before > 2 and {} or options)
end

function M.create()
  vim.api.nvim_create_user_command("Guiderail", run, { nargs = "*", complete = complete, desc = "Code completion by guiderail" })
end

return M
