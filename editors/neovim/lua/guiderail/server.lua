-- Finds the language server: the configured command, `guiderail` on PATH (outside the project), or the project's own .venv.

local config = require("guiderail.config")

local M = {}

local WINDOWS = vim.fn.has("win32") == 1
local PROGRAM = WINDOWS and "Scripts/guiderail.exe" or "bin/guiderail"
local REMEDY = "install guiderail (:help guiderail-install), or set vim.g.guiderail = { cmd = { \"/path/to/guiderail\", \"lsp\" } }"

local REVIVALS, PERIOD = 3, 180 -- so many in so many seconds

-- Roots whose environment the person has been asked about, with the answer.
local asked = {}

-- Opening a file must not run a program that came with it: a project's environment needs Neovim's trust (:help trust).
local function trusted(environment)
  if asked[environment] == nil then
    local ok, answer = pcall(vim.secure.read, environment)
    asked[environment] = ok and answer == true
  end
  return asked[environment]
end

local function in_project(root)
  for _, folder in ipairs({ ".venv", "venv" }) do
    local environment = vim.fs.joinpath(root, folder)
    local program = vim.fs.joinpath(environment, PROGRAM)
    if vim.fn.executable(program) == 1 then
      if trusted(environment) then
        return program
      end
      return nil, environment .. " has a server, but is not trusted (:help guiderail-server)"
    end
  end
end

local function absolute(folder)
  if WINDOWS then
    return folder:match("^%a:[\\/]") or folder:match("^[\\/][\\/]")
  end
  return vim.startswith(folder, "/")
end

local function real(path)
  return vim.fs.normalize(vim.uv.fs_realpath(path) or path)
end

local function inside(path, root)
  return path == root or vim.startswith(path, root:gsub("/*$", "") .. "/")
end

-- A program of that name in the current folder, which relative entries of PATH and Windows search, or in the project
-- may have come with it.
local function on_path(root)
  local top = real(root)
  for _, folder in ipairs(vim.split(vim.env.PATH or "", WINDOWS and ";" or ":", { plain = true })) do
    if absolute(folder) and not inside(real(folder), top) then
      local program = vim.fs.joinpath(folder, WINDOWS and "guiderail.exe" or "guiderail")
      if vim.fn.executable(program) == 1 and not inside(real(program), top) then
        return program
      end
    end
  end
end

---@param root string
---@return { cmd: string[], source: string }|nil, string why there is none, and what to do
function M.find(root)
  local cmd = config.get().cmd
  if cmd then
    if vim.fn.executable(cmd[1]) == 1 then
      return { cmd = cmd, source = "configured" }, ""
    end
    return nil, ("the configured command %s cannot be run"):format(cmd[1])
  end
  local program = on_path(root)
  if program then
    return { cmd = { program, "lsp" }, source = "on PATH" }, ""
  end
  local own, why = in_project(root)
  if own then
    return { cmd = { own, "lsp" }, source = "in the project's environment" }, ""
  end
  return nil, (why or "no server found") .. "; " .. REMEDY
end

---Make a root a folder of a client's workspace, unless it is one.
function M.add_folder(client, root)
  local folders = client.workspace_folders or {}
  for _, folder in ipairs(folders) do
    if real(root) == real(vim.uri_to_fname(folder.uri)) then
      return
    end
  end
  local added = { uri = vim.uri_from_fname(root), name = root }
  client.workspace_folders = vim.list_extend(vim.list_slice(folders), { added })
  client:notify("workspace/didChangeWorkspaceFolders", { event = { added = { added }, removed = {} } })
end

-- When servers ended by themselves, in seconds.
local ends = {}

---Start a server again that ended by itself; one that does so again and again is left alone, and the person told.
function M.revive()
  local now = vim.uv.now() / 1000
  ends = vim.tbl_filter(function(at)
    return now - at < PERIOD
  end, ends)
  ends[#ends + 1] = now
  if vim.v.exiting ~= vim.NIL or not vim.lsp.is_enabled("guiderail") then
    return
  elseif #ends > REVIVALS then
    vim.notify("guiderail: the server ends again and again; :Guiderail restart tries once more", vim.log.levels.ERROR)
  else
    vim.lsp.enable("guiderail", false)
    vim.lsp.enable("guiderail", true)
  end
end

---@return string|nil version, string error
function M.version(found)
  local result = vim.system({ found.cmd[1], "--version" }, { text = true, timeout = 20000 }):wait()
  local version = vim.trim(result.stdout or ""):match("^guiderail (%S+)")
  return version, version and "" or vim.trim(result.stderr or "")
end

return M
