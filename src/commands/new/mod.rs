//! `hsx new`: gathers the facts about a new project, makes its files in memory, and writes all of them or none. The
//! questions are pure (`answers`, `name`); `project::template` handles templates, and `world::follow::scaffold` writes
//! the files.

mod answers;
pub(crate) mod args;
mod name;

use anstyle::{AnsiColor, Style};
use camino::Utf8Path;
use serde_json::json;

use crate::args::Format;
use crate::base::cmd::quote;
use crate::base::error::Error;
use crate::project::template::{BUILTINS, Builtin, File, render};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::scaffold::{self, Git};
use answers::{Answers, answers, values};
use args::NewArgs;

/// Runs `hsx new`.
///
/// # Errors
/// When a flag, an answer or the template is not usable, or the place is taken.
pub(crate) fn run(args: &NewArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    if args.list_templates {
        list_templates(args.output.format, ui);
        return Ok(0);
    }
    let world = World::new(environment, ui)?;
    let place = |name: &str| environment.cwd.join(args.dir.as_deref().unwrap_or(Utf8Path::new(name)));
    if let Some(name) = &args.name {
        // This is checked first, so that nobody answers questions in vain.
        scaffold::is_free(&place(name))?;
    }
    let template = args.template.as_deref().unwrap_or(BUILTINS[0].name);
    let (files, library) = match Builtin::find(template) {
        Some(builtin) => (builtin.files(), builtin.library),
        None => (own_template(template, environment)?, true),
    };
    let identity = scaffold::identity(&world)?;
    let mut ask = |question: &str| ui.ask(question, || world.exec.check());
    let may_ask = !args.yes && ui.has_somebody_to_ask();
    let complain = |error: &Error| ui.error(error);
    let ask: Option<&mut answers::Ask<'_>> = if may_ask { Some(&mut ask) } else { None };
    let answers = answers(args, &identity, library, ask, &complain)?;
    let files = render(&files, &values(&answers, environment.now)?)?;

    let dir = place(&answers.name);
    let git = scaffold::create(&dir, &files, (!args.no_git).then_some(answers.name.as_str()), &world)?;
    if identity.name.is_none() && args.author.is_none() && !may_ask {
        ui.warning(&format!(
            "git does not know your name: {} is the author in `{}.cabal`",
            answers.author, answers.name
        ));
    }
    report(args, &answers, &Made { template, dir: &dir, files: &files, git }, environment, ui);
    Ok(0)
}

fn list_templates(format: Format, ui: &Ui) {
    let text = match format {
        Format::Text => BUILTINS.map(|Builtin { name, about, .. }| format!("{name:<8} {about}\n")).concat(),
        Format::Json | Format::JsonLines => {
            let list: Vec<_> =
                BUILTINS.iter().map(|Builtin { name, about, .. }| json!({ "name": name, "about": about })).collect();
            format!("{:#}\n", json!({ "exit_code": 0, "templates": list }))
        }
    };
    ui.print(&text);
}

/// The files of a directory that the user named as a template.
fn own_template(named: &str, environment: &Environment) -> Result<Vec<File>, Error> {
    scaffold::read_template(&environment.cwd.join(named)).map_err(|error| {
        let known: Vec<_> = BUILTINS.iter().map(|builtin| format!("`{}`", builtin.name)).collect();
        Error::usage(format!("the template `{named}` cannot be read"))
            .said(&error)
            .hint(format!("name a directory, or one of {}", known.join(", ")))
    })
}

/// The project that was made.
struct Made<'a> {
    template: &'a str,
    dir: &'a Utf8Path,
    files: &'a [File],
    git: Git,
}

/// Shows what was made, and what to type next.
fn report(args: &NewArgs, answers: &Answers, made: &Made<'_>, environment: &Environment, ui: &Ui) {
    let Made { template, dir, files, git } = made;
    let shown = dir.strip_prefix(&environment.cwd).unwrap_or(dir);
    let shown = if shown.as_str().is_empty() { Utf8Path::new(".") } else { shown };
    if let Git::Failed(error) = git {
        ui.warning(&format!("{}; the files are all there", error.message));
        ui.details(error);
    }
    let repository = match git {
        Git::Committed => ", a git repository with one commit",
        Git::Failed(_) | Git::None | Git::Within => "",
    };
    ui.status("Created", &format!("`{shown}` from the template `{template}`: {} files{repository}", files.len()));
    for (command, about) in next_steps(shown, answers) {
        let style: Style = AnsiColor::Cyan.on_default();
        ui.status("", &format!("{style}{command}{style:#}{about}"));
    }
    match args.output.format {
        Format::Text => ui.print(&format!("{dir}\n")),
        Format::Json | Format::JsonLines => {
            let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
            let git = match git {
                Git::Committed => "committed",
                Git::Failed(_) => "failed",
                Git::Within => "within another",
                Git::None => "none",
            };
            let document = json!({
                "exit_code": 0, "name": answers.name, "template": template, "directory": dir.as_str(),
                "files": paths, "git": git,
            });
            ui.print(&format!("{document:#}\n"));
        }
    }
}

fn next_steps(dir: &Utf8Path, answers: &Answers) -> Vec<(String, &'static str)> {
    let enter = (dir != ".").then(|| (format!("cd {}", quote(dir.as_str())), ""));
    let build = if answers.executable {
        ("hsx static".to_owned(), "   static executables, in dist-static")
    } else {
        ("cabal test".to_owned(), "")
    };
    enter.into_iter().chain([build]).collect()
}
