# Makes a copy of the project out of links. There cabal may write a freeze file, and does not see the existing one.
copy() { # TOP BELOW TO: the project is at TOP/BELOW, and all that it needs is below TOP
  copy_from=$1 copy_below=$2 copy_to=$3
  while :; do
    mkdir -p "$copy_to"
    # The directory that leads to the project is made; everything else is linked.
    copy_next=${copy_below%%/*}
    for copy_entry in "$copy_from"/* "$copy_from"/.[!.]*; do
      case ${copy_entry##*/} in
        "$copy_next" | cabal.project.freeze | dist-newstyle) ;;
        *) [ ! -e "$copy_entry" ] || ln -s "$copy_entry" "$copy_to/" ;;
      esac
    done
    [ -n "$copy_next" ] || return 0
    copy_from=$copy_from/$copy_next copy_to=$copy_to/$copy_next
    case $copy_below in
      */*) copy_below=${copy_below#*/} ;;
      *) copy_below="" ;;
    esac
  done
}
