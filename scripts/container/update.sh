# Updates the package index in its volume; runs in the builder image, with network. Nothing of a project is there.
# Argument: the index-state of the project or nothing. Exits with 100 where cabal failed.
set -eu
# One stream keeps cabal's output and errors in order.
exec 2>&1
# shellcheck source=/dev/null
[ ! -e /hsx/cross/enter ] || . /hsx/cross/enter
# Another hsx may have updated it since this one was asked to.
is_missing_or_older_than /hsx/index/updated "$1" || ! is_just_updated /hsx/index/updated || exit 0
mkdir -p "$HOME" "$CABAL_DIR" /hsx/index/packages
ln -s /hsx/index/packages "$CABAL_DIR/packages"
status=0
cabal update || status=100
# Builds get a copy of the configuration: the image's, or the one that cabal writes where there is none.
config=${CABAL_CONFIG:-$CABAL_DIR/config}
[ ! -e "$config" ] || cp "$config" /hsx/index/config
[ "$status" != 0 ] || now > /hsx/index/updated
exit "$status"
