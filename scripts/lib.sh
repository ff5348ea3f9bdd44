# shellcheck shell=bash
# What the scripts share. Sourced, never run.

set -euo pipefail

# The checkout, and where things are kept that are made once for a machine.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/enrollment-station
name=${0##*/}

# Progress goes to standard error: standard output is for results.
say() { printf '%s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "$name" "$*" >&2
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# The comment at the head of the calling script is its help text.
usage() { sed -n '2,/^$/ s/^# \{0,1\}//p' "$0"; }

# Of every script that sources this, before it has done anything.
case ${1:-} in -h | --help) usage && exit ;; esac

# apt_need PACKAGE...: installs what is missing when run as root, and otherwise
# says which command does it.
apt_need() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  have apt-get || die "these Debian packages are needed, and there is no apt-get here: ${missing[*]}"
  [ "$(id -u)" = 0 ] || die "these packages are missing; run: sudo apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  local options=(-qq -o DPkg::Lock::Timeout=600 -o APT::Lock::Timeout=600)
  apt_fresh "${missing[0]}" || apt-get "${options[@]}" update >&2
  DEBIAN_FRONTEND=noninteractive apt-get "${options[@]}" install -y --no-install-recommends "${missing[@]}" >/dev/null ||
    die "apt-get could not install: ${missing[*]}"
}

# Whether apt's lists are there and younger than a day, and name this package.
apt_fresh() {
  [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -1 -print -quit 2>/dev/null)" ] &&
    apt-cache show "$1" >/dev/null 2>&1
}

# pip_tool PACKAGE VERSION BINARY: a program that PyPI has ready built, in a
# virtual environment of its own. Prints the program's path.
pip_tool() {
  local venv=$cache/tools/$1-$2
  if [ ! -x "$venv/bin/$3" ]; then
    say "fetching $1 $2"
    python3 -m venv "$venv.part" >&2
    "$venv.part/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary :all: "$1==$2" >&2 || return 1
    rm -rf "$venv" && mv "$venv.part" "$venv"
  fi
  printf '%s\n' "$venv/bin/$3"
}

# with_lock NAME: holds a lock of that name until the script ends, so that two
# runs on one machine do not fill the cache at the same time.
with_lock() {
  mkdir -p "$cache"
  exec {lock_fd}>"$cache/$1.lock"
  flock -n "$lock_fd" || { say "waiting for another run that holds $cache/$1.lock" && flock "$lock_fd"; }
}

# The names of the workspace's packages, one a line.
members() {
  cargo metadata --manifest-path "$root/Cargo.toml" --no-deps --format-version 1 |
    python3 -c 'import json, sys; [print(p["name"]) for p in json.load(sys.stdin)["packages"]]'
}

# Of the packages named, those that the workspace has.
members_among() {
  local all wanted
  all=$(members)
  for wanted in "$@"; do
    ! grep -qx "$wanted" <<<"$all" || printf '%s\n' "$wanted"
  done
}

need_rust() {
  if ! have cargo || ! have rustc; then
    die "there is no Rust here. Install rustup (Debian has it from release 13 on; else see https://rustup.rs) and run this again; rust-toolchain.toml names the version"
  fi
  (cd "$root" && rustc --version >/dev/null) ||
    die "the Rust version that rust-toolchain.toml names is not installed; run: rustup toolchain install"
}

# From here on clippy compiles the workspace's crates, and its warnings are errors. It
# is rustc with more lints, so what comes out is what is tested and run: each crate is
# compiled once. This is what `cargo clippy` sets up for `cargo check`.
under_clippy() {
  export RUSTC_WORKSPACE_WRAPPER=clippy-driver
  # Programs are linked to the dependencies that the tests have: without a test among what is
  # built, cargo gives some of them other features, and compiles them and all of ours anew.
  export STATION_BUILD_BESIDE=--test=files
  export CLIPPY_ARGS='-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__'
}

# cargo_build OPTION...: cargo build over the workspace, with what a stage names besides.
cargo_build() {
  cargo build --quiet --locked --workspace ${STATION_BUILD_BESIDE:+"$STATION_BUILD_BESIDE"} "$@"
}

# check WHAT COMMAND...: runs it, prints its outcome as one line to be counted,
# and goes on. `checked` ends a script with what came of all of them.
failures=0
check() {
  local what=$1
  shift
  if "$@"; then
    printf 'ok: %s\n' "$what"
  else
    printf 'FAILED: %s\n' "$what"
    failures=$((failures + 1))
  fi
}
checked() { exit "$((failures > 0))"; }
