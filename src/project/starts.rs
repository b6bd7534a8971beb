//! What a project may start on the machine that cabal runs on. Its files can name a compiler, commands after a checkout
//! and more, and cabal runs them as the user. hsx runs cabal outside of a container only for `hsx freeze`, and only if
//! nothing is found here. All that is not known to be harmless counts.

use super::fields::{Element, parse, words};

/// Fields that make `cabal freeze` start nothing, whatever their value.
const HARMLESS_FIELDS: &[&str] = &[
    "active-repositories",
    "allow-boot-library-installs",
    "allow-newer",
    "allow-older",
    "benchmarks",
    "constraints",
    "count-conflicts",
    "coverage",
    "debug-info",
    "documentation",
    "executable-dynamic",
    "executable-profiling",
    "executable-static",
    "executable-stripping",
    "extra-include-dirs",
    "extra-lib-dirs",
    "extra-lib-dirs-static",
    "extra-packages",
    "fine-grained-conflicts",
    "flags",
    "import",
    "independent-goals",
    "index-state",
    "jobs",
    "keep-going",
    "library-coverage",
    "library-for-ghci",
    "library-profiling",
    "library-stripping",
    "library-vanilla",
    "max-backjumps",
    "minimize-conflict-set",
    "multi-repl",
    "offline",
    "optimization",
    "optional-packages",
    "packages",
    "prefer-oldest",
    "preferences",
    "profiling",
    "profiling-detail",
    "reject-unconstrained-dependencies",
    "reorder-goals",
    "run-tests",
    "semaphore",
    "shared",
    "split-objs",
    "split-sections",
    "static",
    "strong-flags",
    "test-show-details",
    "tests",
    "verbose",
    "write-ghc-environment-files",
];

/// Arguments that make `cabal freeze` start nothing, up to their value.
const HARMLESS_ARGS: &[&str] = &[
    "--allow-newer",
    "--allow-older",
    "--constraint=",
    "--disable-",
    "--enable-",
    "--flag=",
    "--flags=",
    "--index-state=",
    "--jobs",
    "--keep-going",
    "--max-backjumps=",
    "--minimize-conflict-set",
    "--offline",
    "--prefer-oldest",
    "--preference=",
    "--reorder-goals",
    "--semaphore",
    "--verbose",
    "-O",
    "-f",
    "-j",
    "-v",
];

/// What a project file may start, as people read it; `file` is its name for messages.
pub(crate) fn of_project_file(file: &str, text: &str) -> Vec<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(line) = text.lines().find(|line| !is_plain(line)) {
        return vec![format!("`{}` in {file}, which hsx cannot judge", line.trim())];
    }
    let mut found = Vec::new();
    of_elements(&parse(text), &mut found);
    found.into_iter().map(|found| format!("{found} in {file}")).collect()
}

/// What arguments of the project's for cabal may start.
pub(crate) fn of_cabal_args(args: &[String]) -> Vec<String> {
    let is_harmless = |arg: &str| match arg.split_once('=') {
        Some(("--with-compiler", compiler)) => is_ghc(compiler),
        Some(("--ghc-option" | "--ghc-options", options)) => are_harmless_options(options),
        Some(("--project-file", name)) => !name.contains('/'),
        _ => HARMLESS_ARGS.iter().any(|start| arg.starts_with(start)),
    };
    args.iter().filter(|arg| !is_harmless(arg)).map(|arg| format!("`{arg}` in `cabal-args` of hsx.toml")).collect()
}

/// Whether a file's name is that of a program which cabal looks for. cabal may take a file of the project for it.
pub(crate) fn is_compilers(name: &str) -> bool {
    name.strip_prefix("ghc-pkg").is_some_and(is_version) || is_ghc(name)
}

/// Whether a value names GHC by its bare name, which is looked up on the user's PATH.
fn is_ghc(value: &str) -> bool {
    value.strip_prefix("ghc").is_some_and(is_version)
}

