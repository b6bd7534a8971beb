//! Templates of new projects: those that are built into hsx, and how any template becomes files.
//!
//! A template is a directory. Its files are written as they are, except for placeholders in their paths and texts:
//! `{= name =}`, and `{% if nix %}` … `{% endif %}`. GitHub's `${{ }}` and the braces of Haskell and Nix are left
//! alone. A file that its conditions leave empty is not written.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use minijinja::syntax::SyntaxConfig;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use crate::base::error::Error;

/// A template that is built into hsx.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Builtin {
    pub name: &'static str,
    pub about: &'static str,
    /// Whether its projects have a library by default, beside their executable.
    pub library: bool,
    own: &'static [(&'static str, &'static str)],
}

/// Embeds files of a directory below `templates/`, each as its path and its text.
macro_rules! embed {
    ($dir:literal, [$($path:literal),* $(,)?]) => {
        &[$(($path, include_str!(concat!("../../templates/", $dir, "/", $path)))),*]
    };
}

const COMMON: &[(&str, &str)] = embed!(
    "common",
    [
        ".editorconfig",
        ".github/workflows/ci.yml",
        ".gitignore",
        ".hlint.yaml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "cabal.project",
        "flake.nix",
        "fourmolu.yaml",
        "hsx.toml",
    ]
);

pub(crate) const BUILTINS: [Builtin; 2] = [
    Builtin {
        name: "cli",
        about: "A library and a thin executable with optparse-applicative; `--version` tells the git commit",
        library: true,
        own: embed!(
            "cli",
            [
                "app/Main.hs",
                "src/{=module=}.hs",
                "src/{=module=}/Cli.hs",
                "src/{=module=}/Commit.hs",
                "test/Main.hs",
                "{=name=}.cabal",
            ]
        ),
    },
    Builtin {
        name: "minimal",
        about: "An executable that needs nothing but base",
        library: false,
        own: embed!("minimal", ["app/Main.hs", "src/{=module=}.hs", "test/Main.hs", "{=name=}.cabal"]),
    },
];

const LICENSES: &[(&str, &str)] = embed!("licenses", ["Apache-2.0", "BSD-3-Clause", "MIT", "MPL-2.0"]);

/// The text of a licence, by its SPDX identifier, with placeholders.
pub(crate) fn license_text(id: &str) -> Option<&'static str> {
    LICENSES.iter().find(|(known, _)| *known == id).map(|(_, text)| *text)
}

/// A file, of a template or of a project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub path: Utf8PathBuf,
    pub content: Vec<u8>,
    pub executable: bool,
}

impl Builtin {
    pub(crate) fn find(name: &str) -> Option<Self> {
        BUILTINS.into_iter().find(|builtin| builtin.name == name)
    }

    pub(crate) fn files(self) -> Vec<File> {
        let files = COMMON.iter().chain(self.own);
        let file = |(path, text): &(&str, &str)| File {
            path: path.into(),
            content: text.as_bytes().into(),
            executable: false,
        };
        files.map(file).collect()
    }
}

/// The values of the placeholders, by name.
pub(crate) type Values = BTreeMap<&'static str, Value>;

/// Makes the files of a project from those of a template.
///
/// # Errors
/// When a file is not a valid template, uses a placeholder that does not exist, or would get a path outside the project
/// or the path of another file. Also when there are no files.
pub(crate) fn render(files: &[File], values: &Values) -> Result<Vec<File>, Error> {
    let environment = environment()?;
    let mut rendered: Vec<File> = Vec::new();
    let mut paths = BTreeSet::new();
    for file in files {
        let place = Place { file: &file.path, in_path: true };
        let path = Utf8PathBuf::from(fill(&environment, file.path.as_str(), values, place)?);
        if !is_inside(&path) {
            return Err(Error::usage(format!("the template's `{}` would be written to `{path}`", file.path))
                .hint("a path is relative, and leads down only"));
        }
        let content = match std::str::from_utf8(&file.content) {
            Ok(text) => fill(&environment, text, values, Place { in_path: false, ..place })?.into_bytes(),
            // Not text but a picture, say: it is copied as it is.
            Err(_) => file.content.clone(),
        };
        if content.is_empty() && !file.content.is_empty() {
            continue;
        }
        if !paths.insert(path.clone()) {
            return Err(Error::usage(format!("the template has two files for `{path}`")));
        }
        rendered.push(File { path, content, executable: file.executable });
    }
    if rendered.is_empty() {
        return Err(Error::usage("the template has no file to write"));
    }
    rendered.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(rendered)
}

/// Fills in one text that is built into hsx.
///
/// # Errors
/// As for [`render`].
pub(crate) fn fill_in(text: &str, values: &Values) -> Result<String, Error> {
    fill(&environment()?, text, values, Place { file: "LICENSE".into(), in_path: false })
}

fn environment() -> Result<Environment<'static>, Error> {
    let syntax = SyntaxConfig::builder()
        .variable_delimiters("{=", "=}")
        .block_delimiters("{%", "%}")
        .comment_delimiters("{=#", "#=}")
        .trim_blocks(true)
        .lstrip_blocks(true)
        .keep_trailing_newline(true)
        .build()
        .map_err(|error| Error::usage("the template syntax is not usable").said(&error.to_string()))?;
    let mut environment = Environment::new();
    environment.set_syntax(syntax);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("quote", |text: String| quote(&text));
    Ok(environment)
}

/// `text` as a string literal of Haskell, JSON, TOML and YAML.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Where a placeholder stands.
#[derive(Clone, Copy)]
struct Place<'a> {
    file: &'a Utf8Path,
    in_path: bool,
}

