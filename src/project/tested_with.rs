//! The field `tested-with:`: the versions of GHC that a package says it was built with.

use crate::base::version::Version;

/// The ranges of GHC versions that a package names. A version is accepted if it is in one of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TestedWith(Vec<Range>);

impl TestedWith {
    /// Reads a field: compilers, each with a range, with or without commas between them. A range that cannot be read
    /// accepts no version. `GHC` alone, or with `-any`, names no version.
    pub(crate) fn parse(field: &str) -> Self {
        let tokens = tokens(field);
        let mut reader = Reader { tokens: &tokens, depth: 0 };
        let mut ranges = Vec::new();
        while let Some((token, rest)) = reader.tokens.split_first() {
            reader.tokens = rest;
            let Token::Word(compiler) = token else { continue };
            let range = reader.starts_range().then(|| reader.range()).flatten();
            if compiler.eq_ignore_ascii_case("ghc") {
                ranges.extend(range.filter(|range| *range != Range::Any));
            }
        }
        Self(ranges)
    }

    /// Whether it names no version.
    pub(crate) fn says_nothing(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn accepts(&self, version: &Version) -> bool {
        self.0.iter().any(|range| range.has(version))
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Range {
    Any,
    None,
    /// An operator and its version, which may end in `.*`.
    Is(String, String),
    All(Vec<Range>),
    One(Vec<Range>),
}

impl Range {
    fn has(&self, version: &Version) -> bool {
        match self {
            Self::Any => true,
            Self::None => false,
            Self::Is(operator, operand) => satisfies(version, operator, operand),
            Self::All(ranges) => ranges.iter().all(|range| range.has(version)),
            Self::One(ranges) => ranges.iter().any(|range| range.has(version)),
        }
    }
}

fn satisfies(version: &Version, operator: &str, operand: &str) -> bool {
    if let Some(beginning) = operand.strip_suffix(".*") {
        return operator == "==" && beginning.parse().is_ok_and(|beginning| version.starts_with(&beginning));
    }
    let Ok(operand) = operand.parse::<Version>() else { return false };
    match operator {
        // Every GHC has three parts, so `==9.6` means the series.
        "==" if operand.len() == 2 => version.starts_with(&operand),
        "==" => *version == operand,
        ">=" => *version >= operand,
        ">" => *version > operand,
        "<=" => *version <= operand,
        "<" => *version < operand,
        // `^>=A.B.C` is `>=A.B.C && <A.(B+1)`.
        "^>=" => *version >= operand && version.starts_with(&operand.series()),
        _ => false,
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    /// A compiler, a version, `-any` or `-none`.
    Word(String),
    /// An operator, a bracket or a comma.
    Sign(String),
}

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let is_word = |c: char| c.is_alphanumeric() || ".*-_".contains(c);
        let is_operator = |c: char| "=<>^".contains(c);
        let length = if rest.starts_with("&&") || rest.starts_with("||") {
            2
        } else if is_word(first) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if is_operator(first) {
            rest.find(|c| !is_operator(c)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let token = rest[..length].to_owned();
        tokens.push(if is_word(first) { Token::Word(token) } else { Token::Sign(token) });
        rest = rest[length..].trim_start();
    }
    tokens
}

struct Reader<'a> {
    tokens: &'a [Token],
    depth: usize,
}

impl Reader<'_> {
    /// How deep brackets may nest.
    const DEPTH: usize = 32;

    fn starts_range(&self) -> bool {
        match self.tokens.first() {
            Some(Token::Sign(sign)) => sign != "," && sign != "&&" && sign != "||",
            Some(Token::Word(word)) => word == "-any" || word == "-none",
            None => false,
        }
    }

    fn takes(&mut self, sign: &str) -> bool {
        let Some((Token::Sign(found), rest)) = self.tokens.split_first() else { return false };
        if found == sign {
            self.tokens = rest;
        }
        found == sign
    }

    fn range(&mut self) -> Option<Range> {
        let mut ranges = vec![self.all()?];
        while self.takes("||") {
            ranges.push(self.all()?);
        }
        Some(if ranges.len() == 1 { ranges.remove(0) } else { Range::One(ranges) })
    }

    fn all(&mut self) -> Option<Range> {
        let mut ranges = vec![self.one()?];
        while self.takes("&&") {
            ranges.push(self.one()?);
        }
        Some(if ranges.len() == 1 { ranges.remove(0) } else { Range::All(ranges) })
    }

    fn one(&mut self) -> Option<Range> {
        if self.takes("(") {
            self.depth += 1;
            let range = (self.depth < Self::DEPTH).then(|| self.range()).flatten();
            self.depth -= 1;
            return range.filter(|_| self.takes(")"));
        }
        let (token, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        match token {
            Token::Word(word) if word == "-any" => Some(Range::Any),
            Token::Word(word) if word == "-none" => Some(Range::None),
            Token::Word(_) => None,
            Token::Sign(operator) => self.operand(operator),
        }
    }

    /// A version, or a set of them: `{9.6.6, 9.8.4}`.
    fn operand(&mut self, operator: &str) -> Option<Range> {
        let is = |version: &String| Range::Is(operator.to_owned(), version.clone());
        if !self.takes("{") {
            let (Token::Word(version), rest) = self.tokens.split_first()? else { return None };
            self.tokens = rest;
            return Some(is(version));
        }
        let mut members = Vec::new();
        while let Some((token, rest)) = self.tokens.split_first() {
            self.tokens = rest;
            match token {
                Token::Word(version) => members.push(is(version)),
                Token::Sign(sign) if sign == "}" => break,
                Token::Sign(_) => {}
            }
        }
        Some(Range::One(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_that_cabal_takes_are_understood() {
        for (field, accepted, refused) in [
            ("GHC == 9.6.*", "9.6.1 9.6.7", "9.8.1 9.4.8"),
            ("GHC ==9.4.8 || ==9.6.6", "9.4.8 9.6.6", "9.6.5"),
            ("GHC ==9.4.8, GHC ==9.6.6", "9.4.8 9.6.6", "9.6.7"),
            ("GHC ==9.4.8 GHC ==9.6.6", "9.4.8 9.6.6", "9.6.7"),
            (", GHC ==9.4.8 , GHC ==9.6.6", "9.4.8 9.6.6", "9.6.7"),
            ("GHC == { 9.4.8, 9.6.6 }", "9.4.8 9.6.6", "9.6.7"),
            ("GHC ^>= { 9.4.8, 9.6.6 }", "9.4.8 9.6.6 9.6.7", "9.4.7 9.6.5 9.8.1"),
            ("GHC ^>= 9.8", "9.8.1 9.8.4", "9.10.1 9.6.7"),
            ("GHC (>=9.4 && <9.7)", "9.4.1 9.6.7", "9.8.1"),
            ("GHC >=9.2 && (<9.4.5 || ^>=9.6.3)", "9.2.1 9.4.4 9.6.3", "9.4.5 9.6.2 9.8.1"),
            ("GHC >=9.4 && <9.6.7 || ==9.6.7", "9.4.1 9.6.7", "9.8.1"),
            ("GHCJS ==8.10.7, GHC ==9.6.6", "9.6.6", "8.10.7"),
            ("ghc==9.6.6||==9.6.5", "9.6.6 9.6.5", "9.6.4"),
            ("GHC == 9.6", "9.6.1 9.6.7", "9.4.8 9.8.1"),
            ("GHC==9.6, GHC==9.8", "9.6.7 9.8.4", "9.10.1"),
            ("GHC -none", "", "9.6.6"),
            ("GHC ((9.6.6", "", "9.6.6"),
            ("GHC ==nonsense, GHC ==9.6.6", "9.6.6", "9.6.5"),
        ] {
            let tested = TestedWith::parse(field);
            for version in accepted.split_whitespace() {
                assert!(tested.accepts(&version.parse().unwrap()), "{field}: {version}");
            }
            for version in refused.split_whitespace() {
                assert!(!tested.accepts(&version.parse().unwrap()), "{field}: {version}");
            }
        }
    }

    #[test]
    fn a_compiler_without_versions_says_nothing() {
        for field in ["GHC", "GHC -any", "GHCJS ==8.4", "", "GHC, GHC", "==9.6.6"] {
            assert!(TestedWith::parse(field).says_nothing(), "{field}");
        }
        let deep = format!("GHC {}", "(".repeat(100_000));
        assert!(TestedWith::parse(&deep).says_nothing());
    }
}
