# Makes the toolchain of the cross strategy in /hsx/cross; runs once for a pair of images, in the host's, natively.
# Argument: the target's architecture as GNU triples spell it (aarch64).
#
# A GHC has every code generator of its version and takes its target from the settings in the libdir that -B names. So
# the host's GHC, started on the target's libdir, is a cross compiler. Builds run in the target's container, where the
# host's image is /native: both are the same tag, so what is found here is at the same place there.
# Prints one line "cross: REASON" and exits with 102 where this image cannot do it.
set -eu
target=$1
host=$(uname -m)
out=/hsx/cross
bin=$out/bin
rm -rf "${out:?}"/*
mkdir -p "$bin" "$out/boot/lib"

cannot() { echo "cross: $*"; exit 102; }
# By PATH: of "printf" and others "command -v" tells only that the shell has its own.
path_of() { # PROGRAM
  (IFS=:; for dir in $PATH; do [ ! -x "$dir/$1" ] || { echo "$dir/$1"; exit; }; done; exit 1)
}
has() { path_of "$1" > /dev/null; }
real() { readlink -f "$(path_of "$1")"; }

# LLVM's programs by their plain or versioned name; Alpine keeps them out of PATH.
llvm() {
  for candidate in "$(path_of "$1" || :)" /usr/lib/llvm*/bin/"$1" /usr/lib/llvm*/bin/"$1"-[0-9]*; do
    [ ! -x "$candidate" ] || { readlink -f "$candidate"; return; }
  done
}

# A program for the target's container: a script for the host's shell. Busybox needs to be told which tool it is.
shell=/native$(real sh)
case $shell in */busybox) shell="$shell sh" ;; esac
wrapper() { # NAME COMMAND [FIRST]
  printf "#!%s\n%s\nexec %s \"\$@\"\n" "$shell" "${3-}" "$2" > "$bin/$1"
  chmod 755 "$bin/$1"
}

# What starts before the host's loader is in its place, by naming it: the loader itself, a shell, ln and mkdir.
loader=$(ldd "$(real sh)" | grep -o "/[^ ]*/ld-[^ ]*" | head -n 1)
[ -n "$loader" ] || cannot "the shell of the image has no dynamic loader to learn from"
cp "$(readlink -f "$loader")" "$out/boot/ld.so"
for tool in sh ln mkdir; do
  cp "$(real "$tool")" "$out/boot/$tool"
  ldd "$(real "$tool")" | grep -o "=> /[^ ]*" | cut -c 4- | while read -r library; do
    cp "$(readlink -f "$library")" "$out/boot/lib/${library##*/}"
  done
done
case $loader in
  # musl has one search path for all, in a file of its own for each architecture.
  */ld-musl-*) libraries="" search_path=/etc/$(basename "$loader" .so.1).path ;;
  *) libraries=$(dirname "$(ldd "$(real sh)" | grep -o "/[^ ]*/libc\.so[^ ]*" | head -n 1)") search_path="" ;;
esac

