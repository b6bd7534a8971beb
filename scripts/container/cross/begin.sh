# Makes the toolchain of the cross strategy in /hsx/cross. It runs natively in the host's image, once for each pair of
# images. Its parts, in order: look.sh, begin.sh, boot.sh, tools.sh, c.sh, ghc.sh, enter.sh.
# Argument: the target's architecture as GNU triples spell it (aarch64).
#
# Every GHC has all code generators of its version, and reads its target from the settings in the libdir that -B names.
# So the host's GHC with the target's libdir is a cross compiler. Builds run in the target's container, where the host's
# image is mounted at /native. Both images have the same tag, so a program of this image has the same path in the
# target's.
#
# Prints one line "cross: REASON" and exits with 102 if this image is unfit. Prints lines "note: …" about what would be
# faster with a better image.
set -eu
target=$1
out=/hsx/cross
bin=$out/bin
rm -rf "${out:?}"/*
mkdir -p "$bin" "$out/boot/lib"
look

cannot() { echo "cross: $*"; exit 102; }
note() { echo "note: $*"; }

# What GHC says of itself; asked once, for it takes its time to start.
info=$(ghc --info)
info_of() { # KEY
  value=${info#*"\"$1\",\""}
  [ "$value" = "$info" ] || echo "${value%%\"*}"
}

# Writes a program for the target's container, as a script for the host's shell. Busybox needs the name of its tool, sh.
# enter.sh makes these files executable, all at once.
host_shell=$(real sh)
shell=/native$host_shell
case $shell in */busybox) shell="$shell sh" ;; esac
wrapper() { # NAME COMMAND [FIRST]
  printf "#!%s\n%s\nexec %s \"\$@\"\n" "$shell" "${3-}" "$2" > "$bin/$1"
}
