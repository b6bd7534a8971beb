//! What the toolchain of `cross` is made of, by the layout of the image.

use crate::world::{Engine, World};

/// Makes the toolchain in the image itself, after something else, and prints what was made.
const MAKE: &str = r#"set -eu
sh -c "$1"
sh -c "$2" hsx aarch64
cd /hsx/cross
# What is in the host's image must be there.
find . -type l -lname "/native/*" | while read -r link; do
  target=$(readlink "$link")
  [ -e "${target#/native}" ] || echo "$link leads nowhere: $target"
done
for file in "$@"; do [ ! -f "$file" ] || { echo "== $file"; cat "$file"; }; done
for link in iserv/*; do echo "$link -> $(readlink "$link")"; done"#;

const CROSS: &str = include_str!("../../../scripts/container/cross.sh");

fn made(world: &World, before: &str) -> String {
    let hello = world.project("hello", Engine::Podman);
    let files = ["enter", "bin/ghc", "bin/ghc-pkg", "bin/cc", "bin/haskell-cpp"];
    let args = ["shell", "-q", "--", "sh", "-c", MAKE, "hsx", before, CROSS];
    let outcome = hello.hsx_command(&[&args[..], &files].concat()).run();
    outcome.exits(0);
    assert!(!outcome.stdout.contains("leads nowhere"), "{outcome}");
    outcome.stdout
}

#[test]
fn everything_that_is_linked_to_is_in_debians_image() {
    let made = made(&World::shared(), "true");
    assert!(made.contains(" --target=aarch64-linux-gnu "), "{made}");
}

#[test]
fn ghc_musls_layout_is_understood() {
    let made = made(&World::shared(), include_str!("../fakes/ghc-musl"));
    for line in [
        "#!/native/usr/bin/busybox sh",
        "[ -e /lib/ld-musl-x86_64.so.1 ] || boot ln -s /native/lib/ld-musl-x86_64.so.1 /lib/ld-musl-x86_64.so.1",
        "[ -z \"/etc/ld-musl-x86_64.path\" ] || \
         echo /native/lib:/native/usr/lib:/native/usr/local/lib > \"/etc/ld-musl-x86_64.path\"",
        "ln -s /usr/local/lib/ghc-9.12.2/lib/* /hsx/ghc/lib/",
        "exec /native/usr/local/lib/ghc-9.12.2/bin/ghc-9.12.2 -B/hsx/ghc/lib -fexternal-interpreter \
         -pgmi /hsx/cross/iserv/ghc-iserv \"$@\"",
        "exec /native/usr/local/lib/ghc-9.12.2/bin/ghc-pkg-9.12.2 --global-package-db /hsx/ghc/lib/package.conf.d \"$@\"",
        "exec /native/usr/lib/llvm20/bin/clang-20 --target=aarch64-alpine-linux-musl --sysroot=/ --gcc-toolchain=/usr \
         -fuse-ld=/hsx/cross/ld.lld -Wno-unused-command-line-argument \"$@\"",
        "exec /native/usr/local/bin/gcc -isystem /usr/lib/gcc/aarch64-alpine-linux-musl/15/include -isystem /usr/include  \
         \"$@\"",
        "iserv/ghc-iserv -> /usr/local/lib/ghc-9.12.2/bin/ghc-iserv-dyn-ghc-9.12.2",
    ] {
        assert!(made.lines().any(|found| found == line), "nothing is {line}\n{made}");
    }
}
