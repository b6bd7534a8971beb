# Adds the tools for cross builds that the host's image lacks; runs in that image, with network.
# Arguments: the target's architecture as GNU triples spell it, then packages that the user wants there.
#
# The script fails if a package that the user names cannot be added. Other packages are left out if they cannot be
# added: the build goes on without them, slower, and the script that makes the toolchain says so. A package is added
# whole or not at all.
set -eu
exec 2>&1
target=$1
shift
look

if has apk; then
  binutils=binutils-$target
  # Each call downloads the index. The timeout soon gives up on a server that does not answer.
  add() { apk --timeout 20 add --no-cache "$@"; }
elif has apt-get; then
  export DEBIAN_FRONTEND=noninteractive
  binutils=binutils-$(echo "$triple" | tr _ -)
  patience="-o Acquire::Retries=1 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20"
  # shellcheck disable=SC2086 # words
  apt-get --quiet $patience update || :
  # shellcheck disable=SC2086
  add() { apt-get --quiet --yes --no-install-recommends $patience install "$@"; }
else
  [ "$#" -eq 0 ] || { echo "derive: the image has neither apk nor apt-get"; exit 102; }
  exit 0
fi

[ "$#" -eq 0 ] || add "$@"
add_if_there() { add "$@" || echo "hsx: $* cannot be added"; }
if [ -z "$gnu_as" ] || [ -z "$gnu_ld" ]; then
  add_if_there "$binutils"
fi
look
[ -n "$clang" ] || add_if_there clang
[ -n "$gnu_ld" ] || [ -n "$lld" ] || add_if_there lld
rm -rf /var/lib/apt/lists/*
