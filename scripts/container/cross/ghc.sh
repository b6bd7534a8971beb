# ghc: GHC and the programs around it, as scripts in bin/ that start the host's on the target's libdir; the target's
# interpreter for Template Haskell; cabal.
#
# By hand: ghc-VERSION -B/hsx/ghc/lib -fexternal-interpreter -pgmi iserv/ghc-iserv -pgma bin/as, ghc-pkg with
# --global-package-db, hsc2hs with the target's template, the others with -B or -f. enter.sh makes /hsx/ghc/lib.

version=$(ghc --numeric-version)
libdir=$(ghc --print-libdir)
# A bindist of hadrian's (GHC 9.4 and later) has its programs beside the libdir, with the version in their names; a
# make-based one in the libdir, without it, and scripts that start them beside it.
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
# Template Haskell runs in the target's interpreter. The dynamic one, where there is one: the linker of the static run-time
# system cannot do all relocations on aarch64 (GHC #24432). GHC adds "-prof" or "-dyn" to its name.
mkdir "$out/iserv"
for flavour in "" -dyn -prof; do
  iserv=$(ghc_program "ghc-iserv${flavour:--dyn}" || ghc_program "ghc-iserv$flavour" || :)
  [ -z "$iserv" ] || ln -s "$iserv" "$out/iserv/ghc-iserv$flavour"
done
[ -e "$out/iserv/ghc-iserv" ] || cannot "the image has no external interpreter (ghc-iserv), which GHC $version would run Template Haskell in"
private=/hsx/ghc/lib
start="/native$ghc_itself -B$private -fexternal-interpreter -pgmi $out/iserv/ghc-iserv"
[ -z "$assembler" ] || start="$start -pgma $assembler"
# That interpreter loads static code only. To cabal this says so, and keeps it from compiling all modules twice.
wrapper ghc "$start" "[ \"\$1\" != --info ] || { $start --info | sed \"/GHC Dynamic/s/YES/NO/\"; exit; }"
ghc_wrapper() { # NAME ARGUMENTS [FIRST]
  program=$(ghc_program "$1" || real "$1" || :)
  [ -z "$program" ] || wrapper "$1" "/native$program $2" "${3-}"
}
ghc_wrapper ghc-pkg "--global-package-db $private/package.conf.d"
# cabal, a native program here, takes this for a cross build and says -x; but then hsc2hs can do less, and what it compiles
# does run here.
template=$libdir/template-hsc.h
ghc_wrapper hsc2hs "--template=$template -I$libdir/include" "[ -n \"\$HSX_NO_EMULATION\" ] || { [ \"\$1\" != -x ] || shift; }"
# cabal asks each of these for its version before it builds anything: seconds, under emulation.
ghc_wrapper haddock "-B$private"
ghc_wrapper hpc ""
ghc_wrapper runghc "-f $bin/ghc"
for unlit in "$libdir/../bin/unlit" "$libdir/bin/unlit"; do
  [ ! -x "$unlit" ] || break
done
unlit=$(readlink -f "$unlit")
wrapper cabal "/native$(real cabal) --store-dir=$store"
