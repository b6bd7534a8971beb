# Builds, then lays out plan.json and the executables in /hsx/out; runs in the builder image, without network.
# Arguments: "strip" or "keep"; "reuse" or "clean"; a digest of the values that were given to this build alone, or nothing;
# "data" or "no-data"; patterns for PACKAGE:EXECUTABLE, between blanks; then those of "cabal build".
set -eu
# In one stream, what cabal says keeps its order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
strip=$1 reuse=$2 values=$3 data=$4 patterns=$5
shift 5
mkdir -p "$HOME"
# GHC does not know which variables a splice has read: other values make the project's own packages anew.
known=/hsx/build/hsx-values
if [ "$reuse" = clean ] || [ "$(cat "$known" 2> /dev/null || :)" != "$values" ]; then
  rm -rf /hsx/build/build /hsx/build/packagedb
  [ "$reuse" = clean ] && [ -z "$values" ] && [ ! -e "$known" ] || printf %s "$values" > "$known"
fi
without_network
# Not "--offline": from cabal 3.12 on that refuses what is downloaded but not yet built.
cabal build "$@" || exit 100

out=/hsx/out plan=/hsx/build/cache/plan.json
mkdir -p "$out/bin"
# Which of these were asked for hsx tells by the plan; the patterns fit at least them.
set -f
grep -o "\"bin-file\":\"[^\"]*\"" "$plan" | cut -d "\"" -f 4 | sort -u | while read -r file; do
  # PLATFORM/COMPILER/PACKAGE-VERSION/x/NAME/…; test suites and benchmarks have a "t" or "b" there.
  below=${file#/hsx/build/build/*/*/} name=${file##*/}
  package=${below%%/*}
  package=${package%-*}
  case $file in /hsx/build/build/*) ;; *) continue ;; esac
  case ${below#*/} in t/* | b/*) continue ;; esac
  for pattern in $patterns; do
    # shellcheck disable=SC2254 # it is a pattern
    case $package:$name in
      $pattern)
        [ -e "$file" ] || break
        if [ -e "$out/bin/$name" ] || [ -e "$out/twice-$name" ]; then
          echo "hsx: two executables are named $name"
          rm -f "$out/bin/$name"
          : > "$out/twice-$name"
          break
        fi
        cp "$file" "$out/bin/$name"
        # The container has the tools of its platform: a foreign strip refuses the file.
        [ "$strip" = keep ] || strip "$out/bin/$name" || exit 101
        break
        ;;
    esac
  done
done
set +f
# The data files of packages in the store, which an executable looks for there.
for dir in "$CABAL_DIR"/store/*/*/share; do
  unit=${dir%/share}
  unit=${unit##*/}
  grep -q "\"id\":\"$unit\"" "$plan" 2> /dev/null || continue
  [ -n "$(find "$dir" -type f ! -path "$dir/doc/*" ! -path "$dir/man/*" | head -n 1)" ] || continue
  echo "$unit" >> "$out/data"
  if [ "$data" = data ]; then
    mkdir -p "$out/share"
    cp -R "$dir" "$out/share/$unit"
    rm -rf "$out/share/$unit/doc" "$out/share/$unit/man"
  fi
done
[ ! -s /hsx/emulated-calls ] || sort /hsx/emulated-calls | uniq -c > "$out/emulated-calls"
# Last, so that its presence says that all is there.
cp "$plan" "$out/plan.json"
