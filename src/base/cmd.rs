//! A command as data: what runs is what is printed, and both can be compared.

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

    /// The command without its long arguments (a script handed to `sh -c`), for messages.
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

/// `text` as one word of a POSIX shell.
pub(crate) fn quote(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        let mut word = String::from("'");
        for c in text.chars() {
            match c {
                '\'' => word.push_str(r"'\''"),
                // Pasted as it is, a terminal would obey it.
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
        ] {
            assert_eq!(quote(text), quoted);
        }
    }

    #[test]
    fn a_script_is_left_out_of_the_brief_form() {
        let cmd = Cmd::new("podman").args(["run", "image", "-c", "a\nb", "rest"]);
        assert_eq!(cmd.brief(), "podman run image -c …");
    }
}
