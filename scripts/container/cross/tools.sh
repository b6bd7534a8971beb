# tools: links in bin/ to plain programs of the host that builds and configure scripts often start. uname is not one of
# them: its answer must be the target's.
#
# By hand: a link to /native/PATH for each, by its real path: an absolute link in the host's image would lead into the
# target's root.

names="" paths=""
for tool in [ alex awk basename bash cat chmod cmp comm cp cut date diff dirname env expr find git grep gzip happy head \
  install ln ls make mkdir mktemp mv od patch printf readlink rm rmdir sed sh sort tail tar tee test touch tr true \
  uniq wc xargs xz; do
  ! has "$tool" || names="$names $tool" paths="$paths $found"
done
# One process finds all real paths, and one makes all links that are named like what they lead to.
# shellcheck disable=SC2086 # words
paths=$(realpath $paths)
# shellcheck disable=SC2086
set -- $names
alike=""
while read -r path; do
  case $path in
    */"$1") alike="$alike /native$path" ;;
    *) ln -s "/native$path" "$bin/$1" ;;
  esac
  shift
done << END_OF_PATHS
$paths
END_OF_PATHS
# shellcheck disable=SC2086
[ -z "$alike" ] || ln -s $alike "$bin/"
if has pkg-config; then
  # Without this, the host's pkg-config would find the host's libraries.
  directories=$(pkg-config --variable pc_path pkg-config | sed "s/$host/$target/g")
  wrapper pkg-config "/native$(real env) PKG_CONFIG_LIBDIR=$directories /native$(real pkg-config)"
fi
