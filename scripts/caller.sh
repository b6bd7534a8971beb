# shellcheck shell=sh
# Who calls, and with which Rust. Sourced, at the top of the repository, by the scripts that build hsx: they build as the
# caller, and what needs root goes through scripts/as-root.

refuse() { echo "${0##*/}: $*" >&2; exit 1; }

# As root, cargo would leave files of root's in somebody else's clone.
if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ] && [ "$(stat --format %u .)" = "$SUDO_UID" ]; then
  refuse "run me as $SUDO_USER, without sudo: I ask for root where I need it"
fi

# A shell that is older than Rust on this machine does not have it on its PATH.
command -v cargo >/dev/null || PATH=${CARGO_HOME:-$HOME/.cargo}/bin:$PATH
needed=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
command -v cargo >/dev/null || refuse "Rust $needed or newer is needed to build hsx: see https://rustup.rs"
found=$(cargo --version | cut -d' ' -f2) || :
printf '%s\n' "$needed" "$found" | sort --check=quiet --version-sort ||
  refuse "cargo is ${found:-of no version}: Rust $needed or newer is needed to build hsx, see https://rustup.rs"
