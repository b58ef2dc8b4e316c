-- Next edits: what follows from a change elsewhere, one at a time. Nothing moves or changes without a key.

local M = {}

local SPACE = vim.api.nvim_create_namespace("guiderail.next_edit")

---@class guiderail.NextEdit
---@field client vim.lsp.Client
---@field edit table as the server sent it
---@field count integer how many there are

local current ---@type guiderail.NextEdit|nil
local asked = 0 -- the number of the last request: an answer to an older one is not looked at

local function clear()
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    vim.api.nvim_buf_clear_namespace(buffer, SPACE, 0, -1)
  end
end

local function loaded(uri)
  for _, buffer in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buffer) and vim.uri_from_bufnr(buffer) == uri then
      return buffer
    end
  end
end

-- Whether a buffer still holds the text that the edit is for.
local function fits(buffer, edit)
  local version = edit.textDocument.version
  if version == nil or version == vim.NIL then
    return not vim.bo[buffer].modified -- it was not open when the edit was found
  end
  return vim.lsp.util.buf_versions[buffer] == version
end

local function byte(buffer, position, encoding)
  local line = vim.api.nvim_buf_get_lines(buffer, position.line, position.line + 1, false)[1] or ""
  return vim.str_byteindex(line, encoding, position.character, false)
end

local function draw(buffer, edit, encoding)
  local first, last = edit.range.start, edit.range["end"]
  local start, stop = byte(buffer, first, encoding), byte(buffer, last, encoding)
  vim.api.nvim_buf_set_extmark(buffer, SPACE, first.line, start, {
    end_row = last.line, end_col = stop, hl_group = "DiffDelete", strict = false,
  })
  local lines = vim.split(edit.text, "\n", { plain = true })
  local below = {}
  for index = 2, #lines do
    below[#below + 1] = { { lines[index], "DiffAdd" } }
  end
  vim.api.nvim_buf_set_extmark(buffer, SPACE, last.line, stop, {
    virt_text = { { lines[1], "DiffAdd" } }, virt_text_pos = "inline", virt_lines = below, strict = false,
  })
end

local function note(row, text)
  vim.api.nvim_buf_set_extmark(0, SPACE, row, 0, { virt_text = { { text, "Comment" } }, virt_text_pos = "eol" })
end

local function counted(count)
  return count > 1 and (" (%d edits)"):format(count) or ""
end

-- Where the edit is, at the cursor's line, if it cannot be seen.
local function point(edit, count)
  local name = vim.fn.fnamemodify(vim.uri_to_fname(edit.textDocument.uri), ":.")
  local text = ("  → %s:%d  %s"):format(name, edit.range.start.line + 1, edit.reason)
  note(vim.api.nvim_win_get_cursor(0)[1] - 1, text .. counted(count))
end

local function show()
  clear()
  if not current then
    return
  end
  local edit, here = current.edit, vim.api.nvim_get_current_buf()
  local buffer = loaded(edit.textDocument.uri)
  if buffer and fits(buffer, edit) then
    draw(buffer, edit, current.client.offset_encoding)
  end
  local line = edit.range.start.line + 1
  if buffer ~= here or line < vim.fn.line("w0") or line > vim.fn.line("w$") then
    point(edit, current.count)
  elseif current.count > 1 then
    note(edit.range["end"].line, counted(current.count))
  end
end

---Ask for the next edit, seen from the cursor.
---@param client vim.lsp.Client
function M.refresh(client)
  local buffer = vim.api.nvim_get_current_buf()
  if not vim.lsp.buf_is_attached(buffer, client.id) then
    return
  end
  asked = asked + 1
  local mine = asked
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  client:request("guiderail/nextEdit", params, function(problem, result)
    if mine ~= asked then
      return
    end
    local edit = not problem and result and result.edit
    current = edit and edit ~= vim.NIL and { client = client, edit = edit, count = result.count } or nil
    show()
  end, buffer)
end

---The server has other edits than before.
function M.changed(client, count)
  if count > 0 then
    M.refresh(client)
  else
    M.forget()
  end
end

function M.forget()
  asked, current = asked + 1, nil
  clear()
end

local function apply(buffer, edit, encoding)
  vim.bo[buffer].undolevels = vim.bo[buffer].undolevels -- :help undo-break
  vim.lsp.util.apply_text_edits({ { range = edit.range, newText = edit.text } }, buffer, encoding)
end

---Go to the next edit; if the cursor is there, make it.
---@return boolean # false when there is none, so that a mapping can do something else
function M.take()
  if not current then
    return false
  end
  local edit, encoding = current.edit, current.client.offset_encoding
  local buffer, here = loaded(edit.textDocument.uri), vim.api.nvim_get_current_buf()
  if buffer and not fits(buffer, edit) then
    return false
  end
  if buffer == here and vim.api.nvim_win_get_cursor(0)[1] == edit.range.start.line + 1 then
    current = nil
    clear()
    apply(buffer, edit, encoding)
  else
    local place = { uri = edit.textDocument.uri, range = { start = edit.range.start, ["end"] = edit.range.start } }
    vim.lsp.util.show_document(place, encoding, { focus = true })
    show()
  end
  return true
end

---Propose nothing more of what follows from this change.
---@return boolean
function M.dismiss()
  if not current then
    return false
  end
  current.client:exec_cmd({ title = "", command = "guiderail.dismissNextEdit" }, { bufnr = 0 })
  M.forget()
  return true
end

---@param client vim.lsp.Client
function M.attach(client, buffer)
  local group = vim.api.nvim_create_augroup("guiderail.next_edit:" .. buffer, {})
  vim.api.nvim_create_autocmd({ "TextChanged", "TextChangedI" }, { group = group, buffer = buffer, callback = M.forget })
  vim.api.nvim_create_autocmd("BufEnter", { group = group, buffer = buffer, callback = function()
    if current then
      M.refresh(client)
    end
  end })
  if current and buffer == vim.api.nvim_get_current_buf() then
    M.refresh(client) -- the buffer was opened for the edit
  end
end

return M
