# Starts each executable that is not known to start, as built and as packed; runs in the builder image, without network.
# Argument: a time limit in seconds. Prints a line "bin NAME STATUS" or "packed NAME STATUS" for each start, and lines
# "said NAME TEXT" with the first output of an unpacked executable that failed.
set -eu
limit=$1
cd /tmp
# A program that ignores SIGTERM gets SIGKILL, if this timeout can send it.
if timeout -k 1 1 true 2> /dev/null; then kill='-k 5'; else kill=''; fi
start() { # FILE
  # "--help" ends most programs at once. One that keeps running is stopped, and that is an answer too.
  # A process that the program leaves running may hold the output open. It is not waited for.
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
      # Some programs die without a terminal. The file is not at fault.
      13[2-9]) [ -n "${TERM-}" ] || TERM=dumb start "/hsx/try/$form/$name" ;;
    esac
    echo "$form $name $status"
    if [ "$status" != 0 ] && [ "$form" = bin ]; then
      tr -d "\r" < /tmp/hsx-said | sed -n "s/^[[:blank:]]*\(.*[^[:blank:]]\)[[:blank:]]*\$/said $name \1/p" | head -n 5
    fi
  done
done
