# Looks for the programs in an image that cross builds can use, and tries them. This part comes first in all scripts
# that run in the host's image. `target` is the target's architecture as GNU triples spell it (aarch64).
#
# A program counts only if it works: an image with a broken clang is treated as an image without clang.
#
# What searches puts its answer in `found`, which is empty if there is none. Nothing is printed and caught: to catch
# what a function prints, a shell starts a process, and these searches are many.

# Searches PATH: for "printf" and others "command -v" only says that the shell has a built-in of that name.
has() { # PROGRAM, or the path of one
  found=""
  case $1 in
    "") ;;
    /*) [ ! -x "$1" ] || found=$1 ;;
    *)
      directories=$PATH:
      while [ -z "$found" ] && [ -n "$directories" ]; do
        [ ! -x "${directories%%:*}/$1" ] || found=${directories%%:*}/$1
        directories=${directories#*:}
      done
      ;;
  esac
  [ -n "$found" ]
}
path_of() { has "$1" && echo "$found"; }
real() { has "$1" && readlink -f "$found"; }
elf=$(printf "\177ELF")
is_elf() { [ -x "$1" ] && [ "$(head -c 4 "$1")" = "$elf" ]; }

# Finds the newest version of an LLVM program. Distributions install several side by side, and Alpine does so outside
# PATH.
find_llvm() { # PROGRAM
  newest="" newest_version=0
  for candidate in /usr/lib/llvm*/bin/"$1" /usr/lib/llvm*/bin/"$1"-[0-9]*; do
    [ -x "$candidate" ] || continue
    version=${candidate#/usr/lib/llvm}
    version=${version%%/*}
    version=${version#-}
    version=${version%%.*}
    case $version in "" | *[!0-9]*) version=0 ;; esac
    [ "$version" -lt "$newest_version" ] || { newest=$candidate newest_version=$version; }
  done
  has "${newest:-$1}" || return 0
  found=$(readlink -f "$found")
}

# Finds a program of GNU binutils for the target, by the names that distributions use. Those of bare-metal toolchains do
# not link for Linux.
find_gnu() { # PROGRAM
  found=""
  for candidate in "/usr/bin/$triple-$1" /usr/bin/"$target"-*-"$1"; do
    case $candidate in *-none-* | *-elf-*) continue ;; esac
    [ -x "$candidate" ] || continue
    found=$candidate
    [ ! -L "$found" ] || found=$(readlink -f "$found")
    return
  done
}

# Nothing is found if this test of what was found fails. It reads nothing.
try_found() { # ARGUMENT…
  [ -z "$found" ] || "$found" "$@" < /dev/null > /dev/null 2>&1 || found=""
}

# The machine of the image's own C compiler. There may be others below /usr/lib/gcc.
own_triple() {
  said=$({ gcc -dumpmachine || cc -dumpmachine || { find_llvm clang && "$found" -print-target-triple; }; } 2> /dev/null) || :
  [ ! -d "/usr/lib/gcc/$said" ] || { echo "$said"; return; }
  for directory in /usr/lib/gcc/"$host"-*; do
    case $directory in *-none-* | *-elf | *"*") continue ;; esac
    basename "$directory"
    return
  done
  echo "$said"
}

look() {
  host=$(uname -m)
  # The triple of the image's C compiler, with the target's architecture: aarch64-alpine-linux-musl.
  triple=$(own_triple)
  triple=$target${triple#"$host"}
  find_gnu as
  try_found -o /dev/null -
  gnu_as=$found
  find_gnu ld
  try_found --version
  gnu_ld=$found
  # Where GNU's assembler works, nobody asks for LLVM's.
  llvm_mc=""
  if [ -z "$gnu_as" ]; then
    find_llvm llvm-mc
    try_found "--triple=$triple" --filetype=obj -o /dev/null -
    # shellcheck disable=SC2034 # not for image.sh
    llvm_mc=$found
  fi
  find_llvm clang
  try_found "--target=$triple" -c -x c -o /dev/null -
  clang=$found
  find_llvm ld.lld
  try_found --version
  lld=$found
}
