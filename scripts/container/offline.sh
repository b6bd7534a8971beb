# What a build needs where it has no network; sourced before a script that builds.

# cabal downloads what a project file imports from elsewhere each time that it starts, unless a server says that it has not
# changed. Nothing but the download of the fetch phase can be meant here: it says so.
without_network() {
  imports=$(sed -n "s/^[[:blank:]]*import:[[:blank:]]*\(https*:.*\)/\1/p" cabal.project cabal.project.local 2> /dev/null || :)
  [ -n "$imports$(find /hsx/build/cache /hsx/build/*/cache -name "http*:*" 2> /dev/null)" ] || return 0
  mkdir -p /hsx/offline
  printf "%s\n" "#!$(command -v sh)" "for word do
  case \$word in
    http:* | https:*)
      name=\$(printf %s \"\$word\" | tr / _)
      for cache in /hsx/build/cache /hsx/build/*/cache; do
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
}
