# cabal's home, which every container makes anew; sourced before a script that starts cabal in a project.

# The names of the remote repositories that the project names. A repository in a directory needs no update.
own_repositories() {
  sed -n "/^repository[[:blank:]]/{s///;s/[[:blank:]]//g;h;}; /^[[:blank:]]*url:/{/file+noindex/!{x;/./p;};}" \
    cabal.project cabal.project.local 2> /dev/null || :
}

# What cabal reads as its configuration, and the programs that it finds, must not come from the build of another project.
# So HOME and CABAL_DIR are this container's own, and the configuration is copied from a volume that no build can write.
# The package index is in that volume too. Downloads go to the build directory: they are the project's own.
make_home() {
  mkdir -p "$HOME" "$CABAL_DIR" /hsx/build/packages
  [ -e "$CABAL_DIR/packages" ] || ln -s /hsx/build/packages "$CABAL_DIR/packages"
  [ -e "$CABAL_DIR/config" ] || [ ! -e /hsx/index/config ] || cp /hsx/index/config "$CABAL_DIR/config"
  own=" $(own_repositories | tr "\n" " ")"
  for repository in /hsx/index/packages/*; do
    name=${repository##*/}
    dir=/hsx/build/packages/$name
    [ -d "$repository" ] || continue
    case $own in
      # The project gives the name to a repository of its own.
      *" $name "*) find "$dir" -maxdepth 1 -type l -exec rm {} + 2> /dev/null || : ;;
      *)
        mkdir -p "$dir"
        ln -s -f "$repository"/* "$dir/"
        ;;
    esac
  done
}
