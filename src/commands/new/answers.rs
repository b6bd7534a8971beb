//! The facts about a new project: from flags, from answers to questions, or from defaults. Only the asking has an
//! effect.

use clap::ValueEnum;
use minijinja::Value;

use super::args::{Component, License, NewArgs};
use super::name;
use crate::base::date;
use crate::base::error::Error;
use crate::base::version::{Version, is_older};
use crate::facts::Identity;
use crate::project::image;
use crate::project::template::{Values, fill_in, license_text};

/// Everything that a template can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answers {
    pub name: String,
    pub synopsis: String,
    pub author: String,
    pub maintainer: String,
    /// The repository on GitHub, as `OWNER/REPOSITORY`.
    pub github: Option<String>,
    pub license: License,
    pub ghc: String,
    pub library: bool,
    pub executable: bool,
    pub nix: bool,
}

/// Shows a question to a person, and returns the line that they typed, without its end.
pub(crate) type Ask<'a> = dyn FnMut(&str) -> Result<String, Error> + 'a;

/// Shows why an answer is not usable.
pub(crate) type Complain<'a> = dyn Fn(&Error) + 'a;

/// Takes the values of flags, asks for the others when there is somebody to ask, and takes defaults otherwise.
/// `library` says whether the template has a library by default.
///
/// # Errors
/// When a value is not usable, there is no name, or the person cancels.
pub(crate) fn answers(
    args: &NewArgs,
    identity: &Identity,
    library: bool,
    ask: Option<&mut Ask<'_>>,
    complain: &Complain<'_>,
) -> Result<Answers, Error> {
    let mut interview = Interview { ask, complain };
    let typed = |text: &Option<String>| text.clone();
    let name = interview.take(typed(&args.name), "Name of the package", "", name::parse)?;
    let has_executable = args.components.is_empty() || args.components.contains(&Component::Executable);
    let synopsis = format!("The {name} {}", if has_executable { "program" } else { "library" });
    let synopsis = interview.take(typed(&args.synopsis), "What it is, in a line", &synopsis, |text| {
        if text.is_empty() { Err(Error::usage("a line about the project is needed")) } else { line(text) }
    })?;
    let authors = format!("The {name} authors");
    let author = identity.name.as_deref().unwrap_or(&authors);
    let author = interview.take(typed(&args.author), "Author", author, person)?;
    let maintainer = identity.email.as_deref().unwrap_or(&author);
    let maintainer = interview.take(typed(&args.maintainer), "Maintainer's address", maintainer, person)?;
    let github = identity.github.as_ref().map_or(String::new(), |user| format!("{user}/{name}"));
    let github = interview.take(typed(&args.github), "GitHub repository, OWNER/NAME, `none`", &github, repository)?;
    let license = args.license.map(|license| license.id().to_owned());
    let license =
        interview.take(license, "Licence: MIT, BSD-3-Clause, Apache-2.0, MPL-2.0, `none`", "MIT", License::parse)?;
    let ghc = interview.take(typed(&args.ghc), "GHC", image::DEFAULT_GHC, compiler)?;
    let both = if library { "library,executable" } else { "executable" };
    let typed_components: Vec<_> = args.components.iter().map(|component| component.word()).collect();
    let typed_components = (!typed_components.is_empty()).then(|| typed_components.join(","));
    let components = interview.take(typed_components, "Components: library, executable, or both", both, components)?;
    let nix = args.nix.map(|nix| if nix { "yes" } else { "no" }.to_owned());
    let nix = interview.take(nix, "Nix flake", "no", yes_or_no)?;
    Ok(Answers {
        synopsis,
        author,
        maintainer,
        github,
        license,
        ghc,
        library: components.contains(&Component::Library),
        executable: components.contains(&Component::Executable),
        nix,
        name,
    })
}

struct Interview<'a, 'b> {
    ask: Option<&'a mut Ask<'b>>,
    complain: &'a Complain<'a>,
}

impl Interview<'_, '_> {
    /// One answer: the value of a flag, what the person typed, or the default.
    fn take<T>(
        &mut self,
        typed: Option<String>,
        question: &str,
        default: &str,
        parse: impl Fn(&str) -> Result<T, Error>,
    ) -> Result<T, Error> {
        if let Some(typed) = typed {
            return parse(typed.trim());
        }
        let Some(ask) = &mut self.ask else { return parse(default) };
        let offered = if default.is_empty() { String::new() } else { format!(" [{default}]") };
        loop {
            let said = ask(&format!("{question}{offered}: "))?;
            let said = said.trim();
            match parse(if said.is_empty() { default } else { said }) {
                Ok(answer) => return Ok(answer),
                Err(error) => (self.complain)(&error),
            }
        }
    }
}

/// One line of text that fits a field of a `.cabal` file.
fn line(text: &str) -> Result<String, Error> {
    if text.contains(char::is_control) {
        return Err(Error::usage(format!("`{}` is not one line of text", text.escape_debug())));
    }
    Ok(text.to_owned())
}

