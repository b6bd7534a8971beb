# Builds and runs test suites, then lays out their logs in /hsx/out; runs in the builder image, without network.
# Arguments: those of "cabal test", which "cabal build" takes too. Exits with 100 when the build failed, 103 when a test did.
set -eu
# One stream keeps cabal's output and errors in order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
make_home
mkdir -p /hsx/out/logs /hsx/build/tests
# Logs of earlier runs do not count.
logs() { find /hsx/build/tests -path "*/test/*.log" "$@"; }
logs -exec rm {} +
without_network
cabal build "$@" || exit 100
status=0
cabal test --keep-going "$@" || status=103
: > /hsx/out/results
logs | while read -r log; do
  case $(head -n 1 "$log") in
    # cabal's log for programs, with a line for each package and run. All suites of a package share the file's name.
    "PackageLog {"*) { cat "$log"; echo; } >> /hsx/out/results ;;
    *) cp "$log" /hsx/out/logs/ ;;
  esac
done
cp /hsx/build/tests/cache/plan.json /hsx/out/
[ ! -s /hsx/emulated-calls ] || sort /hsx/emulated-calls | uniq -c > /hsx/out/emulated-calls
exit "$status"
