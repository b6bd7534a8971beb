# tools: links in bin/ to plain programs of the host that builds and configure scripts often start. uname is not one of
# them: its answer must be the target's.
#
# By hand: a link to /native/PATH for each, by its real path: an absolute link in the host's image would lead into the
# target's root.

for tool in [ alex awk basename bash cat chmod cmp comm cp cut date diff dirname env expr find git grep gzip happy head \
  install ln ls make mkdir mktemp mv od patch printf readlink rm rmdir sed sh sort tail tar tee test touch tr true \
  uniq wc xargs xz; do
  if has "$tool"; then ln -s "/native$(real "$tool")" "$bin/$tool"; fi
done
if has pkg-config; then
  # Without this, the host's pkg-config would find the host's libraries.
  directories=$(pkg-config --variable pc_path pkg-config | sed "s/$host/$target/g")
  wrapper pkg-config "/native$(real env) PKG_CONFIG_LIBDIR=$directories /native$(real pkg-config)"
fi
