-- The person's choices: vim.g.guiderail, then what setup() was given.

local M = {}

---@class guiderail.Config
---@field enable boolean start the server for the file types below
---@field cmd string[]|nil the server's command line; nil: look for it
---@field filetypes string[]|nil nil: the languages that guiderail knows
---@field inline boolean ghost text, where Neovim has it (0.12)
---@field menu boolean|"auto" the completion menu; "auto": where there is no ghost text
---@field settings table what the server is told: every key of the "guiderail" section
local DEFAULTS = {
  enable = true,
  cmd = nil,
  filetypes = nil,
  inline = true,
  menu = "auto",
  settings = vim.empty_dict(),
}
local TYPES = {
  enable = "boolean", cmd = "table", filetypes = "table", inline = "boolean", menu = { "boolean", "string" },
  settings = "table",
}

local given = {}

-- A misspelt option that does nothing costs an hour; say it instead.
local function check(options)
  for key, value in pairs(options) do
    if not TYPES[key] then
      error(("guiderail: unknown option '%s'; see :help guiderail-config"):format(key), 0)
    end
    vim.validate("guiderail." .. key, value, TYPES[key], true)
  end
end

function M.set(options)
  check(options)
  given = options
end

---@return guiderail.Config
function M.get()
  local global = vim.g.guiderail or {}
  check(global)
  local chosen = vim.tbl_deep_extend("force", DEFAULTS, global, given)
  if chosen.menu == true then
    -- Beside ghost text the server leaves the menu alone unless it is told.
    chosen.settings = vim.tbl_extend("force", chosen.settings, { menu = true })
  end
  return chosen
end

return M
