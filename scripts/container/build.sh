# Builds, then lays out plan.json and the executables in /hsx/out; runs in the builder image, without network.
# Arguments: "strip" or "keep", the wanted executables as PACKAGE-VERSION:NAME words, then those of "cabal build".
# Exits with 100 where cabal failed, 101 where strip did.
set -eu
# In one stream, what cabal says keeps its order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
strip=$1 wanted=$2
shift 2
mkdir -p "$HOME"
# Not "--offline": from cabal 3.12 on that refuses what is downloaded but not yet built.
cabal build "$@" || exit 100

out=/hsx/out plan=/hsx/build/cache/plan.json
mkdir -p "$out/bin"
grep -o "\"bin-file\":\"[^\"]*\"" "$plan" | cut -d "\"" -f 4 | while read -r file; do
  for exe in $wanted; do
    package=${exe%:*} name=${exe##*:}
    case $file in
      /hsx/build/*"/$package/"*"build/$name/$name")
        [ -e "$file" ] || continue
        cp "$file" "$out/bin/$name"
        # The container has the tools of its platform: a foreign strip refuses the file.
        [ "$strip" = keep ] || strip "$out/bin/$name" || exit 101
        ;;
    esac
  done
done
[ ! -s /hsx/emulated-calls ] || sort /hsx/emulated-calls | uniq -c > "$out/emulated-calls"
# Last, so that its presence says that all is there.
cp "$plan" "$out/plan.json"
