# Builds, then lays out plan.json and the executables in /hsx/out; runs in the builder image, without network.
# Arguments: "strip" or "keep"; "reuse" or "clean"; a digest of the values that were given to this build alone, or nothing;
# "data" or "no-data"; patterns for PACKAGE:EXECUTABLE, between blanks; then those of "cabal build".
# Exits with 100 where cabal failed, 101 where strip did.
set -eu
# One stream keeps cabal's output and errors in order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
strip=$1 reuse=$2 values=$3 data=$4 patterns=$5
shift 5
make_home
# GHC does not know which variables a splice has read. So the project's own packages are rebuilt when the values change.
known=/hsx/build/hsx-values
if [ "$reuse" = clean ] || [ "$(cat "$known" 2> /dev/null || :)" != "$values" ]; then
  rm -rf /hsx/build/build /hsx/build/packagedb
  if [ -n "$values" ] || [ -e "$known" ]; then printf %s "$values" > "$known"; fi
fi
without_network
# No "--offline": with it, cabal 3.12 and later refuse packages that are downloaded but not yet built.
cabal build "$@" || exit 100

out=/hsx/out plan=/hsx/build/cache/plan.json
mkdir -p "$out/bin"
# The patterns match at least the executables that were asked for. hsx picks these by the plan.
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
        # strip runs in the container, which has the one for its platform. A foreign strip refuses the file.
        [ "$strip" = keep ] || strip "$out/bin/$name" || exit 101
        break
        ;;
    esac
  done
done
set +f
# The data files of packages in the store, which an executable looks for there.
for dir in "$CABAL_DIR"/store/*/*/share "$CABAL_DIR"/store/*/*/*/share; do
  [ -d "$dir" ] || continue
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
# The plan comes last: its presence says that everything is there.
cp "$plan" "$out/plan.json"
