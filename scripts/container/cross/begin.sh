# Makes the toolchain of the cross strategy in /hsx/cross; runs once for a pair of images, in the host's, natively. Its
# parts follow in this order: boot.sh, tools.sh, c.sh, ghc.sh, enter.sh; look.sh comes before all.
# Argument: the target's architecture as GNU triples spell it (aarch64).
#
# A GHC has every code generator of its version and takes its target from the settings in the libdir that -B names. So
# the host's GHC, started on the target's libdir, is a cross compiler. Builds run in the target's container, where the
# host's image is /native: both are the same tag, so what is found here is at the same place there.
#
# Prints one line "cross: REASON" and exits with 102 where this image cannot do it, and "note: …" lines of what would be
# faster in a better one.
set -eu
target=$1
out=/hsx/cross
bin=$out/bin
rm -rf "${out:?}"/*
mkdir -p "$bin" "$out/boot/lib"
look

cannot() { echo "cross: $*"; exit 102; }
note() { echo "note: $*"; }

# A program for the target's container: a script for the host's shell. Busybox needs to be told which tool it is.
shell=/native$(real sh)
case $shell in */busybox) shell="$shell sh" ;; esac
wrapper() { # NAME COMMAND [FIRST]
  printf "#!%s\n%s\nexec %s \"\$@\"\n" "$shell" "${3-}" "$2" > "$bin/$1"
  chmod 755 "$bin/$1"
}