fn person(text: &str) -> Result<String, Error> {
    if text.is_empty() { Err(Error::usage("somebody must be named")) } else { line(text) }
}

/// A repository as `OWNER/NAME`, in GitHub's spelling. `None`: the text is empty or `none`.
fn repository(text: &str) -> Result<Option<String>, Error> {
    if text.is_empty() || text == "none" {
        return Ok(None);
    }
    let short = text.trim_start_matches("https://").trim_start_matches("github.com/").trim_end_matches(".git");
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c)) && word != ".."
    };
    match short.split_once('/') {
        Some((owner, name)) if is_word(owner) && is_word(name) => Ok(Some(short.to_owned())),
        _ => Err(Error::usage(format!("`{text}` is no repository of GitHub"))
            .hint("it is written `OWNER/NAME`; `none` if there is none")),
    }
}

/// The full version of a GHC, which `with-compiler:` needs.
fn compiler(text: &str) -> Result<String, Error> {
    let version = image::full_version(text).ok_or_else(|| {
        Error::usage(format!("there is no GHC {text}"))
            .hint(format!("`{}` or a series, such as `9.6`", image::DEFAULT_GHC))
    })?;
    if is_older(&version, OLDEST_GHC) != Some(false) {
        return Err(Error::usage(format!("the templates need GHC {OLDEST_GHC} or newer, for the language GHC2021")));
    }
    Ok(version)
}

/// The first series of GHC that knows the language GHC2021.
const OLDEST_GHC: &str = "9.2";

/// The version of base that comes with a GHC: 4.18 with 9.6. GHC's series have even numbers, and each brings the next
/// version of base.
fn base(ghc: &str) -> String {
    let series = ghc.parse::<Version>().ok().and_then(|version| version.minor());
    format!("4.{}", 15 + series.unwrap_or(2) / 2)
}

fn components(text: &str) -> Result<Vec<Component>, Error> {
    if text == "both" {
        return Ok(vec![Component::Library, Component::Executable]);
    }
    let words = text.split([',', ' ']).filter(|word| !word.is_empty());
    let components = words.map(|word| Component::from_str(word, true)).collect::<Result<Vec<_>, _>>();
    components.ok().filter(|components| !components.is_empty()).ok_or_else(|| {
        Error::usage(format!("`{text}` is not what a package consists of")).hint("`library`, `executable` or `both`")
    })
}

fn yes_or_no(text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "y" | "yes" | "true" => Ok(true),
        "n" | "no" | "false" => Ok(false),
        _ => Err(Error::usage(format!("`{text}` is neither `yes` nor `no`"))),
    }
}

impl License {
    fn parse(text: &str) -> Result<Self, Error> {
        Self::from_str(text, true).map_err(|_| {
            let known: Vec<_> = Self::value_variants().iter().map(|license| format!("`{}`", license.id())).collect();
            Error::usage(format!("`{text}` is no licence that hsx has")).hint(known.join(", "))
        })
    }

    /// The licence's name on the command line: its SPDX identifier, if it has one.
    pub(crate) fn id(self) -> &'static str {
        match self {
            Self::Mit => "MIT",
            Self::Bsd3Clause => "BSD-3-Clause",
            Self::Apache2 => "Apache-2.0",
            Self::Mpl2 => "MPL-2.0",
            Self::None => "none",
        }
    }
}

impl Component {
    fn word(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::Executable => "executable",
        }
    }
}

