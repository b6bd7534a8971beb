# enter: the first commands in the container of a build. The build's script sources it, in a shell started by
# boot/ld.so.
#
# By hand: link the loader and the libraries to their places, put bin/ first on PATH, and make the private libdir: links to
# everything in the target's libdir, with settings that name the programs of bin/.

git_core=$(! has git || git --exec-path)
cat > "$out/enter" << END_OF_ENTER
boot() { tool=\$1; shift; $out/boot/ld.so --library-path $out/boot/lib "$out/boot/\$tool" "\$@"; }
boot mkdir -p ${loader%/*} ${libraries%/*} $private
[ -e $loader ] || boot ln -s /native$loader $loader
[ -z "$libraries" ] || [ -e "$libraries" ] || boot ln -s "/native$libraries" "$libraries"
[ -z "$search_path" ] || echo /native/lib:/native/usr/lib:/native/usr/local/lib > "$search_path"
PATH=$bin:\$PATH CONFIG_SHELL=$bin/sh GIT_EXEC_PATH=/native$git_core HSX_NO_EMULATION=
$(path_of uname) > /dev/null 2>&1 || HSX_NO_EMULATION=yes
export PATH CONFIG_SHELL GIT_EXEC_PATH HSX_NO_EMULATION
: > $calls
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
END_OF_ENTER
find "$bin" -type f -exec chmod 755 {} +
