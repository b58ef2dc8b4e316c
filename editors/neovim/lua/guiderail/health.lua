-- :checkhealth guiderail

local config = require("guiderail.config")
local guiderail = require("guiderail")
local server = require("guiderail.server")
local status = require("guiderail.status")

local M = {}
local health = vim.health

local function check_neovim()
  health.start("Neovim")
  health.ok("Neovim " .. tostring(vim.version()))
  if vim.lsp.inline_completion then
    health.ok("ghost text: " .. (config.get().inline and "on" or "turned off by `inline = false`"))
  else
    health.info("ghost text needs Neovim 0.12; suggestions come in the completion menu")
  end
end

local function check_server(root)
  health.start("Server")
  local found, why = server.find(root)
  if not found then
    health.error(why)
    return
  end
  health.ok(("%s, %s"):format(table.concat(found.cmd, " "), found.source))
  local version, problem = server.version(found)
  if version then
    health.ok("version " .. version)
  else
    health.error("it does not say its version: " .. problem, "Run `" .. found.cmd[1] .. " doctor`")
  end
end

local LEVELS = { error = health.error, disabled = health.info, loading = health.info }

local function check_client(client)
  local answer = client:request_sync("guiderail/status", vim.empty_dict(), 5000, 0)
  if not answer or answer.err then
    health.error("the server does not answer: " .. (answer and answer.err.message or "5 s are over"), ":Guiderail log")
    return
  end
  status.update(client.id, answer.result)
  local report = LEVELS[answer.result.state] or health.ok
  report(status.line(answer.result))
end

local function check_model()
  health.start("Model")
  local clients = vim.lsp.get_clients({ name = "guiderail" })
  if #clients == 0 then
    health.info("the server is not running: open a file of a language it knows")
  end
  vim.iter(clients):each(check_client)
end

function M.check()
  local client = guiderail.client() or vim.lsp.get_clients({ name = "guiderail" })[1]
  check_neovim()
  check_server(client and client.root_dir or vim.fn.getcwd())
  check_model()
end

return M
