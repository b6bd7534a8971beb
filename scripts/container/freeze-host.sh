# Prints what the host's GHC has installed, and the versions at which the host's cabal freezes the project. It runs on
# the host, and writes only to a directory that it removes. Standard output is for hsx, the rest for people.
# Arguments: the program ghc-pkg or nothing, "solve" or "ask", the directory above all that the project needs, the project
# below it, then those of "cabal freeze". Exits with 100 where cabal failed.
set -eu
ghc_pkg=$1 task=$2 top=$3 below=$4
shift 4
[ -z "$ghc_pkg" ] || echo "packages $("$ghc_pkg" list --global --simple-output)"
[ "$task" = solve ] || exit 0
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
trap 'exit 143' HUP INT TERM
copy "$top" "$below" "$dir/project"
cd "$dir/project/$below"
# Without a project file here, cabal would look for one in the directories above, which others may write to.
[ -e cabal.project ] || echo 'packages: ./*.cabal' > cabal.project
cabal freeze --verbose=0 --builddir="$dir/build" "$@" >&2 || exit 100
echo freeze
cat cabal.project.freeze
