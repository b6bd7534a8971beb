# What a build needs where it has no network; sourced before a script that builds.

# cabal downloads the URLs that a project file imports each time it starts, unless a server says that they have not
# changed. Here a curl of hsx's own says so for everything that the fetch phase has downloaded.
without_network() {
  imports=$(sed -n "s/^[[:blank:]]*import:[[:blank:]]*\(https*:.*\)/\1/p" cabal.project cabal.project.local 2> /dev/null || :)
  [ -n "$imports$(find /hsx/build/src /hsx/build/*/src -maxdepth 1 -name "http*:*" 2> /dev/null)" ] || return 0
  mkdir -p /hsx/offline
  printf "%s\n" "#!$(command -v sh)" "for word do
  case \$word in
    http:* | https:*)
      name=\$(printf %s \"\$word\" | tr / _)
      for cache in /hsx/build/src /hsx/build/*/src; do
        [ ! -e \"\$cache/\$name\" ] || { printf 304; exit 0; }
      done
      ;;
  esac
done
echo \"hsx: there is no network in the build phase\" >&2
exit 6" > /hsx/offline/curl
  chmod 755 /hsx/offline/curl
  PATH=/hsx/offline:$PATH
  export PATH
  # cabal uses curl for "http:" only if it is told to.
  # shellcheck disable=SC2317 # the script that sources this calls it
  cabal() { command cabal --http-transport=curl "$@"; }
}
