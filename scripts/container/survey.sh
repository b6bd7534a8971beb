# Prints what the image has to build with, and for "solve" also the versions at which cabal freezes the project. It runs
# in the builder image, with network. Standard output is for hsx, the rest for people.
# Arguments: how to heed the index (see index.sh), "solve" or "ask", the index-state of the project or nothing, the project
# below /src, then those of "cabal freeze".
# Exits with 100 where cabal failed, 106 where the package index is to be updated first.
set -eu
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
index=$1 task=$2 index_state=$3 below=$4
shift 4
make_home
heed_index "$index" "$index_state" >&2

echo "ghc $(ghc --numeric-version)"
echo "packages $(ghc-pkg list --global --simple-output)"
config=${CABAL_CONFIG:-$CABAL_DIR/config}
echo "repositories $(sed -n "s/^[[:blank:]]*repository[[:blank:]]*//p" cabal.project cabal.project.local "$config" 2> /dev/null | tr "\n" " ")"
[ "$task" = solve ] || exit 0
copy /src "$below" /hsx/freeze
cd "/hsx/freeze/$below"
cabal freeze --verbose=0 "$@" >&2 || exit 100
echo freeze
cat cabal.project.freeze
