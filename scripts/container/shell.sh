# Enters the builder as a build sees it; runs in the builder image.
# Arguments: the platform, the number of cabal's flags, these, then a command; without one, a shell.
set -eu
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
show_repositories
platform=$1 count=$2 flags=""
shift 2
while [ "$count" -gt 0 ]; do
  flags="$flags \"$(printf %s "$1" | sed "s/[\\\\\"\$\`]/\\\\&/g")\""
  count=$((count - 1))
  shift
done
make_home
mkdir -p /hsx/bin
# A cabal that adds the build's flags to each command that takes them. Without them it would make another plan, and
# write into the source.
cabal=$(command -v cabal)
printf "%s\n" "#!$(command -v sh)" "case \${1-} in build | bench | exec | haddock | list-bin | repl | run | test)
  command=\$1
  shift
  exec $cabal \"\$command\"$flags \"\$@\" ;;
esac
exec $cabal \"\$@\"" > /hsx/bin/cabal
chmod 755 /hsx/bin/cabal
# No history file: the home goes with the container.
PATH=/hsx/bin:$PATH HISTFILE="" PS1="hsx $platform:\w\\\$ "
export PATH HISTFILE PS1
if [ "$#" -eq 0 ]; then
  # bash's start-up files would replace the prompt.
  if command -v bash > /dev/null; then set -- bash --norc; else set -- sh; fi
fi
exec "$@"
