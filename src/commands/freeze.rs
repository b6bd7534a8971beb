//! `hsx freeze`: asks the host and the images for versions, translates these to a freeze file, checks it, and writes
//! it.

use camino::Utf8Path;
use clap::Args;
use serde_json::json;

use super::gather::{PlanInputs, gather};
use crate::args::{BuilderArgs, EXIT_CODES, Format, OutputArgs, ResultArgs};
use crate::base::cmd::{LATE_ARGS, Values, late};
use crate::base::error::{Error, ErrorKind};
use crate::base::harmless;
use crate::base::place::Place;
use crate::facts::container_name::Phase;
use crate::plan::builder::{Again, Builder, choose, sequel, with_fallback};
use crate::plan::{Plan, PlatformPlan, Sequel};
use crate::project::freeze::{self, Frozen, Origin, Survey};
use crate::project::{Project, Selection, image};
use crate::report;
use crate::settings::{Arguments, Platforms, Settings};
use crate::steps::ask_host::AskHost;
use crate::steps::index;
use crate::steps::prepare::Prepare;
use crate::steps::solve::{self, Solve};
use crate::steps::step::{Chain, lines};
use crate::steps::write_file::WriteFile;
use crate::tools::cabal;
use crate::tools::engine::{Container, Network};
use crate::tools::system::System;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::doors::{World, write};
use crate::world::follow::{platform, prepare};

/// The late values of a freeze's plan, and their declaration in a printed plan. They are known only after the image has
/// been asked.
const TEXT: &str = "freeze";
const INDEX_STATE: &str = "index_state";
const DECLARATION: &str =
    "# hsx makes a freeze file of what these say; the script goes on with its text and its index-state
: \"${freeze:?the text of the freeze file}\" \"${index_state?its index-state, or nothing}\"";

/// Declares the late values of a build that heeds a freeze, in a printed plan: cabal gets each line as an argument.
pub(crate) const LINES: &str =
    "# the freeze's lines are arguments of cabal: set -- --constraint=LINE --constraint=LINE --index-state=TIME
# and index_state is the later one of its own and the project's
[ $# -gt 0 ] || { echo 'the lines of the freeze file are not set' >&2; exit 1; }
";

const HELP: &str = "\
Pins every dependency at one version, in a cabal.project.freeze that the builder image can honour:
  --from host    at what `cabal freeze` says here, for instance in a Nix shell; without cabal, at
                 what `ghc-pkg` says is installed. What came with a GHC of another version than the
                 image's is dropped, and so is what only holds on this machine: repositories, an
                 index-state that says nothing. Each change is reported, with its reason. Not where
                 the project's files tell cabal what to start: a compiler by its path, commands
                 after a checkout, or what hsx cannot judge, such as an import from elsewhere.
  --from image   at what cabal chooses in the container.
  --from file    at what the present file says, as far as that holds for the image.

cabal in the container has to find a plan with it, for every platform, before it is written. Your
tree is not touched otherwise. Settings are those of `hsx static`.

Examples:
  hsx freeze                                  from cabal here, or else the image
  nix develop -c hsx freeze --force           what a Nix shell has, in place of the present file
  hsx freeze --from image --ghc 9.6.7         for another compiler
  hsx static --freeze                         for one build, and no file
  hsx static --freeze=file                    with the present file, made for another GHC";

/// Write a `cabal.project.freeze` that the builder image can honour
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}"), after_help = "See `hsx freeze --help` for examples and exit codes")]
pub(crate) struct FreezeArgs {
    /// What decides the versions
    #[arg(long, value_enum, default_value_t)]
    from: Origin,

