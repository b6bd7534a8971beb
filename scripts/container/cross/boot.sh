# boot: the programs that start in the target's container before the host's loader is in its place there. They are
# started through the loader: boot/ld.so --library-path boot/lib boot/sh. A shell, ln and mkdir are enough to put it in
# its place.
#
# By hand: copy the loader that `ldd` names for the shell, the three programs, and the libraries that `ldd` lists. From
# here on the loader itself is asked ("--list"): `ldd` is a script that starts more programs.

loader=$(ldd "$host_shell" | grep -o "/[^ ]*/ld-[^ ]*" | head -n 1)
[ -n "$loader" ] || cannot "the shell of the image has no dynamic loader to learn from"
libraries_of() { # PROGRAM
  "$loader" --list "$1" 2> /dev/null | while read -r _ arrow library _; do
    case $arrow$library in "=>/"*) echo "$library" ;; esac
  done
}
programs="" needed=""
for tool in sh ln mkdir; do
  has "$tool"
  programs="$programs $found"
  for library in $(libraries_of "$found"); do
    case " $needed " in *" $library "*) ;; *) needed="$needed $library" ;; esac
  done
done
# shellcheck disable=SC2086 # words
cp $programs "$out/boot/"
# shellcheck disable=SC2086
cp $needed "$out/boot/lib/"
cp "$loader" "$out/boot/ld.so"
case $loader in
  # musl reads one search path for all programs from a file. Each architecture has a file of its own.
  */ld-musl-*) libraries="" search_path=/etc/$(basename "$loader" .so.1).path ;;
  *)
    libraries="" search_path=""
    for library in $needed; do
      case $library in */libc.so*) libraries=${library%/*} ;; esac
    done
    ;;
esac
