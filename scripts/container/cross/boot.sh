# boot: the programs that start in the target's container before the host's loader is in its place there. They are
# started through the loader: boot/ld.so --library-path boot/lib boot/sh. A shell, ln and mkdir are enough to put it in
# its place.
#
# By hand: copy the loader that `ldd` names for the shell, the three programs, and the libraries that `ldd` lists.

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
  # musl reads one search path for all programs from a file. Each architecture has a file of its own.
  */ld-musl-*) libraries="" search_path=/etc/$(basename "$loader" .so.1).path ;;
  *) libraries=$(dirname "$(ldd "$(real sh)" | grep -o "/[^ ]*/libc\.so[^ ]*" | head -n 1)") search_path="" ;;
esac
