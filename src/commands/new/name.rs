//! The rules for the name of a new package, and the names of its modules.

use crate::base::error::Error;

/// Parses the name of a package, its executable and its modules.
///
/// # Errors
/// When cabal would not accept the name, or it is taken already.
pub(crate) fn parse(text: &str) -> Result<String, Error> {
    if text.is_empty() {
        return Err(Error::usage("a project needs a name").hint("`hsx new NAME`"));
    }
    let Some(fault) = fault(text) else { return Ok(text.to_owned()) };
    let path = text.contains('/').then(|| "`--dir` says where the project goes".to_owned());
    let better = suggest(text).map(|name| format!("`{name}` can"));
    let error = Error::usage(format!("`{text}` cannot be the name of a package: {fault}"));
    Err(error.hints(path.into_iter().chain(better)))
}

/// Why a text cannot be a name. `None`: it can.
fn fault(text: &str) -> Option<String> {
    if let Some(other) = text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
        return Some(format!("`{other}` is neither a letter of ASCII, nor a digit, nor `-`"));
    }
    if text.split('-').any(str::is_empty) {
        return Some("a `-` stands between two words".to_owned());
    }
    // cabal could not tell where a version begins in a name like `name-1`.
    if let Some(number) = text.split('-').find(|word| !word.contains(|c: char| c.is_ascii_alphabetic())) {
        return Some(format!("cabal wants a letter in `{number}`"));
    }
    let lower = text.to_ascii_lowercase();
    let reserved = RESERVED.iter().find(|(names, _)| names.contains(&lower.as_str()));
    reserved.map(|(_, why)| (*why).to_owned())
}

/// Reserved names, and what they are reserved for.
const RESERVED: [(&[&str], &str); 4] = [
    // Packages that come with GHC (see its release notes), and those that the templates depend on.
    (
        &[
            "array",
            "base",
            "binary",
            "bytestring",
            "cabal",
            "cabal-syntax",
            "containers",
            "deepseq",
            "directory",
            "exceptions",
            "file-io",
            "filepath",
            "ghc",
            "ghc-bignum",
            "ghc-boot",
            "ghc-boot-th",
            "ghc-compact",
            "ghc-experimental",
            "ghc-heap",
            "ghc-internal",
            "ghc-platform",
            "ghc-prim",
            "ghc-toolchain",
            "ghci",
            "haddock-api",
            "haddock-library",
            "haskeline",
            "hpc",
            "integer-gmp",
            "integer-simple",
            "libiserv",
            "mtl",
            "optparse-applicative",
            "os-string",
            "parsec",
            "pretty",
            "process",
            "rts",
            "semaphore-compat",
            "stm",
            "system-cxx-std-lib",
            "template-haskell",
            "terminfo",
            "text",
            "time",
            "transformers",
            "unix",
            "win32",
            "xhtml",
        ],
        "GHC or the template brings a package of that name",
    ),
    // Words in cabal's forms of targets.
    (
        &["all", "bench", "benches", "exe", "exes", "flib", "flibs", "lib", "libs", "pkg", "test", "tests"],
        "the word has a meaning in targets: `cabal build all:tests`",
    ),
    // Modules of base that the package's own modules would hide.
    (&["main", "numeric", "prelude", "setup"], "a module of that name means something else"),
    // Windows reserves these, with any extension.
    (&["aux", "con", "nul", "prn"], "no file can be called that on Windows"),
];

/// A similar name that is allowed.
fn suggest(text: &str) -> Option<String> {
    let last = text.trim_end_matches('/').rsplit('/').next()?;
    let words = last.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let mut name = String::new();
    for word in words {
        let has_letter = word.contains(|c: char| c.is_ascii_alphabetic());
        name.push_str(if name.is_empty() || !has_letter { "" } else { "-" });
        name.push_str(word);
    }
    [format!("{name}-app"), name].into_iter().rev().find(|name| fault(name).is_none())
}

/// The name of a package's main module: `HelloWorld` for `hello-world`.
pub(crate) fn module(package: &str) -> String {
    let capitalised = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
    let name: String = package.split('-').filter(|word| !word.is_empty()).map(capitalised).collect();
    // The name of a module must begin with a letter.
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("Pkg{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cabals_names_are_taken() {
        for (name, module_name) in [
            ("hello", "Hello"),
            ("hello-world", "HelloWorld"),
            ("HTTP2-client", "HTTP2Client"),
            ("x", "X"),
            ("3d-engine", "Pkg3dEngine"),
            ("all-in-one", "AllInOne"),
            ("ghc-tool", "GhcTool"),
        ] {
            assert_eq!(parse(name).unwrap(), name);
            assert_eq!(module(name), module_name);
        }
    }

    #[test]
    fn others_are_refused_with_a_reason_and_a_better_one() {
        for (name, why, hints) in [
            ("", "a project needs a name", vec!["`hsx new NAME`"]),
            ("my_app", "`_` is neither a letter", vec!["`my-app` can"]),
            ("my app", "` ` is neither a letter", vec!["`my-app` can"]),
            ("code/my_app", "`/` is neither", vec!["`--dir` says where the project goes", "`my-app` can"]),
            ("naïve", "`ï` is neither a letter of ASCII", vec!["`na-ve` can"]),
            ("-app", "between two words", vec!["`app` can"]),
            ("a--b", "between two words", vec!["`a-b` can"]),
            ("app-2", "a letter in `2`", vec!["`app2` can"]),
            ("2048", "a letter in `2048`", vec![]),
            ("../..", "`.` is neither", vec!["`--dir` says where the project goes"]),
            ("a/base", "`/` is neither", vec!["`--dir` says where the project goes", "`base-app` can"]),
            ("base", "GHC or the template brings", vec!["`base-app` can"]),
            ("Cabal", "GHC or the template brings", vec!["`Cabal-app` can"]),
            ("all", "has a meaning in targets", vec!["`all-app` can"]),
            ("Prelude", "a module of that name", vec!["`Prelude-app` can"]),
            ("nul", "on Windows", vec!["`nul-app` can"]),
        ] {
            let error = parse(name).unwrap_err();
            assert!(error.message.contains(why), "{name}: {error:?}");
            assert_eq!(error.hints, hints, "{name}: {error:?}");
        }
    }
}
