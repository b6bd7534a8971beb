# Package repositories in directories of the project; sourced before a script that starts cabal.

# cabal.project names them by their paths on the host, and cabal writes an index beside the packages. So each path
# becomes a directory of this container, with links to the packages. HSX_REPOSITORIES has a line "PATH=PLACE" for each.
show_repositories() {
  printf "%s\n" "${HSX_REPOSITORIES-}" | while IFS="=" read -r path place; do
    if [ -n "$path" ] && [ ! -e "$path" ]; then
      mkdir -p "$path"
      ln -s "$place"/* "$path/"
    fi
  done
}
