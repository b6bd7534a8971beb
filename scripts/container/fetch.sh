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
updated=$CABAL_DIR/hsx-index-updated

update() {
  # In the project, for the repositories it names; with the build directory, for the source is read-only.
  cabal update --builddir=/hsx/build && date -u +%Y-%m-%dT%H:%M:%SZ > "$updated"
}

if [ ! -e "$updated" ] || expr "$index_state" \> "$(cat "$updated")" > /dev/null; then
  update || exit 100
fi
# A plan may fail only because a package is newer than the index: one more try, unless the index is.
cabal build --only-download "$@" && exit 0
[ -z "$(find "$updated" -mmin -10)" ] || exit 100
update && cabal build --only-download "$@" || exit 100
