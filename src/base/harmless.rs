//! Makes text from outside hsx harmless to print. A terminal obeys escape sequences, GitHub's log obeys lines that look
//! like workflow commands, and invisible characters make people read something that is not there.

/// The longest colour sequence that is passed on, in characters. Longer ones do nothing that shorter ones cannot.
const COLOR: usize = 32;

/// Whether a character is not shown itself, but acts on the terminal or changes how other characters are shown. Line
/// breaks and tabs do not count: they are wanted.
pub(crate) fn is_harmful(c: char) -> bool {
    // The second group changes the direction of the text around it, which then reads as something else.
    (c.is_control() && !"\n\t".contains(c)) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Makes a text one harmless line: harmful characters and line breaks are escaped as in Rust.
pub(crate) fn line(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) || c == '\n' { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// Makes a tool's output harmless as it arrives. It does not matter how the output is cut into pieces.
///
/// Colours stay, and all other escape sequences (ECMA-48) are removed. A carriage return becomes a line end, so that
/// nothing can be overwritten. A line end also ends an unfinished sequence, which would otherwise swallow the output of
/// the next tool.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    /// The output goes to GitHub's log: lines that look like workflow commands are changed too.
    for_github: bool,
    /// The first bytes of a character that is not complete yet.
    bytes: Vec<u8>,
    state: State,
    /// The parameters of the control sequence that is being read.
    sequence: String,
    after_return: bool,
    place: Place,
    /// How many `#` come directly before the next character.
    hashes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Text,
    /// After ESC.
    Escape,
    /// In a control sequence, which begins with `ESC [`.
    Control,
    /// In a control string, such as a window title.
    String,
    /// In a control string, after an ESC that may begin its end.
    StringEscape,
}

/// Where in a line the text is. GitHub takes commands at the beginning of a line, also after blanks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    AfterColon,
    Inside,
}

impl Filter {
    pub(crate) fn new(for_github: bool) -> Self {
        Self { for_github, ..Self::default() }
    }

    /// Takes the next piece of output, and returns what can be printed.
    pub(crate) fn push(&mut self, piece: &[u8]) -> String {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.extend_from_slice(piece);
        let mut out = String::with_capacity(bytes.len());
        let mut chunks = bytes.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            chunk.valid().chars().for_each(|c| self.character(c, &mut out));
            match chunk.invalid() {
                [] => {}
                // The character may continue in the next piece.
                rest if chunks.peek().is_none() && rest.len() < 4 && is_beginning(rest) => self.bytes = rest.to_vec(),
                _ => self.character(char::REPLACEMENT_CHARACTER, &mut out),
            }
        }
        out
    }

    #[expect(clippy::match_same_arms, reason = "each state has its lines, in order")]
    fn character(&mut self, c: char, out: &mut String) {
        if self.after_return {
            self.after_return = false;
            if c != '\n' {
                self.end_line(out);
            }
        }
        if c == '\r' {
            self.after_return = true;
            return;
        }
        if c == '\n' {
            self.end_line(out);
            return;
        }
        match (self.state, c) {
            (State::Text, '\u{1b}') => self.state = State::Escape,
            // Control characters that stand for ESC and the character after it.
            (State::Text, '\u{9b}') => self.begin_control(),
            (State::Text, '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}') => self.state = State::String,
            (State::Text, c) if is_harmful(c) => {}
            (State::Text, c) => self.text(c, out),
            (State::Escape, '[') => self.begin_control(),
            (State::Escape, ']' | 'P' | 'X' | '^' | '_') => self.state = State::String,
            // A sequence such as `ESC ( B` goes on after this character.
            (State::Escape, '\u{1b}' | ' '..='/') => {}
            (State::Escape, _) => self.state = State::Text,
            (State::Control, c @ ('0'..='9' | ';' | ':')) if self.sequence.len() < COLOR => self.sequence.push(c),
            (State::Control, 'm') if self.sequence.len() < COLOR => {
                out.push_str("\u{1b}[");
                out.push_str(&self.sequence);
                out.push('m');
                self.state = State::Text;
            }
            // Not a colour sequence, or one that is too long: the full `sequence` keeps it from being passed on.
            (State::Control, ' '..='?') => self.sequence = " ".repeat(COLOR),
            (State::Control, '\u{1b}') => self.state = State::Escape,
            (State::Control, _) => self.state = State::Text,
            (State::String, '\u{7}' | '\u{9c}') => self.state = State::Text,
            (State::String, '\u{1b}') => self.state = State::StringEscape,
            (State::String, _) => {}
            (State::StringEscape, '\\') => self.state = State::Text,
            (State::StringEscape, '\u{1b}') => {}
            (State::StringEscape, _) => self.state = State::String,
        }
    }

    fn begin_control(&mut self) {
        self.sequence.clear();
        self.state = State::Control;
    }

    fn end_line(&mut self, out: &mut String) {
        (self.state, self.place, self.hashes) = (State::Text, Place::Start, 0);
        out.push('\n');
    }

    fn text(&mut self, c: char, out: &mut String) {
        // `::error::…`, and the older `##[error]…`, which counts anywhere in a line (actions/runner, ActionCommand).
        let is_command = (self.place == Place::AfterColon && c == ':') || (self.hashes >= 2 && c == '[');
        if self.for_github && is_command {
            out.push(' ');
        }
        self.hashes = if c == '#' { self.hashes + 1 } else { 0 };
        self.place = match (self.place, c) {
            (Place::Start, ':') => Place::AfterColon,
            (Place::Start, c) if c.is_whitespace() => Place::Start,
            _ => Place::Inside,
        };
        out.push(c);
    }
}

