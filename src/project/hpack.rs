//! hpack, which makes `.cabal` files of `package.yaml`, and what such a file makes it read. hpack runs on the user's
//! machine, so it may read only what a build is shown, and hsx writes what it prints.

use camino::{Utf8Path, Utf8PathBuf};

use crate::base::cmd::{Cmd, quote};

/// A package whose `.cabal` file hpack has yet to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HpackPackage {
    /// The directory that the user's part of the path ends with. Below it, no link is followed.
    pub top: Utf8PathBuf,
    /// The package's directory.
    pub dir: Utf8PathBuf,
    pub name: String,
}

impl HpackPackage {
    /// The command that prints what hpack would write for the `package.yaml` in a directory.
    pub(crate) fn show(dir: &Utf8Path) -> Cmd {
        Cmd::new("hpack").args(["--silent", dir.join("package.yaml").as_str(), "-"])
    }

    /// The name of the `.cabal` file beside `package.yaml`, where hpack's users expect it.
    pub(crate) fn file_name(&self) -> String {
        format!("{}.cabal", self.name)
    }

    /// The shell that writes the `.cabal` file, and neither replaces another one nor follows a link.
    pub(crate) fn shell(&self) -> String {
        let path = self.dir.join(self.file_name());
        format!("(set -C && {} > {})", Self::show(&self.dir), quote(path.as_str()))
    }
}

/// Whether a text can be a package's name: words of letters and digits, joined by hyphens.
pub(crate) fn is_package_name(name: &str) -> bool {
    name.split('-').all(|word| !word.is_empty() && word.chars().all(char::is_alphanumeric))
}

/// The files whose defaults a `package.yaml` takes over, as written: `defaults: local: PATH`.
///
/// Only the plain form is understood, one path a line. YAML has many ways to write the same, and what hsx does not
/// understand is refused.
///
/// # Errors
/// When there are defaults of another form, or from the network. The error is the line.
pub(crate) fn defaults(text: &str) -> Result<Vec<&str>, &str> {
    let mut found = Vec::new();
    // These could spell the word otherwise.
    if let Some(line) = text.lines().find(|line| ["\\x", "\\u", "\\U"].iter().any(|escape| line.contains(escape))) {
        return Err(line.trim());
    }
    let mut lines = text.lines().map(without_comment).filter(|line| !line.trim().is_empty()).peekable();
    while let Some(line) = lines.next() {
        if !mentions_key(line, "defaults") {
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        if key(line, "defaults") != Some("") {
            return Err(line.trim());
        }
        let belongs = |line: &&str| {
            let inner = line.len() - line.trim_start().len();
            inner > indent || (inner == indent && line.trim_start().starts_with("- "))
        };
        while let Some(line) = lines.next_if(belongs) {
            let item = line.trim_start();
            let path = key(item.strip_prefix("- ").unwrap_or(item), "local").map(|path| path.trim_matches(['"', '\'']));
            let is_plain = |path: &&str| !path.is_empty() && !path.contains(|c: char| "&*!|>%@`{}[]\"'\\".contains(c));
            found.push(path.filter(is_plain).ok_or(line.trim())?);
        }
    }
    Ok(found)
}

/// The value on the line of a key.
fn key<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let line = line.trim();
    let rest = [name.to_owned(), format!("\"{name}\""), format!("'{name}'")];
    let rest = rest.iter().find_map(|spelled| line.strip_prefix(spelled.as_str()))?;
    rest.trim_start().strip_prefix(':').map(str::trim)
}

/// Whether a line may have a key, wherever in it.
fn mentions_key(line: &str, name: &str) -> bool {
    line.match_indices(name).any(|(at, _)| {
        let rest = line[at + name.len()..].trim_start_matches(['"', '\'']).trim_start();
        // After `?` the colon is on another line.
        rest.starts_with(':') || line.trim_start().starts_with('?')
    })
}

/// A line without its comment. `#` begins one at the beginning of a word only.
fn without_comment(line: &str) -> &str {
    let comment =
        line.match_indices('#').find(|(at, _)| line[..*at].chars().next_back().is_none_or(char::is_whitespace));
    // Within quotes it begins none: the line is taken as it is.
    match comment {
        Some((at, _)) if !line[..at].contains(['"', '\'']) => &line[..at],
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_defaults_are_found() {
        for (text, paths) in [
            ("name: x\ndescription: sane defaults of mine\n", &[][..]),
            ("defaults:\n  local: ../common.yaml\nname: x\n", &["../common.yaml"]),
            ("defaults:\n- local: \"a.yaml\"\n- local: b.yaml # the second\nlibrary: {}\n", &["a.yaml", "b.yaml"]),
            ("# defaults: github\n\"defaults\" :\n  - local: 'a.yaml'\n", &["a.yaml"]),
            ("flags:\n  x:\n    default: false\n", &[]),
        ] {
            assert_eq!(defaults(text).unwrap(), paths, "{text}");
        }
    }

    #[test]
    fn defaults_of_another_form_are_refused() {
        for (text, line) in [
            ("defaults: sol/hpack-template@2017\n", "defaults: sol/hpack-template@2017"),
            ("defaults:\n  github: sol/hpack-template\n", "github: sol/hpack-template"),
            ("defaults:\n  local: a.yaml\n  ref: x\n", "ref: x"),
            ("defaults: {local: ../../x}\n", "defaults: {local: ../../x}"),
            ("{name: x, defaults: {local: ../../x}}\n", "{name: x, defaults: {local: ../../x}}"),
            ("_x: &x ../../secret\ndefaults:\n  local: *x\n", "local: *x"),
            ("_x: &x\n  local: y\ndefaults: *x\n", "defaults: *x"),
            ("defaults:\n  local: |\n    ../../x\n", "local: |"),
            ("defaults:\n  local:\n    ../../x\n", "local:"),
            ("\"d\\x65faults\":\n  local: ../x\n", "\"d\\x65faults\":"),
            ("? defaults\n: local: ../x\n", "? defaults"),
            ("defaults:\n  \"local\\\n  \": x\n", "\"local\\"),
            ("x: \"#\" \ny: {\"defaults\": {local: ../x}}", "y: {\"defaults\": {local: ../x}}"),
        ] {
            assert_eq!(defaults(text), Err(line), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_written_beside_package_yaml() {
        let package = HpackPackage { top: "/p".into(), dir: "/p/a b".into(), name: "x".to_owned() };
        assert_eq!(package.shell(), "(set -C && hpack --silent '/p/a b/package.yaml' - > '/p/a b/x.cabal')");
        for (name, is) in [("a-b1", true), ("é", true), ("", false), ("../x", false), ("a--b", false), ("a.b", false)]
        {
            assert_eq!(is_package_name(name), is, "{name}");
        }
    }
}
