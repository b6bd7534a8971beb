# Looks for the programs in an image that cross builds can use, and tries them. This part comes first in all scripts
# that run in the host's image. `target` is the target's architecture as GNU triples spell it (aarch64).
#
# A program counts only if it works: an image with a broken clang is treated as an image without clang.

# Searches PATH: for "printf" and others "command -v" only says that the shell has a built-in of that name.
path_of() { # PROGRAM, or the path of one
  case $1 in
    "") return 1 ;;
    /*) [ -x "$1" ] && echo "$1" ;;
    *) (IFS=:; for dir in $PATH; do [ ! -x "$dir/$1" ] || { echo "$dir/$1"; exit; }; done; exit 1) ;;
  esac
}
has() { path_of "$1" > /dev/null; }
real() { readlink -f "$(path_of "$1")"; }
is_elf() { [ -x "$1" ] && [ "$(head -c 4 "$1" | tail -c 3)" = ELF ]; }

# Finds the newest version of an LLVM program. Distributions install several side by side, and Alpine does so outside
# PATH.
llvm() { # PROGRAM
  newest=$(for candidate in /usr/lib/llvm*/bin/"$1" /usr/lib/llvm*/bin/"$1"-[0-9]*; do
    version=${candidate#/usr/lib/llvm}
    version=${version#-}
    [ ! -x "$candidate" ] || echo "${version%%/*} $candidate"
  done | sort -n | tail -n 1)
  newest=${newest#* }
  [ -n "$newest" ] || newest=$(path_of "$1") || return 0
  readlink -f "$newest"
}

# Finds a program of GNU binutils for the target, by the names that distributions use. Those of bare-metal toolchains do
# not link for Linux.
gnu() { # PROGRAM
  for candidate in "/usr/bin/$triple-$1" /usr/bin/"$target"-*-"$1"; do
    case $candidate in *-none-* | *-elf-*) continue ;; esac
    [ ! -x "$candidate" ] || { readlink -f "$candidate"; return; }
  done
}

working() { # PROGRAM [TEST…]: prints the program if the test, which reads nothing, succeeds
  program=$1
  shift
  if [ -n "$program" ] && "$program" "$@" < /dev/null > /dev/null 2>&1; then echo "$program"; fi
}

# The machine of the image's own C compiler. There may be others below /usr/lib/gcc.
own_triple() {
  said=$( (gcc -dumpmachine || cc -dumpmachine || "$(llvm clang)" -print-target-triple) 2> /dev/null | head -n 1)
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
  gnu_as=$(gnu as)
  gnu_as=$(working "$gnu_as" -o /dev/null -)
  gnu_ld=$(gnu ld)
  gnu_ld=$(working "$gnu_ld" --version)
  llvm_mc=$(llvm llvm-mc)
  llvm_mc=$(working "$llvm_mc" "--triple=$triple" --filetype=obj -o /dev/null -)
  clang=$(llvm clang)
  clang=$(working "$clang" "--target=$triple" -c -x c -o /dev/null -)
  lld=$(llvm ld.lld)
  lld=$(working "$lld" --version)
}
