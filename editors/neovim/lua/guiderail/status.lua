-- What each server last said about itself (the notification guiderail/didChangeStatus).

local M = {}

---@class guiderail.Status
---@field state "loading"|"ready"|"working"|"disabled"|"error"
---@field message string|nil
---@field remedy string|nil
---@field model string|nil
---@field version string|nil
---@field enabled boolean|nil
---@field device string|nil
---@field snoozed string|nil until what time of the day

local latest = {} ---@type table<integer, guiderail.Status>

function M.update(client_id, params)
  latest[client_id] = params
  vim.schedule(function()
    vim.api.nvim_exec_autocmds("User", { pattern = "GuiderailStatus", data = params })
    vim.cmd.redrawstatus({ bang = true })
  end)
end

function M.forget(client_id)
  latest[client_id] = nil
end

---@param client vim.lsp.Client|nil
---@return guiderail.Status|nil
function M.of(client)
  return client and latest[client.id]
end

-- A value that may be missing or JSON null.
local function present(value)
  return value ~= nil and value ~= vim.NIL and value ~= ""
end

---One line for a status line.
function M.short(client)
  local now = M.of(client)
  if not client then
    return ""
  end
  if now and present(now.snoozed) and now.state == "disabled" and now.enabled ~= false then
    return "guiderail: snoozed until " .. now.snoozed
  end
  return "guiderail: " .. (not now and "starting" or now.state == "disabled" and "off" or now.state)
end

---All that is known, in one line: more would make Neovim ask for Enter.
---@param now guiderail.Status
function M.line(now)
  local model = present(now.model) and (vim.fs.basename(now.model) .. (present(now.device) and (" on " .. now.device) or "")) or nil
  local facts = { now.state, now.message, now.remedy, model, present(now.version) and ("version " .. now.version) or nil }
  local said = {}
  for i = 1, 5 do
    if present(facts[i]) then
      said[#said + 1] = facts[i]
    end
  end
  return "guiderail: " .. table.concat(said, ", ")
end

return M
