#!/usr/bin/env bash
# Fetch the plug-ins of others that are tested with guiderail, unmodified, into .clients/plugins at the
# repository's root. llama.vscode is built as its own package.json says; that needs the Node of fetch_vscode.sh.
set -euo pipefail

plugins=$(cd "$(dirname "$0")/../.." && pwd)/.clients/plugins
git_base=${GIT_BASE:-https://github.com}

fetch() { # OWNER NAME COMMIT
  [ -e "$plugins/$2/.fetched-$3" ] && return
  rm -rf "${plugins:?}/$2"
  mkdir -p "$plugins/$2"
  git -C "$plugins/$2" init -q
  git -C "$plugins/$2" fetch -q --depth 1 "$git_base/$1/$2" "$3"
  git -C "$plugins/$2" checkout -q FETCH_HEAD
  touch "$plugins/$2/.fetched-$3"
}

fetch ggml-org llama.vim a1c8e6e40cb45df59b78add5b65d575386832465
fetch folke sidekick.nvim 8ad0ede3ff9065878a853e4b037ba6ac88231fb0
fetch milanglacier minuet-ai.nvim 479487c34041f53aad3184597428e42d9f3333b5
fetch ggml-org llama.vscode 3938fb3568b98e3ddfcf2ce3dd52d9570552b579

cd "$plugins/llama.vscode"
[ -e llama-vscode.vsix ] && exit
command -v npm >/dev/null || { echo "fetch_plugins: llama.vscode is not built without npm" >&2; exit 0; }
npm ci --ignore-scripts --no-audit --no-fund
npm run -s bundle
npx --yes @vscode/vsce package --no-dependencies --allow-missing-repository --out llama-vscode.vsix