# Plain tools that builds and configure scripts start often. Not uname: its answer must be the target's.
for tool in [ alex awk basename bash cat chmod cmp comm cp cut date diff dirname env expr find git grep gzip happy head \
  install ln ls make mkdir mktemp mv od patch printf readlink rm rmdir sed sh sort tail tar tee test touch tr true \
  uniq wc xargs xz; do
  # Named by its real file: an absolute link in the host's image would lead into the target's root.
  if has "$tool"; then ln -s "/native$(real "$tool")" "$bin/$tool"; fi
done

version=$(ghc --numeric-version)
libdir=$(ghc --print-libdir)
for programs in "$libdir/../bin" "$libdir/bin"; do
  [ ! -x "$programs/ghc-$version" ] || break
done
[ -x "$programs/ghc-$version" ] || cannot "the image has no ghc-$version beside its libdir $libdir"
programs=$(readlink -f "$programs")
# Template Haskell runs in the target's interpreter. The dynamic one, where there is one: the linker of the static run-time
# system cannot do all relocations on aarch64 (GHC #24432). GHC adds "-prof" or "-dyn" to its name.
mkdir "$out/iserv"
for flavour in "" -dyn -prof; do
  for iserv in "$programs/ghc-iserv${flavour:--dyn}" "$programs/ghc-iserv$flavour"; do
    [ ! -x "$iserv" ] || { ln -s "$(readlink -f "$iserv")" "$out/iserv/ghc-iserv$flavour"; break; }
  done
done
[ -e "$out/iserv/ghc-iserv" ] || cannot "the image has no external interpreter (ghc-iserv) in $programs"
private=/hsx/ghc/lib
ghc="/native$programs/ghc-$version -B$private -fexternal-interpreter -pgmi $out/iserv/ghc-iserv"
# That interpreter loads static code only. To cabal this says so, and keeps it from compiling all modules twice.
wrapper ghc "$ghc" "[ \"\$1\" != --info ] || { $ghc --info | sed \"/GHC Dynamic/s/YES/NO/\"; exit; }"
wrapper ghc-pkg "/native$programs/ghc-pkg-$version --global-package-db $private/package.conf.d"
# cabal, a native program here, takes this for a cross build and says -x; but then hsc2hs can do less, and what it compiles
# does run here.
wrapper hsc2hs "/native$programs/hsc2hs --template=$libdir/template-hsc.h -I$libdir/include" \
  "[ -n \"\$HSX_NO_EMULATION\" ] || { [ \"\$1\" != -x ] || shift; }"
# cabal asks each of these for its version before it builds anything: seconds, under emulation.
wrapper haddock "/native$programs/haddock -B$private"
wrapper hpc "/native$programs/hpc"
wrapper runghc "/native$programs/runghc -f $bin/ghc"
ln -s "/native$(real cabal)" "$bin/cabal"

# The C compiler, linker and archiver. Without clang and lld the target's own gcc and ld stay, emulated.
triple=$target$(basename /usr/lib/gcc/*-* | sed "s/^$host//")
clang=$(llvm clang) lld=$(llvm ld.lld)
# What GHC compiled, GNU's assembler for the target takes a quarter of clang's time for, where the image has one; the
# objects are those of the target's own.
gnu_as=$(for as in /usr/bin/"$triple-as" /usr/bin/"$target"-*-as; do [ ! -x "$as" ] || { readlink -f "$as"; break; }; done)
assemble=""
[ -z "$gnu_as" ] || assemble="assemble() {
  for argument; do
    shift
    case \$argument in
      -x | assembler | -c | -iquote* | -fPIC | -U__PIC__ | -D__PIC__ | -Qunused-arguments) ;;
      -o | -I* | [!-]*) set -- \"\$@\" \"\$argument\" ;;
      *) return ;;
    esac
  done
  /native$gnu_as \"\$@\" && exit
}
case \" \$* \" in *\" -x assembler -c \"*) assemble \"\$@\" ;; esac
"
c_compiler() { # NAME COMMAND GCC
  # What clang cannot compile or lld cannot link, gcc may; unless it would have to read standard input a second time.
  wrapper "$1" "$2" "${assemble}case \" \$* \" in *\" - \"*) ;; *)
  $2 \"\$@\" && exit
  [ -z \"\$HSX_NO_EMULATION\" ] || exit 1
  echo \"hsx: clang failed, trying $3 of the target, emulated\" >&2
  exec $3 \"\$@\" ;;
esac"
}
if [ -n "$clang" ] && [ -n "$lld" ]; then
  options="--target=$triple --sysroot=/ --gcc-toolchain=/usr -fuse-ld=$out/ld.lld -Wno-unused-command-line-argument"
  for name in cc gcc "$triple-gcc"; do c_compiler "$name" "/native$clang $options" "$(path_of gcc)"; done
  for name in c++ g++ "$triple-g++"; do
    c_compiler "$name" "/native$clang --driver-mode=g++ $options" "$(path_of g++ || :)"
  done
  wrapper clang "/native$clang $options"
  wrapper clang++ "/native$clang --driver-mode=g++ $options"
  # By its own name: lld is another program under each.
  ln -s "/native$lld" "$out/ld.lld"
  for name in ld "$triple-ld" ld.lld; do wrapper "$name" "$out/ld.lld"; done
fi
# Haskell is preprocessed by the same program as on the target, for clang has its own idea of what traditional C is. With
# "-undef" the program knows nothing of its machine but the directories of its headers.
cpp=$(ghc --info | sed -n "s/.*\"Haskell CPP command\",\"\(.*\)\".*/\1/p")
if has "$cpp"; then
  headers=$(echo | "$cpp" -E -v - 2>&1 | sed -n "/^#include </,/^End of/s|^ \(.*\)|-isystem \1|p" | sed "s/$host/$target/g")
  wrapper haskell-cpp "/native$(real "$cpp") $(echo "$headers" | tr "\n" " ")"
fi
for name in ar ranlib strip nm objcopy; do
  program=$(llvm "llvm-$name")
  # ranlib is ar, and strip is objcopy, by another name.
  [ -z "$program" ] || { ln -s "/native$program" "$out/llvm-$name"; wrapper "$name" "$out/llvm-$name"; }
done
if has pkg-config; then
  # The host's would find the host's libraries.
  directories=$(pkg-config --variable pc_path pkg-config | sed "s/$host/$target/g")
  wrapper pkg-config "/native$(real env) PKG_CONFIG_LIBDIR=$directories /native$(real pkg-config)"
fi

for unlit in "$programs/unlit" "$libdir/bin/unlit"; do
  [ ! -x "$unlit" ] || break
done
git_core=$(! has git || git --exec-path)

# What the container of a build does first: sourced by its script, in a shell started by boot/ld.so.
cat > "$out/enter" << END
boot() { tool=\$1; shift; $out/boot/ld.so --library-path $out/boot/lib "$out/boot/\$tool" "\$@"; }
boot mkdir -p ${loader%/*} ${libraries%/*} $private
[ -e $loader ] || boot ln -s /native$loader $loader
[ -z "$libraries" ] || [ -e "$libraries" ] || boot ln -s "/native$libraries" "$libraries"
[ -z "$search_path" ] || echo /native/lib:/native/usr/lib:/native/usr/local/lib > "$search_path"
PATH=$bin:\$PATH CONFIG_SHELL=$bin/sh GIT_EXEC_PATH=/native$git_core HSX_NO_EMULATION=
$(path_of uname) > /dev/null 2>&1 || HSX_NO_EMULATION=yes
export PATH CONFIG_SHELL GIT_EXEC_PATH HSX_NO_EMULATION
# The target's libdir, but for the programs its settings name.
ln -s $libdir/* $private/
rm $private/settings
tool() { [ ! -x "$bin/\$2" ] || printf "%s\n" "/\"\$1\"/s|, \".*\"|, \"$bin/\$2\"|"; }
{
  tool "C compiler command" cc
  tool "C++ compiler command" c++
  tool ".*CPP command" cc
  tool "Haskell CPP command" haskell-cpp
  tool "ld command" ld
  tool "Merge objects command" ld
  tool "ar command" ar
  tool "ranlib command" ranlib
  tool "touch command" touch
  printf "%s\n" "/\"unlit command\"/s|, \".*\"|, \"/native$unlit\"|"
} > $private/edits
sed -f $private/edits $libdir/settings > $private/settings
END
[ -n "$clang" ] && [ -n "$lld" ] || echo "note: C is compiled and linked by emulated tools; with clang, lld and llvm in the image (\`--image-package\`) this would take a fraction of the time"
