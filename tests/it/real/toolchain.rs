//! What the toolchain of `cross` is made of, by the layout of the image.

use crate::real::support::{Engine, Outcome, World, setting};

/// Makes the toolchain in the image itself, after something else, and prints all files that were made.
const MAKE: &str = r#"set -eu
before=$1 make=$2
shift 2
sh -c "$before" hsx "$@"
sh -c "$make" hsx aarch64
cd /hsx/cross
# What is in the host's image must be there.
find . -type l -lname "/native/*" | while read -r link; do
  target=$(readlink "$link")
  [ -e "${target#/native}" ] || echo "$link leads nowhere: $target"
done
for file in enter bin/*; do [ -L "$file" ] || { echo "== $file"; cat "$file"; }; done
for link in iserv/* gnu/*; do [ ! -L "$link" ] || echo "$link -> $(readlink "$link")"; done"#;

const TOOLCHAIN: &str = concat!(
    include_str!("../../../scripts/container/cross/look.sh"),
    include_str!("../../../scripts/container/cross/begin.sh"),
    include_str!("../../../scripts/container/cross/boot.sh"),
    include_str!("../../../scripts/container/cross/tools.sh"),
    include_str!("../../../scripts/container/cross/c.sh"),
    include_str!("../../../scripts/container/cross/ghc.sh"),
    include_str!("../../../scripts/container/cross/enter.sh"),
);

const GHC_MUSL: &str = include_str!("../fakes/ghc-musl");

fn make(world: &World, before: &str, variants: &str) -> Outcome {
    let hello = world.project("hello", Engine::Podman);
    let args = ["shell", "-q", "--", "sh", "-c", MAKE, "hsx", before, TOOLCHAIN];
    let variants: Vec<_> = variants.split_whitespace().collect();
    hello.hsx_command(&[&args[..], &variants].concat()).run()
}

/// What is made in an image that is laid out like ghc-musl's, but for the variants.
#[track_caller]
fn made(world: &World, variants: &str) -> Made {
    let outcome = make(world, GHC_MUSL, variants);
    outcome.exits(0);
    assert!(!outcome.stdout.contains("leads nowhere"), "{outcome}");
    Made(outcome)
}

struct Made(Outcome);

impl Made {
    #[track_caller]
    fn has(self, lines: &[&str]) -> Self {
        for line in lines {
            assert!(self.0.stdout.lines().any(|found| found == *line), "nothing is {line}\n{}", self.0);
        }
        self
    }

    #[track_caller]
    fn has_no(self, text: &str) -> Self {
        assert!(!self.0.stdout.contains(text), "something is {text}\n{}", self.0);
        self
    }
}

#[test]
fn everything_that_is_linked_to_is_in_debians_image() {
    let outcome = make(&World::shared(), "true", "");
    outcome.exits(0);
    assert!(!outcome.stdout.contains("leads nowhere"), "{outcome}");
    assert!(outcome.stdout.contains(" --target=aarch64-linux-gnu "), "{outcome}");
}

#[test]
fn ghc_musls_layout_is_understood() {
    made(&World::shared(), "").has(&[
        "#!/native/usr/bin/busybox sh",
        "[ -e /lib/ld-musl-x86_64.so.1 ] || boot ln -s /native/lib/ld-musl-x86_64.so.1 /lib/ld-musl-x86_64.so.1",
        "[ -z \"/etc/ld-musl-x86_64.path\" ] || \
         echo /native/lib:/native/usr/lib:/native/usr/local/lib > \"/etc/ld-musl-x86_64.path\"",
        "ln -s /usr/local/lib/ghc-9.12.2/lib/* /hsx/ghc/lib/",
        "exec /native/usr/local/lib/ghc-9.12.2/bin/ghc-9.12.2 -B/hsx/ghc/lib -fexternal-interpreter \
         -pgmi /hsx/cross/iserv/ghc-iserv \"$@\"",
        "exec /native/usr/local/lib/ghc-9.12.2/bin/ghc-pkg-9.12.2 --global-package-db /hsx/ghc/lib/package.conf.d \"$@\"",
        // LLVM's libraries are found before those that its RPATH names, and by it alone.
        "(export LD_LIBRARY_PATH=/native/usr/lib/llvm20/lib; exec /native/usr/lib/llvm20/bin/clang-20 \
         --target=aarch64-alpine-linux-musl --sysroot=/ --gcc-toolchain=/usr -Wno-unused-command-line-argument \
         -fuse-ld=/hsx/cross/ld.lld -Wno-fuse-ld-path \"$@\") && exit",
        "exec /native/usr/local/bin/gcc -isystem /usr/lib/gcc/aarch64-alpine-linux-musl/15/include -isystem /usr/include  \
         \"$@\"",
        "iserv/ghc-iserv -> /usr/local/lib/ghc-9.12.2/bin/ghc-iserv-dyn-ghc-9.12.2",
        "note: modules are assembled by clang-20, which is slower than GNU's assembler, for want of binutils for aarch64. \
         `--pull` adds what the distribution has, where there is a network; `native-packages` in `[image]` names more",
    ]);
}

#[test]
fn a_make_based_ghc_has_its_programs_in_the_libdir() {
    made(&World::shared(), "make-based llvm-16").has(&[
        "exec /native/usr/local/lib/ghc-9.2.8/bin/ghc -B/hsx/ghc/lib -fexternal-interpreter \
         -pgmi /hsx/cross/iserv/ghc-iserv -pgma /hsx/cross/bin/as \"$@\"",
        "exec /native/usr/local/lib/ghc-9.2.8/bin/ghc-pkg --global-package-db /hsx/ghc/lib/package.conf.d \"$@\"",
        "iserv/ghc-iserv -> /usr/local/lib/ghc-9.2.8/bin/ghc-iserv-dyn",
        "  printf \"%s\\n\" \"/\\\"unlit command\\\"/s|, \\\".*\\\"|, \\\"/native/usr/local/lib/ghc-9.2.8/bin/unlit\\\"|\"",
    ]);
}

#[test]
fn without_clang_and_lld_modules_are_assembled_natively_all_the_same() {
    made(&World::shared(), "llvm-16")
        .has(&[
            "  exec /native/usr/lib/llvm16/bin/llvm-mc --triple=aarch64-alpine-linux-musl --filetype=obj \"$@\"",
            "/usr/local/bin/gcc \"$@\" || exit",
            "note: C is compiled and linked by the target's own compiler, emulated, for want of clang; modules are \
             assembled by llvm-mc, which is slower than GNU's assembler, for want of binutils for aarch64. `--pull` adds \
             what the distribution has, where there is a network; `native-packages` in `[image]` names more",
        ])
        .has_no("== bin/ld\n");
}

#[test]
fn the_targets_own_compiler_may_be_called_cc() {
    made(&World::shared(), "llvm-16 no-gcc").has(&["/usr/local/bin/cc \"$@\" || exit"]).has_no("gcc \"$@\"");
}

#[test]
fn gnus_assembler_and_linker_come_first() {
    let world = World::shared();
    made(&world, "binutils")
        .has(&[
            "  exec /native/usr/bin/aarch64-alpine-linux-musl-as \"$@\"",
            "gnu/ld -> /native/usr/bin/aarch64-alpine-linux-musl-ld",
            "exec /hsx/cross/gnu/ld \"$@\"",
            "exec /native/usr/bin/aarch64-alpine-linux-musl-strip \"$@\"",
        ])
        .has_no("note: ");
    // The target's own compiler gets them too.
    made(&world, "binutils llvm-16").has(&["COMPILER_PATH=/hsx/cross/gnu /usr/local/bin/gcc \"$@\" || exit"]);
    // A clang that needs no libraries of its own.
    made(&world, "static-clang").has_no("(;").has_no("(export");
}

#[test]
fn of_many_toolchains_the_right_and_newest_is_taken() {
    made(&World::shared(), "many absolute")
        .has(&[
            "exec /native/usr/local/bin/gcc -isystem /usr/lib/gcc/aarch64-alpine-linux-musl/15/include -isystem \
             /usr/include  \"$@\"",
            "  exec /native/usr/lib/llvm16/bin/llvm-mc --triple=aarch64-alpine-linux-musl --filetype=obj \"$@\"",
        ])
        .has_no("llvm9/")
        .has_no("clang-16")
        .has_no("-elf");
}

#[test]
fn what_does_not_work_counts_as_missing() {
    let world = World::shared();
    made(&world, "broken-clang").has(&["/usr/local/bin/gcc \"$@\" || exit"]).has_no("/native/usr/lib/llvm20/bin/clang");
    made(&world, "lld-only").has(&["exec /hsx/cross/ld.lld \"$@\"", "/usr/local/bin/gcc \"$@\" || exit"]);
}

#[test]
fn a_ghc_without_interpreter_or_settings_says_so() {
    let world = World::shared();
    for (variant, reason) in [
        (
            "no-iserv",
            "cross: the image has no external interpreter (ghc-iserv), which GHC 9.12.2 would run Template Haskell in",
        ),
        (
            "no-settings",
            "cross: GHC 9.12.2 takes its tools from elsewhere than /usr/local/lib/ghc-9.12.2/lib/settings, \
         which hsx cannot rewrite yet",
        ),
    ] {
        let outcome = make(&world, GHC_MUSL, variant);
        outcome.exits(102);
        assert!(outcome.stdout.lines().any(|line| line == reason), "{outcome}");
    }
}

const ADD_TO_IMAGE: &str = concat!(
    include_str!("../../../scripts/container/cross/look.sh"),
    include_str!("../../../scripts/container/cross/image.sh"),
);

/// An archive that does not answer.
const NO_ARCHIVE: &str = "echo 'deb [trusted=yes] http://127.0.0.1:9/ ./' > /etc/apt/sources.list";

/// Adds to the image what it lacks for arm64, after something else, and tells which assembler there is then. In a container as
/// podman starts it: package managers need rights that builds do not have.
fn add(before: &str, packages: &[&str]) -> std::process::Output {
    let script = "exec 2>&1; set -eu; eval \"$1\"; add=$2; shift 2; sh -c \"$add\" hsx aarch64 \"$@\"; ls /usr/bin/aarch64-linux-gnu-as";
    let image = format!("{}:9.6.6", setting("HSX_TEST_IMAGE").expect("`scripts/test` sets it"));
    let mut podman = Engine::Podman.command("podman");
    podman.args(["run", "--rm", "--platform", "linux/amd64", "--network", "none", "--entrypoint", "/bin/sh", &image]);
    podman.args(["-c", script, "hsx", before, ADD_TO_IMAGE]).args(packages).output().unwrap()
}

#[test]
fn what_the_hosts_image_lacks_is_added_where_it_is_to_be_had() {
    let _world = World::shared();
    let said = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    let added = add("true", &["libbz2-dev"]);
    assert!(added.status.success() && said(&added).ends_with("/usr/bin/aarch64-linux-gnu-as\n"), "{added:?}");

    let without = add(NO_ARCHIVE, &[]);
    assert!(said(&without).contains("\nhsx: binutils-aarch64-linux-gnu cannot be added\n"), "{without:?}");
    let asked_for = add(NO_ARCHIVE, &["libbz2-dev"]);
    assert!(!asked_for.status.success() && !said(&asked_for).contains("cannot be added"), "{asked_for:?}");
}