    /// Replace the freeze file that is there
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    builder: BuilderArgs,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `hsx freeze`.
///
/// # Errors
/// When a freeze file exists already, or the image of a platform cannot honour the freeze.
pub(crate) fn run(args: &FreezeArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let result = ResultArgs::default();
    let typed = Arguments { targets: &[], builder: &args.builder, result: &result, platforms: Platforms::Several };
    let gathered = gather(typed, &|project, _| may_write(project, args.force).map(|()| Selection::default()), &world)?;
    let path = gathered.project.root.join(freeze::FILE);
    let mut plan = plan(&gathered, args.from, environment)?;
    plan.file = Some(WriteFile {
        dir: Place::of_user(&gathered.project.root),
        name: freeze::FILE,
        text: late(TEXT),
        force: args.force,
        verb: "Wrote",
    });
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let frozen = follow(&plan, &gathered.project, &gathered.facts.system, &world)?;
    tell_notes(&frozen, ui);
    match args.output.format {
        Format::Text => ui.print(&table(&frozen, path.strip_prefix(&environment.cwd).unwrap_or(&path))),
        Format::Json | Format::JsonLines => {
            let mut document = json(&frozen);
            document["exit_code"] = json!(0);
            document["path"] = json!(path);
            ui.print(&format!("{document:#}\n"));
        }
    }
    Ok(0)
}

fn may_write(project: &Project, force: bool) -> Result<(), Error> {
    if project.freeze_file().is_some() && !force {
        return Err(write::exists(&project.root.join(freeze::FILE)));
    }
    write::is_no_link(&Place::of_user(&project.root), freeze::FILE)
}

/// The plan of a freeze: whom to ask, and how to check what comes of it.
pub(crate) struct FreezePlan {
    /// The steps that come first, and the question to each platform's image.
    surveys: Plan<String>,
    /// The text of the present freeze file, when this is to be translated.
    translated: Option<String>,
    host: Option<AskHost>,
    /// Why the host is not asked although it could be.
    note: Option<String>,
    /// Checks the resulting freeze with each platform's image.
    checks: Vec<Sequel<String>>,
    /// The file that the freeze is written to. `None`: it is for one build.
    file: Option<WriteFile>,
}

impl FreezePlan {
    /// The plan as a shell script.
    pub(crate) fn shell(&self) -> String {
        let Self { surveys, host, note, checks, file, .. } = self;
        let note = note.iter().map(|note| format!("# {}", harmless::line(note)));
        let host = host.iter().map(AskHost::shell);
        let checks = checks.iter().map(|check| check.shell().trim_end().to_owned());
        let file = file.iter().map(WriteFile::shell);
        let rest = note.chain(host).chain([DECLARATION.to_owned()]).chain(checks).chain(file);
        surveys.shell_then(&(lines(rest) + "\n"))
    }
}

/// Decides whom to ask.
///
/// # Errors
/// When the host is to be asked but has neither cabal nor ghc-pkg, or a platform cannot be built for.
pub(crate) fn plan(gathered: &PlanInputs, origin: Origin, environment: &Environment) -> Result<FreezePlan, Error> {
    let PlanInputs { project, settings, facts, .. } = gathered;
    let translated = translated(project, origin)?;
    let (host, note) = host(project, settings, origin, environment)?;
    let (mut surveys, mut checks) = (Vec::new(), Vec::new());
    for (number, build) in settings.platforms.iter().enumerate() {
        let task = if translated.is_none() && host.is_none() && number == 0 { "solve" } else { "ask" };
        let solver = |choice, again| Solver(Builder::new(project, settings, facts, build, choice, again));
        surveys.push(with_fallback(build, facts, |choice, again| solver(choice, again).survey(task))?);
        checks.push(sequel(build, facts, |choice, again| solver(choice, again).check())?);
    }
    let surveys = Plan { prepare: Prepare::all(project, facts), platforms: surveys, ..Plan::default() };
    Ok(FreezePlan { surveys, translated, host, note, checks, file: None })
}

/// The text of the project's freeze file, when it is to be translated.
fn translated(project: &Project, origin: Origin) -> Result<Option<String>, Error> {
    if origin != Origin::File {
        return Ok(None);
    }
    let none = || Error::usage(format!("there is no `{}`", project.root.join(freeze::FILE)));
    project.freeze_file().map(|text| Some(text.to_owned())).ok_or_else(none)
}

/// The step that asks the host. `None`: the image is asked instead, perhaps with a note that says why.
///
/// cabal obeys the project, also in what it starts. So the host is not asked when the project's files name a program.
fn host(
    project: &Project,
    settings: &Settings,
    origin: Origin,
    environment: &Environment,
) -> Result<(Option<AskHost>, Option<String>), Error> {
    let has_cabal = environment.find("cabal").is_some();
    if matches!(origin, Origin::Image | Origin::File) || (origin == Origin::Auto && !has_cabal) {
        return Ok((None, None));
    }
    if has_cabal && !project.starts.is_empty() {
        if origin == Origin::Auto {
            let note = format!(
                "the container's cabal chooses the versions: cabal here would obey {}",
                project.starts.join(", ")
            );
            return Ok((None, Some(note)));
        }
        let mut error = Error::usage("cabal here would obey the project in what it starts on your machine");
        error.said.clone_from(&project.starts);
        return Err(error
            .hint("let the container's cabal choose: `--from image`")
            .hint("where you trust the project: `cabal freeze`, then `hsx freeze --from file --force`"));
    }
    let of_compiler = project.with_compiler.as_deref().and_then(image::compiler_version);
    // The shell may lack the compiler that the project names, and have another one.
    let is_there = |program: &str| environment.find(program).is_some();
    let other = project.with_compiler.as_deref().is_some_and(|named| !is_there(named)) && is_there("ghc");
    let names = of_compiler.map(|version| format!("ghc-pkg-{version}")).into_iter().chain(["ghc-pkg".to_owned()]);
    let ghc_pkg = names.into_iter().find(|name| is_there(name));
    if !has_cabal && ghc_pkg.is_none() {
        return Err(Error::host("there is neither `cabal` nor `ghc-pkg` on PATH to freeze from").hint(
            "run it where they are (`nix develop -c hsx freeze`), or let the container's cabal choose: `--from image`",
        ));
    }
    let compiler = other.then(|| "--with-compiler=ghc".to_owned());
    let (top, below) = project.place();
    let task = if has_cabal { "solve" } else { "ask" };
    let words = [ghc_pkg.unwrap_or_default(), task.to_owned(), top.to_string(), below];
    let words = words.into_iter().chain(compiler).chain(settings.cabal_args.iter().cloned());
    Ok((Some(AskHost::new(words)), None))
}

/// Asks GHC and cabal in the builder of a platform.
struct Solver<'a>(Builder<'a>);

