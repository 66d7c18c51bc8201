# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# What the scripts share; to be sourced, from the top folder, with `set -euo pipefail`.

readonly JOBS=2
readonly PRESET=ci             # release flags, warnings are errors
readonly BUILD=build/release
PACKAGES=(
  build-essential cmake ninja-build ccache pkg-config git
  libcurl4-openssl-dev libssl-dev nlohmann-json3-dev libspdlog-dev libfmt-dev uuid-dev
  libmicrohttpd-dev libsqlite3-dev libgpiod-dev libexpected-dev libcli11-dev libgtest-dev libgmock-dev
  libmosquitto-dev mosquitto mosquitto-clients openssl influxdb libsml-dev
)

die() {
  printf 'scripts/%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# "1 test", "2 tests"
plural() {
  if [ "$1" = 1 ]; then printf '%s %s' "$1" "$2"; else printf '%s %ss' "$1" "$2"; fi
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "needs root for: $* (neither root nor sudo)"
  fi
}

# Runs a command, and shows its output only if it fails.
quietly() {
  local what=$1 name output
  shift
  name=$(mktemp)
  exec {output}<>"$name"
  rm -f "$name" # it lives on as a descriptor, and is gone however this ends
  if ! "$@" >&"$output" 2>&1; then
    cat "/proc/self/fd/$output" >&2
    die "$what failed, see above"
  fi
  exec {output}>&-
}

# Sets INSTALLED to the number of packages that had to be installed.
# shellcheck disable=SC2034
install_packages() {
  INSTALLED=0
  if ! command -v dpkg-query >/dev/null; then
    echo "no Debian here: install these by hand if the build asks for them: ${PACKAGES[*]}"
    return
  fi
  local package missing=()
  for package in "${PACKAGES[@]}"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  echo "installing $(plural ${#missing[@]} package): ${missing[*]}"
  quietly "apt-get update" as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update
  quietly "apt-get install" as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qq install --yes --no-install-recommends "${missing[@]}"
  INSTALLED=${#missing[@]}
}

# Configures and builds the given targets. Quiet; shows what the compiler said if it fails.
build() {
  quietly "configuring" cmake --preset "$PRESET"
  quietly "building" cmake --build "$BUILD" --parallel "$JOBS" --target "$@"
}
