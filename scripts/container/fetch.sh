# Downloads what a build needs; runs in the builder image, with network.
# Arguments: how to heed the index (see index.sh), the index-state of the project or nothing, then those of "cabal build".
# Exits with 100 where cabal failed, 106 where the package index is to be updated first.
set -eu
# One stream keeps cabal's output and errors in order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
index=$1 index_state=$2
shift 2
make_home

fetch() {
  cabal build --only-download "$@" || return
  # After cabal has cloned or unpacked sources, its next run looks for them once more, with network. Later runs do not.
  [ -z "$(ls /hsx/build/src /hsx/build/*/src 2> /dev/null)" ] || cabal build --only-download "$@"
}

# The repositories without an index, in cabal's words. Files that the project imports may name some.
unknown_repositories() {
  cabal build --dry-run "$@" 2>&1 | tr -s "\n " "  " | grep -o "package list for '[^']*' does not exist" | cut -d "'" -f 2 | sort -u
}

heed_index "$index" "$index_state"
# A plan may fail because a package is newer than the index. So there is one more try with a new index, unless the index
# has just been updated.
fetch "$@" && exit 0
[ "$index" != ask ] || is_just_updated /hsx/index/updated || exit 106
[ "$index" != new ] || own="$own $(unknown_repositories "$@")"
if [ -z "${own# }" ] || is_just_updated /hsx/build/hsx-index-updated; then exit 100; fi
# shellcheck disable=SC2086 # names
update_own $own && fetch "$@" || exit 100
