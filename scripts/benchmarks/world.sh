# shellcheck shell=bash disable=SC2034,SC2154 # what is set here is used in the other files, and the other way round
# What scripts/bench works on: hsx, projects, builder images of its own; and what becomes of them. Sourced by it.

ghc=9.6.6
repository=127.0.0.1:5000/ghc-musl

say() { echo "bench: $*" >&2; }
die() { say "$*"; exit 1; }

is_standin() { [ "$image" = $repository:$ghc ]; }

set_up() {
  # shellcheck source=scripts/caller.sh
  . scripts/caller.sh
  scripts/as-root scripts/setup-host
  image=$(scripts/as-root scripts/builder-images $ghc):$ghc
  cargo build --release --locked
  hsx=$(realpath "${CARGO_TARGET_DIR:-target}/release/hsx")
  work=$(mktemp --directory "${TMPDIR:-/tmp}/hsx-bench-XXXXXX")
  id=${work##*/} tag=$repository:${work##*/} image_amd64='' image_arm64='' job=''
  trap clean_up EXIT
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
  mkdir "$work/times" "$work/home"
  make_images
}

# Makes a project the one that is built, and edited, from now on.
plant() { # NAME
  project=$work/$1
  case $1 in
    dice) edited=$project/dice/app/Main.hs ;;
    grove) edited=$project/src/Tree18.hs ;;
  esac
  [ ! -e "$project" ] || return 0
  case $1 in
    dice) cp -a tests/projects/dice "$project" ;;
    grove) plant_grove ;;
    files-*) plant_files "${1#files-}" ;;
  esac
  git -C "$project" init --quiet
  git -C "$project" add --all
  git -C "$project" -c user.name=bench -c user.email=bench@example.org commit --quiet --message "The project"
}

