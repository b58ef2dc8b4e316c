-- What vim.lsp.enable("guiderail") starts. Override any field with vim.lsp.config("guiderail", { … }).

local config = require("guiderail.config")
local server = require("guiderail.server")
local status = require("guiderail.status")

-- Neovim's file types, and the language identifiers of the protocol where the two differ.
local LANGUAGES = {
  sh = "shellscript", bash = "shellscript", zsh = "shellscript", cs = "csharp", cuda = "cuda-cpp", objc = "objective-c",
  ps1 = "powershell", make = "makefile", proto = "proto3", fs = "fsharp", ["javascript.jsx"] = "javascriptreact",
  ["typescript.tsx"] = "typescriptreact",
}
local FILETYPES = {
  "python", "javascript", "javascriptreact", "javascript.jsx", "typescript", "typescriptreact", "typescript.tsx", "java",
  "kotlin", "scala", "groovy", "c", "cpp", "cuda", "objc", "cs", "fsharp", "go", "rust", "swift", "dart", "zig", "php",
  "ruby", "perl", "r", "julia", "elixir", "erlang", "haskell", "ocaml", "clojure", "lua", "sql", "sh", "bash", "zsh",
  "fish", "ps1", "make", "cmake", "dockerfile", "terraform", "proto", "graphql", "vue", "svelte",
}
local MARKERS = { ".git", "pyproject.toml", "setup.cfg", "package.json", "Cargo.toml", "go.mod", "pom.xml" }

---@type vim.lsp.Config
return {
  filetypes = config.get().filetypes or FILETYPES,
  get_language_id = function(_, filetype)
    return LANGUAGES[filetype] or filetype
  end,
  -- A server that cannot be found is said once, in one line, rather than as a failing client for each buffer.
  root_dir = function(buffer, start)
    local root = vim.fs.root(buffer, MARKERS) or vim.fs.dirname(vim.api.nvim_buf_get_name(buffer))
    if root == "." or root == "" then
      root = vim.fn.getcwd()
    end
    local found, why = server.find(root)
    if found then
      start(root)
    else
      vim.notify_once("guiderail: " .. why, vim.log.levels.WARN)
    end
  end,
  cmd = function(dispatchers, client_config)
    local root = client_config and client_config.root_dir or vim.fn.getcwd()
    local found = assert(server.find(root))
    local program = vim.fn.exepath(found.cmd[1]) -- whole: a relative one is meant from here
    -- Not in the project, where an empty entry of PYTHONPATH would have Python import from it. A command of the person's
    -- own may find the program by the folder, as `uv run` does.
    local cwd = found.source == "configured" and root or vim.env.VIMRUNTIME
    return vim.lsp.rpc.start({ program, unpack(found.cmd, 2) }, dispatchers, { cwd = cwd })
  end,
  -- One server, and so one model in memory, for all roots: a further one is a folder of its workspace.
  reuse_client = function(client, new)
    if client.name ~= new.name or client:is_stopped() or not client.root_dir or not new.root_dir then
      return false
    end
    local here, there = server.find(client.root_dir), server.find(new.root_dir)
    if not here or not there or not vim.deep_equal(here.cmd, there.cmd) then
      return false
    end
    server.add_folder(client, new.root_dir)
    return true
  end,
  settings = { guiderail = config.get().settings },
  init_options = config.get().settings,
  handlers = {
    ["guiderail/didChangeStatus"] = function(_, params, context)
      status.update(context.client_id, params)
    end,
    ["guiderail/didChangeNextEdit"] = function(_, params, context)
      local client = vim.lsp.get_client_by_id(context.client_id)
      if client then
        require("guiderail.next_edit").changed(client, params.count)
      end
    end,
  },
  on_init = function(client)
    require("guiderail.inline").watch(client)
  end,
  on_exit = function(code, signal, client_id)
    status.forget(client_id)
    if code ~= 0 or signal ~= 0 then
      vim.schedule(server.revive)
    end
  end,
}
