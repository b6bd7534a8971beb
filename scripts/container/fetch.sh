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

# Whether the project names a repository that the projects before it did not.
knows_another_repository() {
  names=$(sed -n "s/^repository[[:blank:]]*//p" cabal.project cabal.project.local 2> /dev/null || :)
  for name in $names; do
    # Those of files have a suffix.
    set -- "$CABAL_DIR/packages/$name"*
    [ -e "$1" ] || return 0
  done
  return 1
}

if [ ! -e "$updated" ] || expr "$index_state" \> "$(cat "$updated")" > /dev/null || knows_another_repository; then
  update || exit 100
fi
# A plan may fail only because a package is newer than the index: one more try, unless the index is.
cabal build --only-download "$@" && exit 0
[ -z "$(find "$updated" -mmin -10)" ] || exit 100
update && cabal build --only-download "$@" || exit 100