fn fill(environment: &Environment<'_>, text: &str, values: &Values, place: Place<'_>) -> Result<String, Error> {
    let Place { file, in_path } = place;
    let whole = if in_path { "path" } else { "text" };
    let invalid = |error: &minijinja::Error| {
        let line = error.line().filter(|_| !in_path).map_or(String::new(), |line| format!(", line {line}"));
        let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
        Error::usage(format!("the {whole} of the template's `{file}` is not valid{line}"))
            .said(&detail)
            .hint("`hsx new --help` tells what a template may contain; `{% raw %}` … `{% endraw %}` is left as it is")
    };
    let template = environment.template_from_str(text).map_err(|error| invalid(&error))?;
    // All placeholders are checked, also those in branches not taken: the next project may have other options.
    let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
    unknown.retain(|name| !values.contains_key(name.as_str()) && environment.globals().all(|(known, _)| known != name));
    unknown.sort();
    if let Some(name) = unknown.first() {
        let known: Vec<_> = values.keys().map(|name| format!("`{name}`")).collect();
        return Err(Error::usage(format!(
            "the {whole} of the template's `{file}` has an unknown placeholder `{name}`"
        ))
        .hint(format!("placeholders: {}", known.join(", "))));
    }
    template.render(values.clone()).map_err(|error| invalid(&error))
}

fn is_inside(path: &Utf8Path) -> bool {
    let normal = |part| matches!(part, Utf8Component::Normal(_));
    !path.as_str().is_empty() && path.components().all(normal) && !path.as_str().contains(['\n', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> File {
        File { path: path.into(), content: text.as_bytes().into(), executable: false }
    }

    fn values() -> Values {
        Values::from([
            ("name", Value::from("demo")),
            ("nix", Value::from(false)),
            ("author", Value::from("../Ada")),
            ("synopsis", Value::from(r#"Says "hi" \ bye"#)),
        ])
    }

    #[test]
    fn placeholders_are_filled_in_and_nothing_else_is_touched() {
        for (text, filled) in [
            ("name: {= name =}\n", "name: demo\n"),
            ("{=name=}", "demo"),
            ("{= synopsis | quote =}", r#""Says \"hi\" \\ bye""#),
            ("a\n  {% if nix %}\nb\n  {% endif %}\nc\n", "a\nc\n"),
            ("{% if not nix %}\nb\n{% endif %}\n\nc", "b\n\nc"),
            (
                "${{ github.ref }} {{x}} {-# LANGUAGE X #-} ${x} {#c #}",
                "${{ github.ref }} {{x}} {-# LANGUAGE X #-} ${x} {#c #}",
            ),
            ("a{=# a note #=}b", "ab"),
            ("{% raw %}{= x =}{% endraw %}", "{= x =}"),
            ("{% for x in range(2) %}{= loop.index =}{= x =}{% endfor %}", "1021"),
            ("{% set shout = name | upper %}{= shout =}", "DEMO"),
            ("no newline at the end", "no newline at the end"),
        ] {
            let made = render(&[file("f", text)], &values()).unwrap();
            assert_eq!(String::from_utf8_lossy(&made[0].content), filled, "{text}");
        }
    }

    #[test]
    fn what_conditions_leave_empty_is_not_written() {
        let files = [file("empty", ""), file("nix", "{% if nix %}\n{ }\n{% endif %}\n"), file("src/{=name=}.hs", "x")];
        let made = render(&files, &values()).unwrap();
        let paths: Vec<_> = made.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["empty", "src/demo.hs"]);
    }

    #[test]
    fn other_files_stay_as_they_are() {
        let picture = File { path: "logo".into(), content: vec![0xff, b'{', b'='], executable: true };
        assert_eq!(render(std::slice::from_ref(&picture), &values()).unwrap(), [picture]);
    }

    #[test]
    fn a_template_that_is_not_usable_is_refused() {
        for (path, text, message, said) in [
            (
                "a",
                "{% if nix %}{= nmae =}{% endif %}",
                "the text of the template's `a` has an unknown placeholder `nmae`",
                "",
            ),
            ("{=x=}.md", "", "the path of the template's `{=x=}.md` has an unknown placeholder `x`", ""),
            ("a", "1\n{% if nix %}", "the text of the template's `a` is not valid, line 2", "unexpected end of input"),
            ("a", "{= name | nope =}", "the text of the template's `a` is not valid, line 1", "filter nope is unknown"),
            ("{=author=}", "", "the template's `{=author=}` would be written to `../Ada`", ""),
        ] {
            let error = render(&[file(path, text)], &values()).unwrap_err();
            assert_eq!(error.message, message);
            assert!(error.said.concat().contains(said), "{error:?}");
        }
        let twice = render(&[file("demo", "1"), file("{=name=}", "2")], &values()).unwrap_err();
        assert_eq!(twice.message, "the template has two files for `demo`");
        let none = render(&[file("a", "{% if nix %}a{% endif %}")], &values()).unwrap_err();
        assert_eq!(none.message, "the template has no file to write");
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the files are compared with what is embedded")]
    fn every_file_of_templates_is_embedded() {
        let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let embedded: BTreeSet<_> = [("common", COMMON), ("licenses", LICENSES)]
            .into_iter()
            .chain(BUILTINS.map(|builtin| (builtin.name, builtin.own)))
            .flat_map(|(dir, files)| files.iter().map(move |(path, _)| format!("{dir}/{path}")))
            .collect();
        let files = walkdir::WalkDir::new(&root).into_iter().map(Result::unwrap);
        let there = files.filter(|entry| entry.file_type().is_file());
        let there = there.map(|entry| entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
        assert_eq!(there.collect::<BTreeSet<_>>(), embedded);
    }
}
