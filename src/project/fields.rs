//! The syntax that `.cabal` files, `cabal.project` and freeze files share: fields and sections, by indentation or
//! braces.
//!
//! The reader is lenient: cabal reads the same files again, and reports their errors.

/// A field, or a section with what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// The name in lower case; continuation lines joined by blanks.
    Field { name: String, value: String },
    /// The first word in lower case, and the rest of the line.
    Section { name: String, argument: String, elements: Vec<Element> },
}

/// How deep sections may nest: deeper than anybody writes them, and not so deep that the stack overflows.
const DEPTH: usize = 32;

/// Reads a file. A byte-order mark, tabs and any line ends are taken as cabal takes them.
pub(crate) fn parse(text: &str) -> Vec<Element> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let lines = text.lines().filter_map(|line| {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        (!content.is_empty() && !content.starts_with("--")).then_some((indent, content.to_owned()))
    });
    let mut reader = Reader { lines: lines.collect(), at: 0 };
    let mut elements = Vec::new();
    // A closing brace too many does not end the file.
    while reader.at < reader.lines.len() {
        let before = reader.at;
        reader.elements(0, false, 0, &mut elements);
        if reader.at == before {
            reader.at += 1;
        }
    }
    elements
}

/// The top-level fields of a file.
pub(crate) fn fields(text: &str) -> Vec<(String, String)> {
    let fields = parse(text).into_iter().filter_map(|element| match element {
        Element::Field { name, value } => Some((name, value)),
        Element::Section { .. } => None,
    });
    fields.collect()
}

/// The file's lines without blank lines and comments, each with its indentation, and the index of the next one.
struct Reader {
    lines: Vec<(usize, String)>,
    at: usize,
}

impl Reader {
    fn line(&self) -> Option<(usize, &str)> {
        self.lines.get(self.at).map(|(indent, line)| (*indent, line.as_str()))
    }

    /// Replaces the current line by its unread rest, with the rest's indentation. Goes to the next line if nothing is
    /// left.
    fn leave(&mut self, rest: &str) {
        let rest = rest.trim();
        if rest.is_empty() {
            self.at += 1;
        } else {
            let (indent, line) = &self.lines[self.at];
            self.lines[self.at] = (indent + line.len().saturating_sub(rest.len()), rest.to_owned());
        }
    }

    /// Reads elements up to a closing brace, or up to a line that is indented less.
    fn elements(&mut self, indent: usize, in_braces: bool, depth: usize, elements: &mut Vec<Element>) {
        while let Some((found, line)) = self.line() {
            if let Some(rest) = line.strip_prefix('}') {
                if in_braces {
                    let rest = rest.to_owned();
                    self.leave(&rest);
                }
                return;
            }
            if !in_braces && found < indent {
                return;
            }
            let line = line.to_owned();
            self.element(found, &line, in_braces, depth, elements);
        }
    }

    fn element(&mut self, indent: usize, line: &str, in_braces: bool, depth: usize, elements: &mut Vec<Element>) {
        let end = line.find(|c: char| c.is_whitespace() || ":{}\"".contains(c)).unwrap_or(line.len());
        let (name, rest) = (line[..end].to_ascii_lowercase(), line[end..].trim_start());
        if let (Some(value), false) = (rest.strip_prefix(':'), name.is_empty()) {
            let value = self.value(indent, value.trim(), in_braces);
            elements.push(Element::Field { name, value });
            return;
        }
        let (argument, opens) = self.argument(rest, in_braces);
        let mut inner = Vec::new();
        if depth < DEPTH {
            if opens {
                self.elements(0, true, depth + 1, &mut inner);
            } else if !in_braces {
                self.elements(indent + 1, false, depth + 1, &mut inner);
            }
        }
        elements.push(Element::Section { name, argument, elements: inner });
    }

    /// Reads the argument of a section. Also returns whether a brace opens on its line or the next.
    fn argument(&mut self, rest: &str, in_braces: bool) -> (String, bool) {
        if let Some((argument, rest)) = rest.split_once('{') {
            self.leave(rest);
            return (argument.trim().to_owned(), true);
        }
        if let Some((argument, _)) = rest.split_once('}').filter(|_| in_braces) {
            self.leave("}");
            return (argument.trim().to_owned(), false);
        }
        self.at += 1;
        let next = self.line().and_then(|(_, line)| Some(line.strip_prefix('{')?.to_owned()));
        if let Some(rest) = &next {
            self.leave(rest);
        }
        (rest.to_owned(), next.is_some())
    }