/// Whether what follows a program's name is nothing, or a version.
fn is_version(rest: &str) -> bool {
    rest.is_empty()
        || rest.strip_prefix('-').is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

/// Whether cabal cannot read a line otherwise than hsx does: it has no odd blanks, and braces only in globs.
fn is_plain(line: &str) -> bool {
    let content = line.trim_end_matches('\r').trim_start_matches(' ');
    let has_odd = content.contains(|c: char| c.is_control() && c != '\t') || content.starts_with(char::is_whitespace);
    // Braces within a word are a glob's: `packages: lib/{a,b}`. Those at the beginning of one may open a section.
    let is_glob = |word: &str| {
        let mut depth = 0_i32;
        let balanced = word.chars().all(|c| {
            depth += i32::from(c == '{') - i32::from(c == '}');
            (0..=1).contains(&depth) && !(depth == 1 && c == ':')
        });
        balanced && depth == 0 && !word.starts_with('{')
    };
    let begins_section = ["package", "if", "elif", "else", "repository", "program"]
        .iter()
        .any(|name| content.to_lowercase().starts_with(name))
        && !content.to_lowercase().starts_with("packages");
    let has_braces = content.contains(['{', '}']);
    let braces_are_fine = !begins_section && content.split_whitespace().all(is_glob);
    !has_odd && (content.starts_with("--") || !has_braces || braces_are_fine)
}

fn of_elements(elements: &[Element], found: &mut Vec<String>) {
    for element in elements {
        match element {
            Element::Field { name, value } if !is_harmless(name, value) => found.push(format!("`{name}: {value}`")),
            Element::Field { .. } => {}
            Element::Section { name, argument, elements } => match name.as_str() {
                "if" | "elif" | "else" | "package" | "program-options" => of_elements(elements, found),
                "source-repository-package" if is_plain_repository(elements) => {}
                "repository" if is_far_repository(elements) => {}
                _ => {
                    let fields: Vec<_> = elements.iter().map(shown).collect();
                    let title = format!("{name} {argument}");
                    found.push(format!("`{}` ({})", title.trim(), fields.join(", ")));
                }
            },
        }
    }
}

fn shown(element: &Element) -> String {
    match element {
        Element::Field { name, value } => format!("`{name}: {value}`"),
        Element::Section { name, argument, .. } => format!("`{name} {argument}`"),
    }
}

fn is_harmless(name: &str, value: &str) -> bool {
    match name {
        "with-compiler" => is_ghc(value),
        "compiler" => value == "ghc",
        // What a remote file says, only cabal learns.
        "import" => !value.contains("://") && !value.contains(char::is_whitespace),
        "ghc-options" | "ghc-prof-options" | "ghc-shared-options" => are_harmless_options(value),
        _ => HARMLESS_FIELDS.contains(&name),
    }
}

/// Whether options of GHC start nothing. cabal starts GHC with them while it looks at it.
fn are_harmless_options(value: &str) -> bool {
    let is_harmless = |word: &String| {
        let known = ["-W", "-w", "-O", "-X", "-f", "-g", "-j", "-haddock", "-threaded", "-rtsopts", "-with-rtsopts="];
        known.iter().any(|start| word.starts_with(start)) && !word.starts_with("-fplugin")
    };
    words(value).iter().all(is_harmless)
}

/// Whether a package from git is fetched without anything else: git of the user's goes to another machine.
fn is_plain_repository(elements: &[Element]) -> bool {
    elements.iter().all(|element| match element {
        Element::Field { name, value } => match name.as_str() {
            "type" => value.eq_ignore_ascii_case("git"),
            "location" => {
                let schemes = ["https://", "http://", "git://", "ssh://", "git@"];
                schemes.iter().any(|scheme| value.starts_with(scheme)) && !value.contains(char::is_whitespace)
            }
            "tag" | "branch" | "subdir" => !value.starts_with('-'),
            _ => false,
        },
        Element::Section { .. } => false,
    })
}

/// Whether a package repository is on another machine: of one in a directory, cabal would write the index there.
fn is_far_repository(elements: &[Element]) -> bool {
    elements.iter().all(|element| match element {
        Element::Field { name, value } => match name.as_str() {
            "url" => value.starts_with("https://") || value.starts_with("http://"),
            "secure" | "root-keys" | "key-threshold" => true,
            _ => false,
        },
        Element::Section { .. } => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_project_files_start_nothing() {
        for text in [
            "",
            "\u{feff}packages: .\r\n          ./lib/{a,b}/*.cabal\r\n",
            "packages: . -- all\n-- with-compiler: ./evil {\nwith-compiler: ghc-9.6.6\nindex-state: 2026-01-01T00:00:00Z\n",
            "package *\n  ghc-options: -Wall -O2 -fhide-source-paths \"-with-rtsopts=-N\"\n  documentation: True\n",
            "allow-newer:\n  aeson:base,\n  servant:base\nconstraints: any.text ==2.1, foo +flag\ntests: True\n",
            "if impl(ghc >= 9.8)\n  allow-newer: *:base\nelse\n  flags: +x\nimport: common.config\n",
            "source-repository-package\n  type: git\n  location: https://example.org/x.git\n  tag: abc\n  subdir: a b\n",
            "repository head.hackage\n  url: https://ghc.gitlab.haskell.org/head.hackage/\n  secure: True\n  root-keys: a\n    b\n",
        ] {
            assert_eq!(of_project_file("cabal.project", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn what_starts_programs_is_named() {
        for (text, named) in [
            ("with-compiler: ./ghc", "`with-compiler: ./ghc` in cabal.project"),
            ("with-compiler: /tmp/ghc-9.6.6", "`with-compiler: /tmp/ghc-9.6.6` in"),
            ("with-compiler: ghc-evil", "`with-compiler: ghc-evil` in"),
            ("With-Hc-Pkg : x", "`with-hc-pkg: x`"),
            ("extra-prog-path: bin", "`extra-prog-path: bin`"),
            ("import: https://example.org/x", "`import: https://example.org/x`"),
            ("package *\n  ghc-options: -Wall -pgmc ./evil", "`ghc-options: -Wall -pgmc ./evil`"),
            ("package x\n  ghc-options: -fplugin=X", "`ghc-options: -fplugin=X`"),
            ("if os(linux)\n  with-gcc: ./x", "`with-gcc: ./x`"),
            ("program-locations\n  ghc-location: ./x", "`program-locations` (`ghc-location: ./x`)"),
            (
                "source-repository-package\n  type: git\n  location: https://x\n  post-checkout-command: ./x",
                "`post-checkout-command: ./x`",
            ),
            ("source-repository-package\n  type: git\n  location: ext::sh -c x", "`location: ext::sh -c x`"),
            ("source-repository-package\n  type: darcs\n  location: https://x", "`type: darcs`"),
            ("repository x\n  url: file+noindex:///home/me", "`url: file+noindex:///home/me`"),
            ("new-field-of-cabals: 1", "`new-field-of-cabals: 1`"),
            ("test-wrapper: ./x", "`test-wrapper: ./x`"),
        ] {
            let found = of_project_file("cabal.project", text);
            assert!(found.len() == 1 && found[0].contains(named), "{text}: {found:?}");
        }
    }

    #[test]
    fn what_cabal_might_read_otherwise_is_not_judged() {
        for text in [
            "packages: {\n.\n}\nwith-compiler: ./x",
            "packages: .\n{",
            "package x { with-compiler: ./x }",
            "package x/{with-compiler: ./x}",
            "package x{a:./x}",
            "allow-newer: a\n\twith-compiler: ./x",
            "allow-newer: a\n\u{a0}with-compiler: ./x",
            "allow-newer: a\n\u{2003}with-compiler: ./x",
            "flags: a\u{b}with-compiler: ./x",
            "packages: lib/{a\n, b}",
            "tests: True }\nflags: x",
            "if true { with-gcc: x }",
        ] {
            let found = of_project_file("x", text);
            assert!(found.len() == 1 && found[0].contains("which hsx cannot judge"), "{text}: {found:?}");
        }
    }

    #[test]
    fn arguments_that_start_programs_are_named() {
        let judged = |args: &str| of_cabal_args(&args.split(' ').map(str::to_owned).collect::<Vec<_>>());
        let harmless = "--flags=+x -fx --constraint=a>1 -O2 --enable-tests --ghc-options=-Wall --with-compiler=ghc-9.6";
        assert_eq!(judged(harmless), [""; 0]);
        for args in
            ["--with-compiler=./x", "--with-ghc=x", "-w./x", "--ghc-options=-pgmc=x", "--project-file=../x", "x"]
        {
            assert_eq!(judged(args), [format!("`{args}` in `cabal-args` of hsx.toml")]);
        }
        for (name, is) in
            [("ghc", true), ("ghc-9.6.6", true), ("ghc-pkg-9.6.6", true), ("ghc-pkg", true), ("ghci", false)]
        {
            assert_eq!(is_compilers(name), is, "{name}");
        }
    }
}
