# Adds to the host's image what cross builds need and it lacks; runs in the host's image, with network.
# Arguments: the target's architecture as GNU triples spell it, then packages that the user wants there.
#
# What the user names must be there to be had. Of the rest each is left out where it is not, for the build goes on without
# it, slower; the script that makes the toolchain says so. A package is added whole or not at all.
set -eu
exec 2>&1
target=$1
shift
look

if has apk; then
  binutils=binutils-$target
  # The index is asked for with each call; one that does not answer is given up soon.
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