    /// Reads the value of a field: the rest of its line and the lines that are indented further, or the text in braces.
    fn value(&mut self, indent: usize, first: &str, in_braces: bool) -> String {
        let mut words = Vec::new();
        let mut next = |reader: &mut Self, text: &str| {
            if !text.is_empty() {
                words.push(text.to_owned());
            }
            reader.at += 1;
        };
        if let Some(inner) = first.strip_prefix('{').filter(|inner| !inner.contains('}')) {
            let inner = inner.trim().to_owned();
            next(self, &inner);
            while let Some((_, line)) = self.line() {
                let line = line.to_owned();
                if let Some(rest) = line.strip_prefix('}') {
                    self.leave(rest);
                    break;
                }
                next(self, &line);
            }
            return words.join(" ");
        }
        if let Some((value, _)) = first.split_once('}').filter(|(value, _)| in_braces && !value.contains('{')) {
            self.lines[self.at] = (indent, "}".to_owned());
            return value.trim().to_owned();
        }
        next(self, first);
        while let Some((found, line)) = self.line() {
            if found <= indent || (in_braces && line.starts_with('}')) {
                break;
            }
            let line = line.to_owned();
            next(self, &line);
        }
        words.join(" ")
    }
}

/// Splits a list at blanks and commas, but not within quotes or within the braces of a glob.
pub(crate) fn words(value: &str) -> Vec<String> {
    let (mut words, mut word, mut is_quoted, mut depth) = (Vec::new(), String::new(), false, 0_u32);
    for c in value.chars() {
        match c {
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => word.push(c),
            '{' => {
                depth += 1;
                word.push(c);
            }
            '}' => {
                depth = depth.saturating_sub(1);
                word.push(c);
            }
            c if c.is_whitespace() || (c == ',' && depth == 0) => words.push(std::mem::take(&mut word)),
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree as text: `name=value` and `name(argument)[…]`.
    fn shown(elements: &[Element]) -> String {
        let shown = elements.iter().map(|element| match element {
            Element::Field { name, value } => format!("{name}={value}"),
            Element::Section { name, argument, elements } => format!("{name}({argument})[{}]", shown(elements)),
        });
        shown.collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn layouts_of_all_ages_are_read() {
        for (text, tree) in [
            ("name: a\nversion:\n  1\n", "name=a; version=1"),
            ("\u{feff}name: a\r\n\r\nexecutable a\r\n\tmain-is: M.hs\r\n", "name=a; executable(a)[main-is=M.hs]"),
            ("executable a {\n  main-is: M.hs\n}\nlibrary {}\n", "executable(a)[main-is=M.hs]; library()[]"),
            ("executable a { main-is: M.hs\n  b: c\n}\nx: y", "executable(a)[main-is=M.hs; b=c]; x=y"),
            ("Executable\ta\n{\n\tMain-Is:\tM.hs\n}\n", "executable(a)[main-is=M.hs]"),
            ("executable a\n{\nmain-is: M.hs\nb: c\n}\n", "executable(a)[main-is=M.hs; b=c]"),
            ("  name: a\n  version: 1\n\n  executable a\n    x: y\n", "name=a; version=1; executable(a)[x=y]"),
            (
                "description: {\nexecutable no\nversion: 2\n}\nversion: 1",
                "description=executable no version: 2; version=1",
            ),
            ("executable \"quoted-name\"\n  x: y", "executable(\"quoted-name\")[x=y]"),
            (
                "if impl(ghc >= 9)\n  packages: a\nelse\n  packages: b\n",
                "if(impl(ghc >= 9))[packages=a]; else()[packages=b]",
            ),
            ("library\n  if flag(x) { a: b }\n  c: d", "library()[if(flag(x))[a=b]; c=d]"),
            ("packages:\n  a\n  -- no\n  b\nx : y", "packages=a b; x=y"),
            ("packages: ./{a,b}/*.cabal\n  c", "packages=./{a,b}/*.cabal c"),
            ("}\nname: a\n}}\n", "name=a"),
            ("a {", "a()[]"),
            ("", ""),
        ] {
            assert_eq!(shown(&parse(text)), tree, "{text}");
        }
    }

    #[test]
    fn no_text_is_too_odd() {
        for text in ["a {\n".repeat(5000), "x\n".repeat(5000), "}\n".repeat(5000)] {
            assert!(parse(&text).len() <= 5000);
        }
        for text in ["{", "}", "{}", ":", "a:{", "a: }", "\"", "a\n {\n }\n }", "a {}}", "é: ü\n  {"] {
            let _ = parse(text);
        }
    }

    #[test]
    fn lists_have_commas_or_none() {
        for (value, expected) in [
            ("a, b  c,d", &["a", "b", "c", "d"][..]),
            ("./{a,b}/*.cabal libs/{x, y}", &["./{a,b}/*.cabal", "libs/{x,", "y}"]),
            ("\"a dir/\" b", &["a dir/", "b"]),
            ("", &[]),
        ] {
            assert_eq!(words(value), expected, "{value}");
        }
    }
}
