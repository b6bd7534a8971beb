# c: assembler, linker, C compiler and archiver. For each, the first of these that works is chosen:
#
#   assembler    GNU's for the target; else llvm-mc; else clang; else the target's own, emulated
#   linker       GNU's for the target; else lld
#   C compiler   clang; else the target's own gcc, emulated, with GNU's assembler and linker where they are there
#
# GNU's assembler takes a quarter of clang's time for GHC's output, and makes the same objects as the target's own.
# lld cannot link the static GMP of ghc-musl's regular images (llvm-project#142307); GNU's linker can.
#
# By hand: the commands in the files of bin/ that this makes.

# LLVM's programs find their libraries by an absolute RPATH (Alpine: /usr/lib/llvm20/lib). In the target's root that
# path leads to the target's libraries, and musl's loader would take them. LD_LIBRARY_PATH comes before RPATH. It is set
# for these programs only: an emulated program would get the host's libraries by it.
set_libraries() { # PROGRAM: a command for a script
  directories=""
  for library in $(libraries_of "$1"); do
    library=/native${library%/*}
    case $directories: in *":$library:"*) ;; *) directories=$directories:$library ;; esac
  done
  if [ -n "$directories" ]; then echo "export LD_LIBRARY_PATH=${directories#:}"; else echo :; fi
}

# Compilers look for "ld" and "as" by name, so the links have these names. lld keeps its own name, ld.lld: under another
# name it behaves like another linker.
mkdir "$out/gnu"
[ -z "$gnu_as" ] || ln -s "/native$gnu_as" "$out/gnu/as"
[ -z "$gnu_ld" ] || ln -s "/native$gnu_ld" "$out/gnu/ld"
[ -z "$lld" ] || ln -s "/native$lld" "$out/ld.lld"
linker=""
if [ -n "$gnu_ld" ]; then
  linker=$out/gnu/ld
elif [ -n "$lld" ]; then
  linker=$out/ld.lld
fi
# This file gets a line for each call that the target's own compiler did, emulated: what the call was for, and which
# program could not do it.
calls=/hsx/emulated-calls

# The path of a program in the target's image. The machine in a compiler's name is replaced.
own() { # PROGRAM
  has "$1" && echo "$found" | sed "s/$host/$target/g"
}
# The target's compiler finds the native assembler and linker by COMPILER_PATH. -B would also change where it looks for
# libraries.
with_gnu=""
[ -z "$gnu_as$gnu_ld" ] || with_gnu="COMPILER_PATH=$out/gnu "

# Writes a compiler that runs clang, then the target's own compiler if clang fails. There is no second try if the input
# came from standard input, which cannot be read twice. A call is counted only if the target's own compiler succeeds: if
# both fail, the fault is in the program.
compiler() { # NAME CLANG-COMMAND OWN
  [ -n "$2$3" ] || return 0
  if [ -n "$2" ]; then
    first="($clang_libraries; exec $2 \"\$@\") && exit
status=\$?
[ -z \"\$HSX_NO_EMULATION\" ] || exit \"\$status\"
case \" \$* \" in *\" - \"*) exit \"\$status\" ;; esac
echo \"hsx: clang failed, trying $3 of the target, emulated\" >&2"
  else
    first="[ -z \"\$HSX_NO_EMULATION\" ] || { echo \"hsx: the image has no clang, and $3 would have to run emulated\" >&2; exit 1; }"
  fi
  failed=none linker_failed=none
  [ -z "$2" ] || failed=clang linker_failed=clang
  [ -z "$2" ] || [ -n "$gnu_ld" ] || linker_failed=lld
  echo "#!$shell
$first
$with_gnu${3:-false} \"\$@\" || exit
[ -e $calls ] || exit 0
case \" \$* \" in
  *\" -c \"* | *\" -S \"* | *\" -E \"*) echo compile $failed ;;
  *) echo link $linker_failed ;;
esac >> $calls" > "$bin/$1"
}
clang_command="" clangxx_command="" clang_libraries=""
if [ -n "$clang" ]; then
  clang_libraries=$(set_libraries "$clang")
  options="--target=$triple --sysroot=/ --gcc-toolchain=/usr -Wno-unused-command-line-argument"
  # A later -fuse-ld of the image or the project overrides this one. It would not override --ld-path.
  [ -z "$linker" ] || options="$options -fuse-ld=$linker -Wno-fuse-ld-path"
  clang_command="/native$clang $options" clangxx_command="/native$clang --driver-mode=g++ $options"
  wrapper clang "$clang_command" "$clang_libraries"
  wrapper clang++ "$clangxx_command" "$clang_libraries"
fi
own_cc=$(own gcc || own cc || :) own_cxx=$(own g++ || own c++ || :)
for name in cc gcc "$triple-gcc"; do compiler "$name" "$clang_command" "$own_cc"; done
for name in c++ g++ "$triple-g++"; do compiler "$name" "$clangxx_command" "$own_cxx"; done
if [ -n "$linker" ]; then
  for name in ld "$triple-ld"; do wrapper "$name" "$linker"; done
fi
[ -z "$lld" ] || wrapper ld.lld "$out/ld.lld"

# GHC calls its assembler (-pgma) like a C compiler: "-x assembler -c IN -o OUT". So a script stands between GHC and the
# assembler, and passes all other calls to the C compiler. The options that it drops mean nothing for GHC's output.
assembler="" assemble=""
if [ -n "$gnu_as" ]; then
  assemble="/native$gnu_as"
elif [ -n "$llvm_mc" ]; then
  assemble="/native$llvm_mc --triple=$triple --filetype=obj"
fi
if [ -n "$assemble" ]; then
  assembler=$bin/as
  # Written for speed: it runs once for every module.
  wrapper as "$bin/cc" "assemble() {
  for argument; do
    shift
    case \$argument in
      -x | assembler | -c | -iquote* | -f[Pp][Ii][CcEe] | -fno-[Pp][Ii][CcEe] | -U__PIC__ | -D__PIC__ | -Qunused-arguments | -no-pie) ;;
      -o | -I?* | [!-]*) set -- \"\$@\" \"\$argument\" ;;
      *) return ;;
    esac
  done
  $([ -n "$gnu_as" ] || set_libraries "$llvm_mc")
  exec $assemble \"\$@\"
}
case \" \$* \" in *\" -x assembler -c \"*) assemble \"\$@\" ;; esac"
fi

# Haskell is preprocessed by the same program as on the target: clang treats traditional C differently. With "-undef"
# the program knows nothing of its machine except the directories of its headers, which are replaced here.
cpp=$(info_of "Haskell CPP command")
if has "$cpp"; then
  headers=$(echo | "$cpp" -E -v - 2>&1 | sed -n "/^#include </,/^End of/s|^ \(.*\)|-isystem \1|p" | sed "s/$host/$target/g" | tr "\n" " ")
  wrapper haskell-cpp "/native$(real "$cpp") $headers"
fi

for name in ar ranlib strip nm objcopy; do
  find_gnu "$name"
  [ -z "$found" ] || { wrapper "$name" "/native$found"; continue; }
  find_llvm "llvm-$name"
  # ranlib is ar under another name, and strip is objcopy.
  [ -z "$found" ] || { ln -s "/native$found" "$out/llvm-$name"; wrapper "$name" "$out/llvm-$name" "$(set_libraries "$found")"; }
done

# If the assembler is not the target's own, there is a separate store. Otherwise a package would differ by which
# assembler built it first. The host image's own assembler has the same version as the target's.
store=/hsx/cabal/store
version_of() { "$1" --version 2> /dev/null | grep -o "[0-9][0-9.]*[0-9]" | head -n 1; }
if [ -z "$gnu_as" ]; then
  [ -z "$llvm_mc$clang" ] || store=$store/llvm-$(version_of "${llvm_mc:-$clang}")
elif [ "$(version_of "$gnu_as")" != "$(version_of as)" ]; then
  store=$store/gnu-$(version_of "$gnu_as")
fi

# What is slower than it could be, and what to do about it.
missing=""
[ -n "$clang" ] || missing="C is compiled$([ -n "$linker" ] || echo " and linked") by the target's own compiler, emulated, for want of clang"
if [ -z "$assemble$clang" ]; then
  missing="$missing; modules are assembled by it too, for want of binutils for $target"
elif [ -z "$gnu_as" ]; then
  missing="$missing${missing:+; }modules are assembled by $(basename "${llvm_mc:-$clang}"), which is slower than GNU's assembler, for want of binutils for $target"
fi
[ -z "$missing" ] || note "$missing. \`--pull\` adds what the distribution has, where there is a network; \`native-packages\` in \`[image]\` names more"
