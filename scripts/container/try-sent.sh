# Reads the executables to be started from standard input, as a tar archive. A local engine mounts them instead.
set -eu
mkdir -p /hsx/try
tar -x -o -f - -C /hsx/try
