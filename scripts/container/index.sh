# The package index; sourced before a script that needs it, with network. It is in a volume that all projects share, so it
# is read-only where a project's code may run, and hsx updates it in a container of its own (update.sh).
# The repositories that the project names are updated into its build directory.

now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

is_missing_or_older_than() { # FILE INDEX-STATE
  [ ! -e "$1" ] || expr "$2" \> "$(cat "$1")" > /dev/null
}

is_just_updated() { # FILE
  [ -n "$(find "$1" -mmin -10 2> /dev/null)" ]
}

update_own() { # NAME…
  # This runs in the project. The build directory is given because the source is read-only.
  cabal update --builddir=/hsx/build "$@" && now > /hsx/build/hsx-index-updated
}

has_unknown() { # NAME…
  for name do
    [ -e "/hsx/build/packages/$name" ] || return 0
  done
  return 1
}

# INDEX is "ask" where hsx updates the index if this script asks for it, "new" where it has just done so, and "as-it-is"
# where it cannot.
heed_index() { # INDEX INDEX-STATE
  if is_missing_or_older_than /hsx/index/updated "$2"; then
    case $1 in
      ask) exit 106 ;;
      as-it-is)
        # Everything that is needed may be there: in the image, in the project, or in a repository that answers.
        echo "hsx: the package index could not be updated: going on with the packages that are there"
        ;;
    esac
  fi
  own=$(own_repositories)
  [ -n "$own" ] || return 0
  # shellcheck disable=SC2086 # names
  if is_missing_or_older_than /hsx/build/hsx-index-updated "$2" || has_unknown $own; then
    update_own $own ||
      echo "hsx: the package index of the project's repositories could not be updated: going on with the packages that are there"
  fi
}