# A few dozen modules of what people write most: records with instances. Each imports the two before it.
plant_grove() {
  local n name imports types
  mkdir -p "$project/src"
  for n in {1..36}; do
    name=$(printf 'Tree%02d' "$n") imports='' types=''
    for before in $((n - 2)) $((n - 1)); do
      [ $before -lt 1 ] || imports+=$(printf 'import qualified Tree%02d' $before)$'\n'
    done
    for type in Root Trunk Branch; do
      types+="data $type = $type { name$type :: String, age$type :: Int, size$type :: Double, kin$type :: [$type] }
  | No$type
  deriving (Show, Read, Eq, Ord, Generic)
"
    done
    cat >"$project/src/$name.hs" <<END
{-# LANGUAGE DeriveGeneric #-}
module $name where

import Data.List (sortOn)
import GHC.Generics (Generic)
$imports
$types
{-# NOINLINE greeting #-}
greeting :: String
greeting = "Rolls of bark"

oldest :: [Trunk] -> [String]
oldest trunks = take 3 (map nameTrunk (sortOn (negate . ageTrunk) [trunk | trunk@Trunk {} <- trunks]))
END
  done
  describe_package grove "$(printf 'Tree%02d ' {1..36})"
  printf '%s\n' 'module Main (main) where' 'import Tree36' 'main :: IO ()' 'main = putStrLn greeting >> print (oldest [])' \
    >"$project/src/Main.hs"
}

# Files that nothing imports: they cost hsx as much as others, and cabal nothing.
plant_files() { # COUNT
  local n part
  for ((n = 0; n < $1 - 2; n++)); do
    part=Part$((n / 100))
    ((n % 100)) || mkdir -p "$project/src/$part"
    printf 'module %s.Leaf%d where\n\nleaf :: Int\nleaf = %d\n' "$part" "$n" "$n" >"$project/src/$part/Leaf$n.hs"
  done
  describe_package leaves ''
  printf '%s\n' 'module Main (main) where' 'main :: IO ()' 'main = putStrLn "Leaves"' >"$project/src/Main.hs"
}

describe_package() { # NAME OTHER-MODULES
  cat >"$project/$1.cabal" <<END
cabal-version: 3.0
name:          $1
version:       0.1

executable $1
  default-language: Haskell2010
  hs-source-dirs:   src
  main-is:          Main.hs
  other-modules:    $2
  build-depends:    base
END
}

# The builder images under a tag of our own, each with one more label. So they have digests of their own, and hsx, which
# names package stores by digest, makes stores of their own: these can be removed for a build from scratch, and nobody
# else's is touched. No layer is copied: the registry and the engines have them already.
make_images() {
  local dir=$work/image arch child config manifest platform image_ref
  # The real images' layers are not in this registry yet.
  is_standin || skopeo copy --quiet --all "docker://$image" "docker://$tag"
  mkdir "$dir"
  echo 'Directory Transport Version: 1.1' >"$dir/version"
  skopeo inspect --raw "docker://$image" |
    jq '.manifests |= map(select(.platform.architecture | IN("amd64", "arm64")))' >"$dir/index"
  for arch in amd64 arm64; do
    child=$(jq --raw-output ".manifests[] | select(.platform.architecture == \"$arch\").digest" "$dir/index")
    child=${image%:*}@$child
    config=$(skopeo inspect --raw --config "docker://$child" |
      jq --arg work "$work" '.config.Labels["hsx.bench"] = $work' | add_blob)
    manifest=$(skopeo inspect --raw "docker://$child" | jq ".config += $config" | add_blob .manifest.json)
    jq "(.manifests[] | select(.platform.architecture == \"$arch\")) += $manifest" "$dir/index" >"$dir/new"
    mv "$dir/new" "$dir/index"
    printf -v "image_$arch" %s "$repository@$(jq --raw-output .digest <<<"$manifest")"
  done
  mv "$dir/index" "$dir/manifest.json"
  skopeo copy --quiet --all --preserve-digests "dir:$dir" "docker://$tag"
  for platform in linux/amd64 linux/arm64; do
    image_ref=image_${platform#*/}
    "$engine" pull --quiet --platform "$platform" "${!image_ref}" >/dev/null
  done
}

add_blob() { # [SUFFIX]: makes stdin a file as skopeo's "dir:" wants it; prints its digest and size
  local hex size
  cat >"$work/blob"
  hex=$(sha256sum "$work/blob" | cut -d' ' -f1)
  size=$(stat --format %s "$work/blob")
  mv "$work/blob" "$work/image/$hex${1-}"
  echo "{\"digest\": \"sha256:$hex\", \"size\": $size}"
}

describe_machine() {
  local qemu
  # An entry of the kernel's has any name; its magic ends with the number of the platform. "register" cannot be read.
  qemu=$(grep -ls '^magic .*b700$' /proc/sys/fs/binfmt_misc/* | sed -n 1p || :)
  [ -z "$qemu" ] || qemu=$("$(realpath "$(sed -n 's/^interpreter //p' "$qemu")")" --version | sed -n 1p)
  cat <<END
# How fast hsx is

Made by \`scripts/bench\`: each figure is the median of $runs, but what is emulated from scratch or done by hand is run once.

- $(LC_ALL=C lscpu | sed -n 's/^Model name: *//p'), $(nproc) cores, $(free --gibi | awk '/^Mem:/ { print $2 }') GiB
- Linux $(uname -r), load average before the first build $(cut -d' ' -f1 /proc/loadavg)
- $engine $("$engine" version --format '{{.Server.Version}}')
- ${qemu:-no emulator for linux/arm64}
- GHC $ghc, $(upx --version | sed -n 1p)
- $image, sha256:$(skopeo inspect --raw "docker://$image" | sha256sum | cut -d' ' -f1)
- $("$hsx" --version), commit $(git describe --always --dirty), on $(date +%F)

END
}

clean_up() {
  trap '' HUP INT TERM
  set +e
  if [ -n "$job" ]; then
    say "stopping"
    kill -- "-$job"
    wait "$job"
    # hsx and the engine's client end their containers themselves, if they can.
    timeout 20 sh -c "while kill -0 -- -$job 2>/dev/null; do sleep 0.1; done"
  fi
  {
    for label in "hsx.bench=$work" "hsx.image=$image_amd64" "hsx.image=$image_arm64"; do
      "$engine" ps --all --quiet --filter "label=$label" | xargs --no-run-if-empty "$engine" rm --force --volumes
    done
    forget
    "$engine" images --quiet --filter "label=hsx.bench=$work" | xargs --no-run-if-empty "$engine" image rm
    skopeo delete "docker://$tag"
  } >"$work/log" 2>&1
  rm -rf "$work"
}
