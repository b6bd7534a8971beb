# Starts each executable that is not known to start, as built and as packed; runs in the builder image, without network.
# Argument: a time limit in seconds. Prints "bin NAME STATUS" or "packed NAME STATUS" a line, and "said NAME TEXT" for what
# one that did not succeed has said.
set -eu
limit=$1
cd /tmp
# A program that does not heed the first signal gets the one that cannot be ignored, where timeout knows how.
if timeout -k 1 1 true 2> /dev/null; then kill='-k 5'; else kill=''; fi
start() { # FILE
  # "--help" ends most programs at once; one that serves on is stopped, which is an answer too.
  # What it leaves running may hold its output open: that is not waited for.
  # shellcheck disable=SC2086 # words, or none
  { timeout $kill "$limit" "$1" --help < /dev/null 2>&1 && echo 0 > /tmp/hsx-status || echo "$?" > /tmp/hsx-status; } |
    timeout "$((limit + 10))" sh -c 'head -c 2000 > /tmp/hsx-said; cat > /dev/null' || :
  status=$(cat /tmp/hsx-status)
}
for path in /hsx/try/bin/*; do
  name=${path##*/}
  [ ! -e "/hsx/try/known/$name" ] || continue
  for form in bin packed; do
    [ -e "/hsx/try/$form/$name" ] || continue
    start "/hsx/try/$form/$name"
    case $status in
      # Some die without a terminal, and that is no fault of the file.
      13[2-9]) [ -n "${TERM-}" ] || TERM=dumb start "/hsx/try/$form/$name" ;;
    esac
    echo "$form $name $status"
    if [ "$status" != 0 ] && [ "$form" = bin ]; then
      tr -d "\r" < /tmp/hsx-said | sed -n "s/^[[:blank:]]*\(.*[^[:blank:]]\)[[:blank:]]*\$/said $name \1/p" | head -n 5
    fi
  done
done
