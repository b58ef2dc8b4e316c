-- Ghost text that stays true while a person types.
--
-- Neovim shows and requests inline completions. Three things are left to do here, in a wrapper of the client's
-- `request`: a request that a newer one replaces is cancelled; an answer that comes after further typing is moved to
-- the present text or dropped; and what is shown is remembered, so that accepting after typing a part of it inserts
-- only the rest. (Neovim 0.12 itself inserts the whole suggestion after what was typed.)

local M = {}

local METHOD = "textDocument/inlineCompletion"
local INVOKED = 1
local REPLACED = { [-32800] = true, [-32801] = true, [-32802] = true } -- cancelled; the text has changed meanwhile
-- One word with the blanks before it; or a run of signs; or the blanks at the end. \k is the buffer's 'iskeyword'.
local WORD = [[^\_s*\%(\k\+\|\%(\k\@!\S\)\+\)\?]]
local LINE = [[^\n*[^\n]*]]

---@class guiderail.Item
---@field raw lsp.InlineCompletionItem as the server sent it
---@field text string
---@field start integer byte column where the text begins
---@field stop integer byte column where the replaced text ends, when the cursor was at `Shown.column`

---@class guiderail.Shown
---@field client vim.lsp.Client
---@field items guiderail.Item[]
---@field index integer
---@field row integer from 0
---@field column integer bytes from 0
---@field line string

local shown = {} ---@type table<integer, guiderail.Shown>
local invoke = {} ---@type table<integer, boolean> buffers whose next request a person asked for

local function cursor()
  local row, column = unpack(vim.api.nvim_win_get_cursor(0))
  return row - 1, column
end

local function line_at(buffer, row)
  return vim.api.nvim_buf_get_lines(buffer, row, row + 1, false)[1] or ""
end

-- The bytes typed between two states of one line, cursor to cursor; nil if anything else changed.
local function typed_between(before, column, after, now)
  local same = now >= column
    and after:sub(1, column) == before:sub(1, column)
    and after:sub(now + 1) == before:sub(column + 1)
  return same and after:sub(column + 1, now) or nil
end