impl Solver<'_> {
    /// Asks for the versions in the image. For the task "solve", it also asks what cabal freezes the project at.
    fn survey(&self, task: &str) -> PlatformPlan<String> {
        let index_state = self.0.project.index_state.clone().unwrap_or_default();
        let first = [task.to_owned(), index_state];
        let status = ("Asking", "what there is to build with");
        let survey = self.solve(solve::SURVEY, first, &[], status, "cabal freeze failed");
        self.plan(self.0.preparation(), survey)
    }

    fn check(&self) -> PlatformPlan<String> {
        let first = [late(TEXT), late(INDEX_STATE)];
        let status = ("Checking", "that cabal finds a plan with it");
        let failure = "the container cannot honour the freeze";
        self.plan(Vec::new(), self.solve(solve::CHECK, first, &["all".to_owned()], status, failure))
    }

    fn solve(
        &self,
        script: &str,
        first: [String; 2],
        targets: &[String],
        status: (&'static str, &'static str),
        failure: &'static str,
    ) -> Solve {
        let Builder { project, settings, host, .. } = &self.0;
        let (_, below) = project.place();
        // cabal solves in a build directory of its own, so that the plan of the builds does not change.
        let cabal_args = cabal::solve_args(targets, &settings.cabal_args);
        let args = [index::heed()].into_iter().chain(first).chain([below]).chain(cabal_args).collect();
        let network = if settings.offline { Network::None } else { Network::Default };
        let parts = self.0.parts(Phase::Freeze);
        let cmd = host.engine.run(&Container { network, ..self.0.container(&parts, script, args) });
        Solve { cmd, index: self.0.index(), status, failure }
    }

    fn plan(&self, preparation: Vec<Chain<()>>, solve: Solve) -> PlatformPlan<String> {
        let names = self.0.container_names(&[Phase::Copy, Phase::Cross, Phase::Index, Phase::Freeze]);
        self.0.plan(&self.0.key, &names, self.0.locks(), preparation, solve)
    }
}

