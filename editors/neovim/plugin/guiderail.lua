-- Loaded at start-up. Maps no key; vim.g.guiderail is read here, so set it before.

if vim.g.loaded_guiderail then
  return
end
vim.g.loaded_guiderail = true

if vim.fn.has("nvim-0.11") == 0 then
  vim.notify_once("guiderail needs Neovim 0.11 or newer", vim.log.levels.WARN)
  return
end

require("guiderail").start()
