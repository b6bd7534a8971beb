# Solves a copy of the project with a freeze file; runs in the builder image, with network: a package may be in git.
# Arguments: how to heed the index (see index.sh), the freeze file's text, its index-state or nothing, the project below
# /src, then those of "cabal build".
# Exits with 100 where cabal failed, 106 where the package index is to be updated first.
set -eu
# Standard output is for hsx, which expects nothing here.
exec >&2
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
index=$1 text=$2 index_state=$3 below=$4
shift 4
make_home
heed_index "$index" "$index_state"
copy /src "$below" /hsx/freeze
cd "/hsx/freeze/$below"
printf "%s" "$text" > cabal.project.freeze
cabal build --dry-run "$@" || exit 100
