//! A command as data: hsx prints exactly what it runs, and commands can be compared.

use std::collections::BTreeMap;
use std::fmt;
use std::fmt::Write as _;

use super::harmless::is_harmful;

/// A program and its arguments. Its `Display` can be pasted into a POSIX shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cmd {
    pub program: String,
    pub args: Vec<String>,
}

impl Cmd {
    pub(crate) fn new(program: impl Into<String>) -> Self {
        Self { program: program.into(), args: Vec::new() }
    }

    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// The command with its placeholders, which [`late`] makes, replaced by their values.
    pub(crate) fn with(&self, values: &Values) -> Self {
        Self { program: self.program.clone(), args: self.args.iter().flat_map(|arg| values.fill(arg)).collect() }
    }

    /// The command for messages, cut off at the first argument of several lines, such as a script for `sh -c`.
    pub(crate) fn brief(&self) -> String {
        let mut line = quote(&self.program);
        for arg in &self.args {
            line.push(' ');
            if arg.contains('\n') {
                line.push('…');
                break;
            }
            line.push_str(&quote(arg));
        }
        line
    }
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&quote(&self.program))?;
        self.args.iter().try_for_each(|arg| write!(f, " {}", quote(arg)))
    }
}

/// A placeholder in an argument for a value that becomes known only while the plan is followed. In a printed command it
/// is a shell variable of that name. It contains NULs, so no program can be started with it by mistake: no argument may
/// contain one.
pub(crate) fn late(name: &str) -> String {
    format!("\0{name}\0")
}

/// Whether a text has a placeholder that [`late`] makes.
pub(crate) fn is_late(text: &str) -> bool {
    text.contains('\0')
}

/// The placeholder for any number of arguments. In a printed command it is `"$@"`, the arguments of the script.
pub(crate) const LATE_ARGS: &str = "@";

/// The values of the placeholders that [`late`] makes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    /// By name.
    pub words: BTreeMap<&'static str, String>,
    /// What [`LATE_ARGS`] stands for.
    pub args: Vec<String>,
}

impl Values {
    /// An argument with its placeholders replaced.
    pub(crate) fn fill(&self, arg: &str) -> Vec<String> {
        if arg == late(LATE_ARGS) {
            return self.args.clone();
        }
        vec![self.text(arg)]
    }

    /// A text with its placeholders replaced.
    pub(crate) fn text(&self, text: &str) -> String {
        self.words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&late(name), value))
    }
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    // Only a name becomes a variable: any other text between two NULs could become a command.
    let is_name =
        |part: &str| part == LATE_ARGS || !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let parts: Vec<_> = text.split('\0').collect();
    if parts.len() > 2 && parts.len() % 2 == 1 && parts.iter().skip(1).step_by(2).all(|part| is_name(part)) {
        let word = |(number, part): (usize, &str)| match (part, number % 2) {
            ("", _) => String::new(),
            (part, 0) => quote(part),
            (name, _) => format!("\"${name}\""),
        };
        return parts.into_iter().enumerate().map(word).collect();
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        let mut word = String::from("'");
        for c in text.chars() {
            match c {
                '\'' => word.push_str(r"'\''"),
                // A terminal would obey this character if it were printed as it is.
                c if is_harmful(c) => {
                    word.push_str("'\"$(printf '");
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        let _ = write!(word, "\\{byte:03o}");
                    }
                    word.push_str("')\"'");
                }
                c => word.push(c),
            }
        }
        word.push('\'');
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_would_change_them() {
        for (text, quoted) in [
            ("plain", "plain"),
            ("--mount=type=bind,source=/a/b", "--mount=type=bind,source=/a/b"),
            ("ghcr.io/x@sha256:0a", "ghcr.io/x@sha256:0a"),
            ("", "''"),
            ("two words", "'two words'"),
            ("$HOME", "'$HOME'"),
            ("it's", r"'it'\''s'"),
            ("~x", "'~x'"),
            ("{{json .}}", "'{{json .}}'"),
            ("two\nlines", "'two\nlines'"),
            ("a\u{1b}]0;b\u{7}", r#"'a'"$(printf '\033')"']0;b'"$(printf '\007')"''"#),
            ("\u{202e}", r#"''"$(printf '\342\200\256')"''"#),
            // Not the name of a late value: `$(reboot)` would be a command.
            ("\0(reboot)\0", r#"''"$(printf '\000')"'(reboot)'"$(printf '\000')"''"#),
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn a_late_value_is_a_variable_until_it_is_known() {
        let cmd = Cmd::new("cp").arg(format!("/a b/{}", late("name"))).arg(late("@"));
        assert_eq!(cmd.to_string(), r#"cp '/a b/'"$name" "$@""#);
        let words = [("name", "it's".to_owned())].into();
        let values = Values { words, args: vec!["x".to_owned(), "y z".to_owned()] };
        assert_eq!(cmd.with(&values).args, ["/a b/it's", "x", "y z"]);
    }

    #[test]
    fn a_script_is_left_out_of_the_brief_form() {
        let cmd = Cmd::new("podman").args(["run", "image", "-c", "a\nb", "rest"]);
        assert_eq!(cmd.brief(), "podman run image -c …");
    }
}
