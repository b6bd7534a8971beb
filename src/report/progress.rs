//! How far a build is, read from the output of cabal and GHC.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::event::Event;

use crate::base::harmless;

/// How many different packages are counted. No real build has more; the limit bounds the memory that output can take.
const PACKAGES: usize = 100_000;

/// What a line of cabal's output reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    Package,
    Module,
}

/// What cabal has reported of a build so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// What hsx does now.
    phase: String,
    /// How many packages are to be built. cabal counts each component as one.
    total: usize,
    is_listing: bool,
    started: BTreeSet<String>,
    package: String,
    /// How long this phase took last time, in seconds.
    pub expected: Option<u64>,
    /// The number of the module, how many there are, and its name.
    module: Option<(u32, u32, String)>,
}

impl Progress {
    /// Begins another phase of the build.
    pub(crate) fn begin(&mut self, phase: &str) {
        *self = Self { phase: phase.to_owned(), ..Self::default() };
    }

    /// Reads a line of output, and returns what it reports that is new.
    pub(crate) fn read(&mut self, line: &str) -> Option<News> {
        let line = line.trim_end();
        if line.starts_with("In order, the following will be built") {
            (self.total, self.is_listing) = (0, true);
            return None;
        }
        if self.is_listing {
            self.is_listing = line.starts_with(" - ");
            self.total += usize::from(self.is_listing);
        }
        if let Some((number, of, module)) = compiled(line) {
            self.module = Some((number, of, module.to_owned()));
            return Some(News::Module);
        }
        let unit = unit(line)?;
        unit.rsplit_once(" for ").map_or(unit, |(_, package)| package).clone_into(&mut self.package);
        self.module = None;
        // cabal prints several lines about each unit; only the first counts.
        (self.started.len() < PACKAGES && self.started.insert(unit.to_owned())).then_some(News::Package)
    }

    /// How many packages cabal has said it will build.
    pub(crate) fn packages(&self) -> usize {
        self.total
    }

    /// The news as an event for programs.
    pub(crate) fn event(&self, news: News) -> Event {
        let package = self.package.clone();
        if let (News::Module, Some((number, of, module))) = (news, &self.module) {
            return Event::Module { package, module: module.clone(), number: *number, of: *of };
        }
        let number = self.started.len();
        Event::Package { package, number, of: self.total.max(number) }
    }

    /// The state as a short line. Numbers come before names, so that a narrow terminal shows what matters most.
    pub(crate) fn text(&self) -> String {
        let mut text = self.phase.clone();
        if !self.package.is_empty() {
            let _ = write!(text, " {}/{}", self.started.len(), self.total.max(self.started.len()));
        }
        if let Some((number, of, _)) = &self.module {
            let _ = write!(text, " [{number}/{of}]");
        }
        if let Some(seconds) = self.expected {
            let _ = write!(text, " ~{seconds}s");
        }
        let module = self.module.iter().map(|(.., name)| name.as_str());
        for name in [self.package.as_str()].into_iter().filter(|name| !name.is_empty()).chain(module) {
            let _ = write!(text, "  {}", harmless::line(name));
        }
        text
    }
}

/// The module that GHC reports to compile: `[ 3 of 28] Compiling Data.Foo ( src/Data/Foo.hs, … )`.
fn compiled(line: &str) -> Option<(u32, u32, &str)> {
    let (numbers, rest) = line.trim_start().strip_prefix('[')?.split_once(']')?;
    let (number, of) = numbers.split_once(" of ")?;
    let (verb, rest) = rest.trim_start().split_once(' ')?;
    let name = rest.split_whitespace().next()?;
    let name = if verb == "Linking" { "linking" } else { name };
    ["Compiling", "Linking"].contains(&verb).then_some(())?;
    Some((number.trim().parse().ok()?, of.trim().parse().ok()?, name))
}

/// The unit that cabal begins to build. For the store cabal prints `Starting     text-2.0 (lib)`; for the project,
/// `Configuring library for dice-0.3.1..`, and then such lines with `Preprocessing` and `Building`.
fn unit(line: &str) -> Option<&str> {
    if let Some(unit) = line.strip_prefix("Starting ") {
        return Some(unit.trim());
    }
    let verbs = ["Configuring ", "Preprocessing ", "Building "];
    let rest = verbs.iter().find_map(|verb| line.strip_prefix(verb))?;
    rest.strip_suffix("..").filter(|unit| unit.contains(" for "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_is_followed() {
        let mut progress = Progress::default();
        progress.begin("building");
        for (line, text) in [
            ("Resolving dependencies...", "building"),
            ("In order, the following will be built (use -v for more details):", "building"),
            (" - random-1.2 (lib) (requires build)", "building"),
            (" - dice-0.3.1 (lib) (first run)", "building"),
            (" - dice-0.3.1 (exe:dice) (first run)", "building"),
            ("Starting     random-1.2 (lib)", "building 1/3  random-1.2 (lib)"),
            ("Building     random-1.2 (lib)", "building 1/3  random-1.2 (lib)"),
            ("Completed    random-1.2 (lib)", "building 1/3  random-1.2 (lib)"),
            ("Configuring library for dice-0.3.1..", "building 2/3  dice-0.3.1"),
            ("Building library for dice-0.3.1..", "building 2/3  dice-0.3.1"),
            ("[ 3 of 28] Compiling Dice.Cli ( src/Dice/Cli.hs, x.o )", "building 2/3 [3/28]  dice-0.3.1  Dice.Cli"),
            ("Building executable 'dice' for dice-0.3.1..", "building 3/3  dice-0.3.1"),
            ("[2 of 2] Linking /hsx/build/x", "building 3/3 [2/2]  dice-0.3.1  linking"),
            (
                "[1 of 1] Compiling \u{1b}]52;c;cHduZWQ=\u{7}X ( x )",
                r"building 3/3 [1/1]  dice-0.3.1  \u{1b}]52;c;cHduZWQ=\u{7}X",
            ),
            ("[2 of 2] Linking /hsx/build/x", "building 3/3 [2/2]  dice-0.3.1  linking"),
            ("[warning]: Building nothing", "building 3/3 [2/2]  dice-0.3.1  linking"),
        ] {
            progress.read(line);
            assert_eq!(progress.text(), text, "{line}");
        }
        assert_eq!(progress.packages(), 3);
        progress.expected = Some(12);
        assert_eq!(progress.text(), "building 3/3 [2/2] ~12s  dice-0.3.1  linking");
        progress.begin("packing");
        assert_eq!(progress.text(), "packing");
    }

    #[test]
    fn what_says_nothing_is_told() {
        let mut progress = Progress::default();
        assert_eq!(progress.read("Build profile: -w ghc-9.6.6 -O1"), None);
        assert_eq!(progress.read("[1 of 1] Compiling Main ( Main.hs )"), Some(News::Module));
        let (package, module) = (String::new(), "Main".to_owned());
        assert_eq!(progress.event(News::Module), Event::Module { package, module, number: 1, of: 1 });
        assert_eq!(progress.read("Configuring library for a-1.."), Some(News::Package));
        assert_eq!(progress.read("Building library for a-1.."), None);
        let package = "a-1".to_owned();
        assert_eq!(progress.event(News::Package), Event::Package { package, number: 1, of: 1 });
    }
}
