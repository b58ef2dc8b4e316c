-- guiderail in Neovim: what a person's configuration calls. See :help guiderail.

local config = require("guiderail.config")
local inline = require("guiderail.inline")
local next_edit = require("guiderail.next_edit")
local status = require("guiderail.status")

local M = {}

---The client of a buffer.
---@return vim.lsp.Client|nil
function M.client(buffer)
  return vim.lsp.get_clients({ name = "guiderail", bufnr = buffer or 0 })[1]
end

---True where ghost text is both wanted and known to this Neovim.
function M.has_inline()
  return config.get().inline and vim.lsp.inline_completion ~= nil
end

local function wants_menu()
  local menu = config.get().menu
  return menu == true or (menu == "auto" and not M.has_inline())
end

local function on_attach(event)
  local client = vim.lsp.get_client_by_id(event.data.client_id)
  if not client or client.name ~= "guiderail" then
    return
  end
  if M.has_inline() then
    inline.attach(client, event.buf)
  end
  next_edit.attach(client, event.buf)
  if wants_menu() then
    vim.lsp.completion.enable(true, client.id, event.buf, { autotrigger = true })
  end
end

---Called by plugin/guiderail.lua; calling it again does nothing new.
function M.start()
  vim.api.nvim_create_autocmd("LspAttach", {
    group = vim.api.nvim_create_augroup("guiderail", {}),
    callback = on_attach,
  })
  require("guiderail.command").create()
  if config.get().enable then
    vim.lsp.enable("guiderail")
  end
end

---Set options (:help guiderail-config); those of vim.g.guiderail hold where this says nothing.
function M.setup(options)
  config.set(options or {})
  vim.lsp.config("guiderail", {
    settings = { guiderail = config.get().settings },
    init_options = config.get().settings,
    filetypes = config.get().filetypes,
  })
  vim.lsp.enable("guiderail", config.get().enable)
end

---For a status line: "guiderail: ready", or "" where guiderail is not attached.
function M.statusline()
  return status.short(M.client())
end

---@return boolean # false when there is nothing to accept
function M.accept()
  return inline.accept("all")
end

---@return boolean
function M.accept_word()
  return inline.accept("word")
end

---@return boolean
function M.accept_line()
  return inline.accept("line")
end

---@return boolean
function M.next()
  return inline.cycle(1)
end

---@return boolean
function M.previous()
  return inline.cycle(-1)
end

function M.suggest()
  inline.suggest()
end

---Go to the edit that follows from the last change; there, make it.
---@return boolean # false when there is none
function M.next_edit()
  return next_edit.take()
end

---Propose no more of what follows from the last change.
---@return boolean # false when there is none
function M.dismiss_next_edit()
  return next_edit.dismiss()
end

---@param minutes? integer 30 by default; 0 ends the snooze
function M.snooze(minutes)
  require("guiderail.command").snooze(minutes)
end

---@param scope? "global"|"language"|"file"
function M.toggle(scope)
  require("guiderail.command").toggle(scope or "global")
end

return M
