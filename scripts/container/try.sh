# Starts each executable that is not known to start, as built and as packed; runs in the builder image, without network.
# Arguments: a time limit in seconds, then names. Prints "bin NAME STATUS" or "packed NAME STATUS" a line.
set -eu
limit=$1
shift
cd /tmp
for name do
  [ ! -e "/hsx/try/known/$name" ] || continue
  for form in bin packed; do
    [ -e "/hsx/try/$form/$name" ] || continue
    status=0
    # "--help" ends most programs at once; one that serves on is stopped, which is an answer too.
    timeout "$limit" "/hsx/try/$form/$name" --help < /dev/null > /dev/null 2>&1 || status=$?
    echo "$form $name $status"
  done
done
