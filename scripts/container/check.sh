# Solves a copy of the project with a freeze file; runs in the builder image, with network: a package may be in git.
# Arguments: the freeze file's text, its index-state or nothing, the project below /src, then those of "cabal build".
# Exits with 100 where cabal failed.
set -eu
# Standard output is for hsx, which expects nothing here.
exec >&2
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
text=$1 index_state=$2 below=$3
shift 3
mkdir -p "$HOME"
if is_missing_or_older_than "$index_state"; then
  update || exit 100
fi
copy /src "$below" /hsx/freeze
cd "/hsx/freeze/$below"
printf "%s" "$text" > cabal.project.freeze
cabal build --dry-run "$@" || exit 100
