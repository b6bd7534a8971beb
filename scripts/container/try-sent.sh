# Takes what is to be started from standard input: a tar archive of what is mounted elsewhere.
set -eu
mkdir -p /hsx/try
tar -x -o -f - -C /hsx/try
