# Downloads what a build needs; runs in the builder image, with network.
# Arguments: the index-state of the project or nothing, then those of "cabal build".
# Exits with 100 where cabal failed.
set -eu
# In one stream, what cabal says keeps its order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
index_state=$1
shift
mkdir -p "$HOME"

if is_missing_or_older_than "$index_state"; then
  update || exit 100
fi
# A plan may fail only because a package is newer than the index: one more try, unless the index is.
cabal build --only-download "$@" && exit 0
is_just_updated && exit 100
update && cabal build --only-download "$@" || exit 100
