# Downloads what a build needs; runs in the builder image, with network.
# Arguments: the index-state of the project or nothing, then those of "cabal build".
# Exits with 100 where cabal failed.
set -eu
# One stream keeps cabal's output and errors in order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
index_state=$1
shift
mkdir -p "$HOME"

fetch() {
  cabal build --only-download "$@" || return
  # After cabal has cloned or unpacked sources, its next run looks for them once more, with network. Later runs do not.
  [ -z "$(ls /hsx/build/src /hsx/build/*/src 2> /dev/null)" ] || cabal build --only-download "$@"
}

updates=yes
if is_missing_or_older_than "$index_state" && ! update; then
  # Everything that is needed may be there: in the image, in the project, or in a repository that answers.
  echo "hsx: the package index could not be updated: going on with the packages that are there"
  updates=no
fi
# A plan may fail because a package is newer than the index. So there is one more try with a new index, unless the index
# has just been updated.
fetch "$@" && exit 0
if [ "$updates" = no ] || is_just_updated; then exit 100; fi
update && fetch "$@" || exit 100
