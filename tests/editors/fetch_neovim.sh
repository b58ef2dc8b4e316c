#!/usr/bin/env bash
# Fetch the Neovim (and Helix) that the editor tests drive, into .clients/ at the repository's root: no root needed.
#
#   tests/editors/fetch_neovim.sh            the releases pinned in SHA256SUMS
#   tests/editors/fetch_neovim.sh --update   today's releases of the suite, and pin them
#
# The packages come from the Debian archive that this machine is configured for, from a newer suite than its own,
# with apt's private state under .clients/. apt checks signatures; SHA256SUMS pins what was tested. The programs run
# through their own loader, because they want a newer C library than the machine may have.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
clients=$root/.clients
sums=$here/SHA256SUMS
suite=forky
packages=(neovim neovim-runtime libc6 libgcc-s1 libluajit-5.1-2 libtree-sitter0.26 libunibilium4 libutf8proc3
  libuv1t64 lua-lpeg lua-luv hx)

fail() { echo "fetch_neovim: $1" >&2; exit 1; }

apt_private() { APT_CONFIG=$clients/apt/apt.conf "$@"; }

# apt's own view of another suite of the archive that the machine already uses.
prepare_apt() {
  mkdir -p "$clients"/apt/{lists,cache}/partial
  local base
  base=$(apt-get indextargets --format '$(ORIGIN) $(CODENAME) $(CREATED_BY) $(REPO_URI)' |
    awk '$1 == "Debian" && $2 !~ /-/ && $3 == "Packages" {print $4; exit}')
  [ -n "$base" ] || fail "apt knows no Debian archive; run apt-get update, or put nvim 0.12 or newer on PATH"
  echo "deb [check-valid-until=no] $base $suite main" > "$clients/apt/suite.list"
  cat > "$clients/apt/apt.conf" <<CONF
Dir::Etc::SourceList "$clients/apt/suite.list"; Dir::Etc::SourceParts "-"; Dir::State::Lists "$clients/apt/lists";
Dir::Cache::Archives "$clients/apt/cache"; Dir::Cache::pkgcache ""; Dir::Cache::srcpkgcache "";
APT::Sandbox::User "$(id -un)"; Acquire::Retries "2";
CONF
  apt_private apt-get update -qq || fail "the $suite package lists cannot be fetched"
}

# The pinned "name=version" of every package, out of the file names in SHA256SUMS.
pinned() { awk '{print $2}' "$sums" | sed -E 's/_[^_]*\.deb$//; s/%3a/:/; s/_/=/'; }

download() {
  rm -rf "$clients/debs" && mkdir -p "$clients/debs" && cd "$clients/debs"
  if [ "${1:-}" = --update ]; then
    apt_private apt-get download -qq "${packages[@]}" || fail "a package is not in $suite any more: see 'apt-cache depends neovim'"
    sha256sum -- *.deb > "$sums"
  else
    # shellcheck disable=SC2046
    apt_private apt-get download -qq $(pinned) || fail "a pinned release has left the archive: run with --update"
  fi
}

unpack() {
  rm -rf "$clients/root" && mkdir -p "$clients/root"
  for deb in "$clients"/debs/*.deb; do dpkg -x "$deb" "$clients/root"; done
}

# A launcher that starts program $2 of the unpacked tree under the name $1.
launcher() {
  cat > "$clients/$1" <<RUN
#!/bin/sh
export VIMRUNTIME=$clients/root/usr/share/nvim/runtime HELIX_RUNTIME=$clients/root/usr/lib/hx/runtime
exec $clients/root/usr/lib64/ld-linux-x86-64.so.2 --library-path $clients/root/usr/lib/x86_64-linux-gnu \\
  $clients/root/usr/$2 "\$@"
RUN
  chmod +x "$clients/$1"
}

checked() { (cd "$clients/debs" && sha256sum --quiet --strict -c "$sums"); }

command -v apt-get > /dev/null && command -v dpkg > /dev/null || fail "this route needs Debian's apt; put nvim 0.12 or newer on PATH"
[ "$(dpkg --print-architecture)" = amd64 ] || fail "the pinned packages are for amd64"
if [ "${1:-}" = --update ] || ! checked 2> /dev/null; then
  prepare_apt
  download "${1:-}"
  checked || fail "a package differs from SHA256SUMS"
fi
unpack
launcher nvim bin/nvim
launcher hx lib/hx/hx
"$clients/nvim" --version | head -1
"$clients/hx" --version