/// The values for the placeholders of a template.
///
/// # Errors
/// When the text of a licence has an error.
pub(crate) fn values(answers: &Answers, now: i64) -> Result<Values, Error> {
    let index_state = date::index_state(now);
    // cabal's field takes an SPDX expression, and a package with `NONE` may not be distributed.
    let license = if answers.license == License::None { "LicenseRef-AllRightsReserved" } else { answers.license.id() };
    let mut values = Values::from([
        ("name", Value::from(&answers.name)),
        ("module", Value::from(name::module(&answers.name))),
        ("synopsis", Value::from(&answers.synopsis)),
        ("author", Value::from(&answers.author)),
        ("maintainer", Value::from(&answers.maintainer)),
        ("github", Value::from(answers.github.as_deref().unwrap_or_default())),
        ("license", Value::from(license)),
        ("ghc", Value::from(&answers.ghc)),
        ("base", Value::from(base(&answers.ghc))),
        ("library", Value::from(answers.library)),
        ("executable", Value::from(answers.executable)),
        ("nix", Value::from(answers.nix)),
        ("year", Value::from(date::year(now))),
        ("index_state", Value::from(index_state)),
        ("hsx_repository", Value::from(env!("CARGO_PKG_REPOSITORY"))),
    ]);
    let text = license_text(answers.license.id()).unwrap_or_default();
    values.insert("license_text", Value::from(fill_in(text, &values)?));
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(args: &NewArgs, said: &[&str]) -> (Result<Answers, Error>, Vec<String>) {
        let (mut said, mut questions) = (said.iter(), Vec::new());
        let mut ask = |question: &str| {
            questions.push(question.to_owned());
            said.next().map(|text| (*text).to_owned()).ok_or_else(|| Error::usage("left"))
        };
        let identity = Identity {
            name: Some("Ada".to_owned()),
            email: Some("ada@example.org".to_owned()),
            github: Some("ada".to_owned()),
        };
        let result = answers(args, &identity, true, Some(&mut ask), &|_| {});
        (result, questions)
    }

    #[test]
    fn only_what_is_lacking_is_asked_for() {
        let args = NewArgs {
            name: Some("demo".to_owned()),
            license: Some(License::Mpl2),
            components: vec![Component::Executable],
            nix: Some(true),
            ..NewArgs::default()
        };
        let (answers, questions) = decide(&args, &["", "", "", "none", "9.6"]);
        assert_eq!(
            questions,
            [
                "What it is, in a line [The demo program]: ",
                "Author [Ada]: ",
                "Maintainer's address [ada@example.org]: ",
                "GitHub repository, OWNER/NAME, `none` [ada/demo]: ",
                "GHC [9.10.3]: ",
            ]
        );
        let answers = answers.unwrap();
        assert_eq!((answers.github, answers.ghc.as_str()), (None, "9.6.7"));
        assert_eq!((answers.library, answers.executable, answers.nix), (false, true, true));
        assert_eq!((answers.author.as_str(), answers.license), ("Ada", License::Mpl2));
    }

    #[test]
    fn an_answer_that_will_not_do_is_asked_for_again() {
        let said = ["my_app", "my-app", "", "", "", "nope", "", "gpl", "mit", "", "", "perhaps", "y"];
        let (answers, questions) = decide(&NewArgs::default(), &said);
        let answers = answers.unwrap();
        assert_eq!((answers.name.as_str(), answers.nix, answers.license), ("my-app", true, License::Mit));
        assert_eq!(answers.github.as_deref(), Some("ada/my-app"));
        assert_eq!(questions.len(), said.len());
        assert_eq!(decide(&NewArgs::default(), &["x"]).0.unwrap_err().message, "left");
    }

    #[test]
    fn without_anybody_to_ask_there_are_defaults() {
        let args = NewArgs { name: Some("demo".to_owned()), ..NewArgs::default() };
        let answers = answers(&args, &Identity::default(), false, None, &|_| {}).unwrap();
        assert_eq!((answers.author.as_str(), answers.maintainer.as_str()), ("The demo authors", "The demo authors"));
        assert_eq!((answers.github, answers.license, answers.nix), (None, License::Mit, false));
        assert_eq!((answers.ghc.as_str(), answers.library, answers.executable), (image::DEFAULT_GHC, false, true));
        let error = super::answers(&NewArgs::default(), &Identity::default(), false, None, &|_| {}).unwrap_err();
        assert_eq!(error.message, "a project needs a name");
    }

    #[test]
    fn what_is_typed_must_be_usable() {
        for (args, message) in [
            (NewArgs { github: Some("ada".to_owned()), ..NewArgs::default() }, "`ada` is no repository of GitHub"),
            (NewArgs { github: Some("a/b/c".to_owned()), ..NewArgs::default() }, "`a/b/c` is no repository of GitHub"),
            (NewArgs { synopsis: Some("a\nb".to_owned()), ..NewArgs::default() }, "`a\\nb` is not one line of text"),
            (NewArgs { author: Some(String::new()), ..NewArgs::default() }, "somebody must be named"),
            (NewArgs { ghc: Some("9.99".to_owned()), ..NewArgs::default() }, "there is no GHC 9.99"),
            (NewArgs { ghc: Some("latest".to_owned()), ..NewArgs::default() }, "there is no GHC latest"),
            (
                NewArgs { ghc: Some("8.10.7".to_owned()), ..NewArgs::default() },
                "the templates need GHC 9.2 or newer, for the language GHC2021",
            ),
        ] {
            let args = NewArgs { name: Some("demo".to_owned()), ..args };
            assert_eq!(answers(&args, &Identity::default(), false, None, &|_| {}).unwrap_err().message, message);
        }
    }

    #[test]
    fn repositories_are_recognised() {
        for text in
            ["ada/demo", "https://github.com/ada/demo", "https://github.com/ada/demo.git", "github.com/ada/demo"]
        {
            assert_eq!(repository(text).unwrap().as_deref(), Some("ada/demo"));
        }
    }

    #[test]
    fn each_ghc_has_its_base() {
        for (ghc, base_version) in [("9.2.8", "4.16"), ("9.6.6", "4.18"), ("9.10.3", "4.20"), ("9.14.1", "4.22")] {
            assert_eq!(base(ghc), base_version);
        }
    }
}