/// Follows the plan, and returns a freeze that every platform's image can honour.
///
/// # Errors
/// When a tool fails, or an image cannot honour the freeze.
pub(crate) fn follow(
    plan: &FreezePlan,
    project: &Project,
    system: &System,
    world: &World<'_>,
) -> Result<Frozen, Error> {
    let FreezePlan { surveys, translated, host, note, checks, file } = plan;
    prepare(surveys, world)?;
    let host = host.as_ref().map(|step| step.follow(world)).transpose()?;
    let (mut images, mut strategies) = (Vec::new(), Vec::new());
    for survey in &surveys.platforms {
        let platform = survey.job.platform;
        let outcome = platform::follow(survey, &Values::default(), system, world);
        let answer = outcome.result.map_err(|error| error.on(platform))?;
        images.push((platform, Survey::parse(&answer)));
        strategies.push(outcome.choice.strategy);
    }
    let own: Vec<_> = project.packages.iter().map(|package| package.name.as_str()).collect();
    let text = match (translated, &host) {
        (Some(file), _) => file.clone(),
        (None, Some(host)) => host.freeze.clone().unwrap_or_else(|| host.freeze_installed(&own)),
        (None, None) => images.first().and_then(|(_, image)| image.freeze.clone()).unwrap_or_default(),
    };
    let mut frozen = freeze::translate(&text, host.as_ref(), &images);
    frozen.notes.extend(note.clone());
    let words = [(TEXT, frozen.text()), (INDEX_STATE, frozen.time().unwrap_or_default())].into();
    let values = Values { words, args: Vec::new() };
    for (check, strategy) in checks.iter().zip(strategies) {
        let check = check.after(strategy);
        let checked = platform::follow(check, &values, system, world).result;
        checked.map_err(|error| match error.on(check.job.platform) {
            error if error.kind == ErrorKind::Build => error.hint("let the container's cabal choose: `--from image`"),
            error => error,
        })?;
    }
    if let Some(file) = file {
        file.follow(&values, world)?;
    }
    Ok(frozen)
}

/// Makes the plan of a build use the versions of a freeze that is made before it, as late values.
///
/// # Errors
/// When a platform cannot be built for, or the file that hides the project's own cannot be made.
pub(crate) fn heed(gathered: &mut PlanInputs, world: &World<'_>) -> Result<(), Error> {
    let PlanInputs { project, settings, facts, .. } = gathered;
    // The freeze's plan is followed first, so its images and volumes exist by then.
    let mut prepared = facts.clone();
    for build in &settings.platforms {
        let choice = choose(build, build.strategy, facts)?;
        Builder::new(project, settings, facts, build, choice, Again::Yes).prepare(&mut prepared);
    }
    *facts = prepared;
    settings.cabal_args.push(late(LATE_ARGS));
    project.index_state = Some(late(INDEX_STATE));
    if project.freeze_file().is_some() {
        project.hide(freeze::FILE, world.state.empty_file()?);
    }
    Ok(())
}

/// The late values of a build that heeds a freeze. `own` is the index-state of the project's own files.
pub(crate) fn values(frozen: &Frozen, own: Option<String>) -> Values {
    let index_state = frozen.time().max(own).unwrap_or_default();
    Values { words: [(INDEX_STATE, index_state)].into(), args: frozen.arguments() }
}

/// Tells what was dropped or changed for a freeze that is written to no file.
pub(crate) fn tell(frozen: &Frozen, ui: &Ui) {
    let dropped = frozen.changes.iter().map(|change| format!("{}: {}", change.shown(), change.reason));
    dropped.for_each(|change| ui.status("Freezing", &change));
    tell_notes(frozen, ui);
}

/// The changes of a freeze as a table, for people.
fn table(frozen: &Frozen, path: &Utf8Path) -> String {
    let mut rows = vec![["CHANGE", "LINE", "REASON"].map(str::to_owned).to_vec()];
    rows.extend(frozen.changes.iter().map(|change| {
        let shown = change.shown();
        let (action, line) = shown.split_once(' ').unwrap_or_default();
        vec![action.to_owned(), line.to_owned(), change.reason.clone()]
    }));
    let changes = if frozen.changes.is_empty() { String::new() } else { report::render(&rows) };
    format!("{changes}{path}: {} constraints\n", frozen.constraints.len())
}

fn tell_notes(frozen: &Frozen, ui: &Ui) {
    frozen.notes.iter().for_each(|note| ui.warning(note));
}

/// A freeze as JSON, for programs.
pub(crate) fn json(frozen: &Frozen) -> serde_json::Value {
    json!({ "text": frozen.text(), "changes": frozen.changes, "notes": frozen.notes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_stands_as_it_was_written() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 100, "clap would wrap: {line}");
        }
    }
}
