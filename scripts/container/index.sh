# The package index, which lives in the volume with the store; sourced before a script that needs it, with network.
updated=$CABAL_DIR/hsx-index-updated

update() {
  # This runs in the project, whose files may name repositories. The build directory is given because the source is
  # read-only.
  cabal update --builddir=/hsx/build && date -u +%Y-%m-%dT%H:%M:%SZ > "$updated"
}

# Whether the project names a repository that the projects before it did not.
knows_another_repository() {
  names=$(sed -n "s/^repository[[:blank:]]*//p" cabal.project cabal.project.local 2> /dev/null || :)
  for name in $names; do
    # The directory of a repository of local files has a suffix after its name.
    set -- "$CABAL_DIR/packages/$name"*
    [ -e "$1" ] || return 0
  done
  return 1
}

is_missing_or_older_than() { # INDEX-STATE
  [ ! -e "$updated" ] || expr "$1" \> "$(cat "$updated")" > /dev/null || knows_another_repository
}

is_just_updated() {
  [ -n "$(find "$updated" -mmin -10 2> /dev/null)" ]
}
