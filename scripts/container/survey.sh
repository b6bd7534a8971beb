# Prints what the image has to build with, and for "solve" also the versions at which cabal freezes the project. It runs
# in the builder image, with network. Standard output is for hsx, the rest for people.
# Arguments: "solve" or "ask", the index-state of the project or nothing, the project below /src, then those of
# "cabal freeze". Exits with 100 where cabal failed.
set -eu
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
task=$1 index_state=$2 below=$3
shift 3
mkdir -p "$HOME"
if is_missing_or_older_than "$index_state"; then
  update >&2 || exit 100
fi

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
