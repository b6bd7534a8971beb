# ghc: scripts in bin/ that start the host's GHC, and the programs around it, with the target's libdir. Also the
# target's interpreter for Template Haskell, and cabal.
#
# By hand: ghc-VERSION -B/hsx/ghc/lib -fexternal-interpreter -pgmi iserv/ghc-iserv -pgma bin/as, ghc-pkg with
# --global-package-db, hsc2hs with the target's template, the others with -B or -f. enter.sh makes /hsx/ghc/lib.

version=$(info_of "Project version")
libdir=$(info_of LibDir)
# A GHC built by hadrian (9.4 and later) has its programs beside the libdir, with the version in their names. One built
# by make has them in the libdir, without the version, and scripts that start them beside it.
ghc_program() { # NAME
  for directory in "$libdir/../bin" "$libdir/bin"; do
    for candidate in "$directory/$1-$version" "$directory/$1-ghc-$version" "$directory/$1"; do
      ! is_elf "$candidate" || { readlink -f "$candidate"; return; }
    done
  done
  return 1
}
ghc_itself=$(ghc_program ghc) || cannot "the image has no ghc-$version that is a program beside its libdir $libdir"
grep -q "\"C compiler command\"" "$libdir/settings" ||
  cannot "GHC $version takes its tools from elsewhere than $libdir/settings, which hsx cannot rewrite yet"
# Template Haskell runs in the target's interpreter. The dynamic interpreter is preferred: the linker of the static
# run-time system cannot do all relocations on aarch64 (GHC #24432). GHC adds "-prof" or "-dyn" to its name.
mkdir "$out/iserv"
for flavour in "" -dyn -prof; do
  iserv=$(ghc_program "ghc-iserv${flavour:--dyn}" || ghc_program "ghc-iserv$flavour" || :)
  [ -z "$iserv" ] || ln -s "$iserv" "$out/iserv/ghc-iserv$flavour"
done
[ -e "$out/iserv/ghc-iserv" ] || cannot "the image has no external interpreter (ghc-iserv), which GHC $version would run Template Haskell in"
private=/hsx/ghc/lib
start="/native$ghc_itself -B$private -fexternal-interpreter -pgmi $out/iserv/ghc-iserv"
[ -z "$assembler" ] || start="$start -pgma $assembler"
# The interpreter loads static code only. "GHC Dynamic: NO" tells cabal so, and keeps it from compiling all modules
# twice.
wrapper ghc "$start" "[ \"\$1\" != --info ] || { $start --info | sed \"/GHC Dynamic/s/YES/NO/\"; exit; }"
ghc_wrapper() { # NAME ARGUMENTS [FIRST]
  program=$(ghc_program "$1" || real "$1" || :)
  [ -z "$program" ] || wrapper "$1" "/native$program $2" "${3-}"
}
ghc_wrapper ghc-pkg "--global-package-db $private/package.conf.d"
# cabal is a native program here, so it takes this for a cross build and adds -x. With -x hsc2hs can do less. Where
# emulation works, -x is dropped, because the programs that hsc2hs compiles do run.
template=$libdir/template-hsc.h
ghc_wrapper hsc2hs "--template=$template -I$libdir/include" "[ -n \"\$HSX_NO_EMULATION\" ] || { [ \"\$1\" != -x ] || shift; }"
# cabal asks each of these for its version before it builds anything. Under emulation that would take seconds. haddock is
# a GHC too: it needs the interpreter for Template Haskell, and the assembler for what it interprets.
ghc_wrapper haddock "-B$private$(for option in ${start#*"-B$private"}; do printf " --optghc=%s" "$option"; done)"
ghc_wrapper hpc ""
for name in runghc runhaskell; do ghc_wrapper "$name" "-f $bin/ghc"; done
for unlit in "$libdir/../bin/unlit" "$libdir/bin/unlit"; do
  [ ! -x "$unlit" ] || break
done
unlit=$(readlink -f "$unlit")
wrapper cabal "/native$(real cabal) --store-dir=$store"