/// Whether bytes are the beginning of a character.
fn is_beginning(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// Makes a text of several lines harmless, as [`Filter`] does.
pub(crate) fn lines(text: &str, for_github: bool) -> String {
    Filter::new(for_github).push(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_no_effect() {
        for (text, plain) in [
            ("linux/amd64: 9.10.3 – ok\tyes", "linux/amd64: 9.10.3 – ok\tyes"),
            ("a\n::error::b", r"a\n::error::b"),
            ("\u{1b}]0;pwned\u{7}", r"\u{1b}]0;pwned\u{7}"),
            ("a\u{202e}b\u{9b}c", r"a\u{202e}b\u{9b}c"),
        ] {
            assert_eq!(line(text), plain);
        }
    }

    #[test]
    fn nothing_but_text_and_colours_gets_through() {
        for (said, shown) in [
            ("plain\n", "plain\n"),
            ("\u{1b}[1;31merror\u{1b}[0m\n", "\u{1b}[1;31merror\u{1b}[0m\n"),
            ("\u{1b}[38:5:196mred\n", "\u{1b}[38:5:196mred\n"),
            ("a\u{1b}[2Jb\u{1b}[Hc\u{1b}[?25ld\u{1b}[>4;2me", "abcde"),
            ("a\u{1b}]0;title\u{7}b\u{1b}]52;c;cHduZWQ=\u{1b}\\c", "abc"),
            ("a\u{9b}2Jb\u{9d}title\u{9c}c", "abc"),
            ("a\u{1b}Pq#0\u{1b}\\b\u{1b}_x\u{1b}\\c\u{1b}(Bd\u{1b}ce", "abcde"),
            // A sequence without an end ends with the line.
            ("a\u{1b}]0;title\nnext", "a\nnext"),
            ("a\u{1b}[1\nnext", "a\nnext"),
            ("50%\r100%\r\ndone", "50%\n100%\ndone"),
            ("a\u{8}\u{0}b\u{202e}c", "abc"),
            ("error: \u{2018}x\u{2019}\n", "error: \u{2018}x\u{2019}\n"),
            ("::error::x\n", "::error::x\n"),
        ] {
            assert_eq!(lines(said, false), shown, "{said:?}");
        }
        let long = format!("\u{1b}[{}mx", "1;".repeat(COLOR));
        assert_eq!(lines(&long, false), "x");
    }

    #[test]
    fn nothing_is_a_command_in_githubs_log() {
        for (said, shown) in [
            ("::set-output name=a::b\n", ": :set-output name=a::b\n"),
            ("x\n \t::error::b", "x\n \t: :error::b"),
            ("x\r::error::b", "x\n: :error::b"),
            (":\u{1b}[0m:error::b", ":\u{1b}[0m :error::b"),
            ("a::b ##[error]c ###[d", "a::b ## [error]c ### [d"),
            ("Data.Map :: Int", "Data.Map :: Int"),
        ] {
            assert_eq!(lines(said, true), shown, "{said:?}");
        }
    }

    #[test]
    fn the_pieces_do_not_matter() {
        let said = "a\u{1b}[1mb\u{1b}]0;t\u{7}c\u{202e}é\u{2018}\r\n::error::x\r\r##[y]\u{1b}[2J";
        let whole = lines(said, true);
        for size in 1..said.len() {
            let mut filter = Filter::new(true);
            let parts: String = said.as_bytes().chunks(size).map(|piece| filter.push(piece)).collect();
            assert_eq!(parts, whole, "{size}");
        }
        let mut filter = Filter::default();
        assert_eq!(filter.push(b"\xff\xe2\x80"), "\u{fffd}");
        assert_eq!(filter.push(b"z"), "\u{fffd}z");
    }
}
