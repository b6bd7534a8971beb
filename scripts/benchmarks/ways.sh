# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used in the other files, and the other way round
# The ways to build, how they are timed, and how figures are written. Sourced by scripts/bench.

# ---- Ways. hyperfine runs these in shells of its own.

# What the scripts do that hsx replaces.
by_hand() { # PLATFORM
  local out=$work/by-hand image=image_${1#*/}
  mkdir "$out"
  "$engine" run --name "$id" --init --pull=never --platform "$1" --security-opt label=disable --label "hsx.bench=$work" \
    --volume "$project:/src:ro" --workdir /src "${!image}" sh -ec '
      cabal update --builddir=/build
      cabal build --builddir=/build --enable-executable-static all:exes
      mkdir /out
      find /build/build -path "*/x/*" -type f -perm -100 -exec cp {} /out \;
      strip /out/*'
  "$engine" cp "$id:/out/." "$out"
  upx "$out"/*
  "$engine" rm "$id"
  rm -r "$out"
}

# The command line of hsx, quoted; what it keeps beside the engine's is this run's.
hsx_command() { # PLATFORMS ARG…
  local home=$work/home
  printf '%q ' env "XDG_STATE_HOME=$home/state" "XDG_CACHE_HOME=$home/cache" "XDG_CONFIG_HOME=$home/config" \
    "$hsx" static --directory "$project" --engine "$engine" --image "$tag" --platform "$@"
}

hsx_static() { # PLATFORMS ARG…
  eval "$(hsx_command "$@")"
}

# Takes the builds alone from hsx's plan: one container a platform, each in a file; what is written there goes with it.
plan_bare() { # PLATFORMS
  rm -rf "$work/bare"
  mkdir "$work/bare"
  hsx_static "$1" --force --dry-run | awk -v engine="$engine" -v dir="$work/bare" '
    /^# linux\/[a-z0-9]+: / { file = dir "/" substr($2, 7, length($2) - 7) }
    index($0, engine " run --name ") == 1 { is_build = sub(/ --name [^ ]*-build /, " --rm&") }
    index($0, engine " cp ") == 1 { is_build = 0 }
    is_build { print > file }'
}

bare() { # PLATFORMS
  local platform builds=()
  for platform in ${1//,/ }; do
    bash "$work/bare/${platform#*/}" &
    builds+=($!)
  done
  for platform in "${builds[@]}"; do wait "$platform"; done
}

edit() { # differently each time
  sed -i "s/Rolls [^\"]*/Rolls dice $(date +%s%N)/" "$edited"
}

# What hsx keeps, but for images with packages: all of it is this run's.
forget() {
  local image
  for image in "$image_amd64" "$image_arm64" $(derived "$image_amd64") $(derived "$image_arm64"); do
    "$engine" volume ls --quiet --filter "label=hsx.image=$image" | xargs --no-run-if-empty "$engine" volume rm
  done
  rm -rf "${work:?}/home" "$project/dist-static"
}

derived() { # IMAGE: those that hsx has made from it
  "$engine" images --filter "label=hsx.image=$1" --format '{{.Repository}}:{{.Tag}}'
}

# ---- Measuring

# Runs each way as often, one after the other, so that a slow minute of the machine meets them all; every other time in
# reverse order, for who begins may have to read the image from the disk.
compare() { # ROUNDS (NAME PREPARATION COMMAND)…
  local rounds=$1 round n way ways
  shift
  export engine hsx work id project edited tag image_amd64 image_arm64
  export -f by_hand hsx_command hsx_static bare edit forget derived logged
  for ((round = 1; round <= rounds; round++)); do
    say "$1: round $round of $rounds"
    ways=()
    for ((n = 1; n < $#; n += 3)); do
      way=(--command-name "${*:n:1}" --prepare "logged ${*:n+1:1}" "logged ${*:n+2:1}")
      if ((round % 2)); then ways+=("${way[@]}"); else ways=("${way[@]}" "${ways[@]}"); fi
    done
    timed --runs 1 --shell 'bash -eu -o pipefail' "${ways[@]}"
  done
}

# Runs what takes milliseconds, without a shell and many times.
swiftly() { # NAME COMMAND
  say "$1"
  timed --runs $((20 * runs)) --warmup 5 --shell none --command-name "$1" "$2"
}

# In a session of its own, for clean_up to end all of it.
timed() { # HYPERFINE-ARG…
  setsid hyperfine --style none --export-json "$work/new" "$@" </dev/null >"$work/hyperfine.log" 2>&1 &
  job=$!
  wait "$job" || { job='' && cat "$work/log" "$work/hyperfine.log" >&2; die "a build failed"; }
  job=
  mv "$work/new" "$(mktemp "$work/times/XXXXXX")"
}

logged() {
  "$@" >"$work/log" 2>&1
}

# The most memory that hsx itself had in a build, in bytes; its children do not count. Looked at every few milliseconds.
peak_of() { # PLATFORMS
  local kib peak=0
  eval "exec setsid $(hsx_command "$1")" </dev/null >"$work/log" 2>&1 &
  job=$!
  while kib=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$job/status" 2>/dev/null) && [ -n "$kib" ]; do
    peak=$kib
    sleep 0.005
  done
  wait "$job" || { job='' && cat "$work/log" >&2; die "a build failed"; }
  job=
  echo $((peak * 1024))
}

# The same where hsx starts nothing and ends at once.
peak_of_childless() { # PLATFORMS
  eval "/usr/bin/time --format %M --output $work/peak $(hsx_command "$1")" >"$work/log" 2>&1
  echo $(($(cat "$work/peak") * 1024))
}

# ---- Figures. A dash stands for what was not measured.

median() { # NAME: seconds
  jq --slurp --raw-output --arg name "$1" '
    map(.results[] | select(.command == $name) | .times[]) | sort
    | if . == [] then "–" else (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2 end' "$work"/times/*
}

figure() { # AWK-EXPRESSION NUMBER…: as a[1], a[2]; in three digits
  awk 'BEGIN {
    for (n = 1; n < ARGC; n++) { a[n] = ARGV[n]; if (a[n] == "–") { print "–"; exit } }
    x = '"$1"'
    size = x < 0 ? -x : x
    printf size < 1 ? "%.3f\n" : size < 10 ? "%.2f\n" : "%.1f\n", x
  }' "${@:2}"
}

seconds() { figure 'a[1]' "$1"; }
milliseconds() { figure 'a[1] * 1000' "$1"; }
mebibytes() { echo "$(figure 'a[1] / 1048576' "$1") MiB"; }
minus() { figure 'a[1] - a[2]' "$1" "$2"; }
times() { echo "× $(figure 'a[1] / a[2]' "$1" "$2")" | sed 's/^× –$/–/'; }

row() { # CELL…
  printf '|'
  printf ' %s |' "$@"
  printf '\n'
}