-- The item as it is for the present line and cursor, or nil if the text has taken another way.
local function moved(item, before, column, after, now)
  local typed = typed_between(before, column, after, now)
  if not typed or now < item.start then
    return nil
  end
  local written = after:sub(item.start + 1, now)
  if item.text:sub(1, #written) ~= written or #written == #item.text then
    return nil
  end
  return {
    raw = item.raw,
    text = item.text,
    start = item.start,
    stop = math.max(item.stop + #typed, now),
    written = written,
    rest = item.text:sub(#written + 1),
  }
end

-- The selected item for the text as it is now; nil when there is none.
local function fresh(buffer)
  local state = shown[buffer]
  if not state or buffer ~= vim.api.nvim_get_current_buf() then
    return nil
  end
  local row, column = cursor()
  local item = row == state.row and moved(state.items[state.index], state.line, state.column, line_at(buffer, row), column)
  return item or nil, state
end

local function bytes(line, character, encoding)
  return vim.str_byteindex(line, encoding, character, false)
end

local function parsed(raw, line, column, encoding)
  local text = raw.insertText
  if type(text) ~= "string" then
    return nil -- guiderail sends no snippets
  end
  text = text:gsub("\r\n?", "\n") -- a buffer's lines hold no ends, whatever its 'fileformat' writes
  local range = raw.range
  return {
    raw = raw,
    text = text,
    start = range and bytes(line, range.start.character, encoding) or column,
    stop = range and bytes(line, range["end"].character, encoding) or column,
  }
end

-- The answer for the text as it is now, as a list that Neovim can show.
local function settle(client, buffer, result, asked)
  shown[buffer] = nil
  local row, column = cursor()
  local typing = vim.startswith(vim.api.nvim_get_mode().mode, "i")
  if not typing or vim.api.nvim_get_current_buf() ~= buffer or row ~= asked.row then
    return {}
  end
  local line, encoding = line_at(buffer, row), client.offset_encoding
  local items, raws = {}, {}
  for _, raw in ipairs(result.items or result) do
    local item = parsed(raw, asked.line, asked.column, encoding)
    item = item and moved(item, asked.line, asked.column, line, column)
    if item then
      items[#items + 1] = item
      local function position(byte)
        return { line = row, character = vim.str_utfindex(line, encoding, byte, false) }
      end
      raws[#raws + 1] = vim.tbl_extend("force", raw, {
        insertText = item.text,
        range = { start = position(item.start), ["end"] = position(item.stop) },
      })
    end
  end
  if #items > 0 then
    shown[buffer] = { client = client, items = items, index = 1, row = row, column = column, line = line }
    client:notify("textDocument/didShowCompletion", { item = items[1].raw })
  end
  return raws
end

-- Neovim's own autocommands for this buffer's ghost text.
local function fire(event, buffer)
  pcall(vim.api.nvim_exec_autocmds, event, { group = "nvim.lsp.inline_completion:" .. buffer, buffer = buffer })
end

local function hide(buffer)
  shown[buffer] = nil
  fire("InsertLeave", buffer)
end

-- A suggestion that the person did not follow is wrong text on the screen: take it away before the next answer.
local function follow(buffer)
  if shown[buffer] and not fresh(buffer) then
    hide(buffer)
    fire("CursorMovedI", buffer)
  end
end

local function wrap(client)
  local request = client.request
  local pending = {} ---@type table<integer, integer>
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    local buffer = vim._resolve_bufnr and vim._resolve_bufnr(bufnr) or bufnr or vim.api.nvim_get_current_buf()
    local row, column = cursor()
    local asked = { row = row, column = column, line = line_at(buffer, row) }
    if invoke[buffer] then
      params.context.triggerKind, invoke[buffer] = INVOKED, nil
    end
    if pending[buffer] then
      client:cancel_request(pending[buffer])
    end
    local id
    local sent, number = request(self, method, params, function(problem, result, context)
      if pending[buffer] ~= id then
        return -- a newer request has replaced this one
      end
      pending[buffer] = nil
      if problem and not REPLACED[problem.code] then
        handler(problem, nil, context) -- Neovim's log gets it
      elseif result and vim.api.nvim_buf_is_valid(buffer) then
        handler(nil, settle(client, buffer, result, asked), context)
      end
    end, bufnr)
    id, pending[buffer] = number, number
    return sent, number
  end
end

-- Most colour schemes give ghost text a colour of 24 bits alone: elsewhere it would look like text that is there.
local function colour()
  local hint = vim.api.nvim_get_hl(0, { name = "ComplHint", link = false })
  if not hint.ctermfg and not (hint.cterm and next(hint.cterm)) then
    hint.ctermfg = tonumber(vim.tbl_get(vim.api.nvim_list_uis(), 1, "term_colors") or 256) >= 256 and 242 or 8
    vim.api.nvim_set_hl(0, "ComplHint", hint)
  end
end

---@param client vim.lsp.Client
function M.watch(client)
  if vim.lsp.inline_completion then
    wrap(client)
    colour()
    vim.api.nvim_create_autocmd("ColorScheme", {
      group = vim.api.nvim_create_augroup("guiderail.colour", {}),
      callback = colour,
    })
  end
end

---@param client vim.lsp.Client
function M.attach(client, buffer)
  vim.lsp.inline_completion.enable(true, { client_id = client.id })
  local group = vim.api.nvim_create_augroup("guiderail.inline:" .. buffer, {})
  vim.api.nvim_create_autocmd("CursorMovedI", { group = group, buffer = buffer, callback = function()
    follow(buffer)
  end })
  vim.api.nvim_create_autocmd({ "InsertLeave", "BufWipeout" }, { group = group, buffer = buffer, callback = function()
    shown[buffer] = nil
  end })
  -- Neovim asks at the next key; who was typing before the server was there may be waiting.
  vim.schedule(function()
    if vim.api.nvim_get_current_buf() == buffer and vim.startswith(vim.api.nvim_get_mode().mode, "i") then
      fire("CursorMovedI", buffer)
    end
  end)
end

-- Replace the text that the item covers; the cursor ends after it. `u` takes back this, and neither what was typed
-- before nor what is typed after it.
local function insert(buffer, row, from, to, text)
  vim.bo[buffer].undolevels = vim.bo[buffer].undolevels -- :help undo-break
  local lines = vim.split(text, "\n", { plain = true })
  vim.api.nvim_buf_set_text(buffer, row, from, row, to, lines)
  local last = #lines[#lines] + (#lines == 1 and from or 0)
  vim.api.nvim_win_set_cursor(0, { row + #lines, last })
  if vim.api.nvim_get_mode().mode == "i" then
    vim.api.nvim_feedkeys(vim.keycode("<C-g>u"), "ni", false)
  end
end

local function tell(state, item, part)
  if #part < #item.rest then
    local accepted = vim.str_utfindex(item.written .. part, "utf-16")
    state.client:notify("textDocument/didPartiallyAcceptCompletion", { item = item.raw, acceptedLength = accepted })
  elseif item.raw.command then
    state.client:exec_cmd(item.raw.command, { bufnr = vim.api.nvim_get_current_buf() })
  end
end

---Accept the suggestion on the screen.
---@param what? "all"|"word"|"line"
---@return boolean # false when there is nothing to accept, so that a mapping can do something else
function M.accept(what)
  local buffer = vim.api.nvim_get_current_buf()
  if not vim.lsp.inline_completion or not fresh(buffer) then
    return false
  end
  return vim.lsp.inline_completion.get({
    on_accept = function()
      local item, state = fresh(buffer)
      if not item or not state then
        return
      end
      local pattern = what == "word" and WORD or what == "line" and LINE
      local part = pattern and vim.fn.matchstr(item.rest, pattern) or item.rest
      local column = item.start + #item.written
      shown[buffer] = nil
      -- Only the whole suggestion may replace text after the cursor.
      insert(buffer, state.row, column, part == item.rest and item.stop or column, part)
      tell(state, item, part)
      fire("CursorMovedI", buffer)
    end,
  })
end

---Show another of the suggestions.
---@param count? integer
function M.cycle(count)
  local buffer = vim.api.nvim_get_current_buf()
  local item, state = fresh(buffer)
  if not item or not state then
    return false
  end
  state.index = (state.index - 1 + (count or 1)) % #state.items + 1
  vim.lsp.inline_completion.select({ count = count or 1 })
  return true
end

---Ask for suggestions now: several, where the server has them.
function M.suggest()
  local buffer = vim.api.nvim_get_current_buf()
  invoke[buffer] = true
  fire("CursorMovedI", buffer)
end

return M
