# Downloads what a build needs; runs in the builder image, with network.
# Arguments: the index-state of the project or nothing, then those of "cabal build".
set -eu
# In one stream, what cabal says keeps its order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
index_state=$1
shift
mkdir -p "$HOME"

fetch() {
  cabal build --only-download "$@" || return
  # What cabal cloned or unpacked it looks for again when it starts next, with network; and then no more.
  [ -z "$(ls /hsx/build/src /hsx/build/*/src 2> /dev/null)" ] || cabal build --only-download "$@"
}

updates=yes
if is_missing_or_older_than "$index_state" && ! update; then
  # All that is needed may be there: in the image, in the project, or in a repository that answers.
  echo "hsx: the package index could not be updated: going on with the packages that are there"
  updates=no
fi
# A plan may fail only because a package is newer than the index: one more try, unless the index is.
fetch "$@" && exit 0
if [ "$updates" = no ] || is_just_updated; then exit 100; fi
update && fetch "$@" || exit 100
