//! `hsx test`: builds the project's test suites and runs them in the container of each platform.

use std::time::Instant;

use clap::Args;

use super::gather::{PlanInputs, gather};
use crate::args::{BuilderArgs, EXIT_CODES, Format, OutputArgs, ResultArgs};
use crate::base::cmd::Values;
use crate::base::error::{Error, ErrorKind};
use crate::facts::container_name::Phase;
use crate::facts::{Facts, strategy, test_key};
use crate::plan::builder::{Builder, with_fallback};
use crate::plan::{Plan, PlatformPlan};
use crate::project::{Project, Selection};
use crate::report::test_report::{PlatformTests, TestReport};
use crate::settings::{Arguments, PlatformSettings, Platforms, Settings, seen_from};
use crate::steps::collect::{Collect, Remove};
use crate::steps::prepare::Prepare;
use crate::steps::stage::InStage;
use crate::steps::step::Step;
use crate::steps::test::{self, DeliverLogs, RunTests};
use crate::tools::binfmt::Emulation;
use crate::tools::cabal::{self, Suite};
use crate::tools::engine::{Container, Lifetime};
use crate::world::doors::World;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::follow::{platform, prepare};

const HELP: &str = "\
The suites are built as `hsx static` builds executables, static too, in a build directory of their
own, and run in the same container: without network, in the package's directory, which is read-only.
Those for a foreign platform run under emulation.

Settings are those of `hsx static`, see `hsx static --help`; `targets` in `hsx.toml` are its own.

Results:
  dist-static/linux-ARCH/test-logs/PACKAGE-VERSION-SUITE.log, of this run's suites

Examples:
  hsx test                                    every suite, for this machine's platform
  hsx test -p linux/amd64,linux/arm64         for both
  hsx test mypackage:test:spec --test-option=--match=parser
  hsx test --cabal-arg=--test-show-details=streaming";

/// Build and run test suites for one or more platforms
///
/// Runs cabal's tests inside the builder of each platform, and brings their logs out.
#[derive(Args, Clone, Debug, Default)]
#[command(after_long_help = format!("{HELP}\n\n{EXIT_CODES}\n  A test suite that fails counts as a failed build: 1."), after_help = "See `hsx test --help` for examples and exit codes")]
pub(crate) struct TestArgs {
    /// What to test, as cabal spells it: `SUITE`, `test:SUITE`, `PACKAGE:test:SUITE`, `PACKAGE`; default: every suite
    #[arg(value_name = "TARGET", value_delimiter = ',')]
    targets: Vec<String>,

    #[command(flatten)]
    builder: BuilderArgs,

    /// Where the logs go [default: dist-static]
    #[arg(long, value_name = "DIR", env = "HSX_OUT_DIR", hide_env = true)]
    out_dir: Option<camino::Utf8PathBuf>,

    /// An argument for each test suite; may be repeated
    #[arg(long = "test-option", value_name = "ARG", allow_hyphen_values = true, help_heading = "Tests")]
    test_option: Vec<String>,

    /// Arguments for each test suite, which cabal splits at blanks; may be repeated
    #[arg(long = "test-options", value_name = "ARGS", allow_hyphen_values = true, help_heading = "Tests")]
    test_options: Vec<String>,

    /// Print the commands instead of running them, as shell
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    pub output: OutputArgs,
}

/// Runs `hsx test`.
///
/// # Errors
/// When something keeps it from starting. Failed builds and tests are part of the report that it prints.
pub(crate) fn run(args: &TestArgs, environment: &Environment, ui: &Ui) -> anyhow::Result<u8> {
    let world = World::new(environment, ui)?;
    let result = ResultArgs { out_dir: args.out_dir.clone(), no_upx: true, ..ResultArgs::default() };
    let typed =
        Arguments { targets: &args.targets, builder: &args.builder, result: &result, platforms: Platforms::Several };
    let targets: Vec<_> = args.targets.iter().map(|target| seen_from(&environment.cwd, target)).collect();
    let select = |project: &Project, _: &Settings| project.select_tests(&targets);
    let PlanInputs { project, settings, selection, facts, .. } = gather(typed, &select, &world)?;
    let options = args.test_option.iter().map(|option| format!("--test-option={option}"));
    let options: Vec<_> = options.chain(args.test_options.iter().map(|all| format!("--test-options={all}"))).collect();
    let plan = plan(&project, &settings, &selection, &options, &facts)?;
    if args.dry_run {
        ui.print(&plan.shell());
        return Ok(0);
    }
    let report = execute(&plan, &facts, &world)?;
    match args.output.format {
        Format::Text if report.ran_nothing() => {}
        Format::Text => ui.print(&report.table(&environment.cwd)),
        Format::Json | Format::JsonLines => ui.print(&report.json()),
    }
    for platform in &report.platforms {
        if let Err(error) = &platform.result {
            ui.error(&error.clone().on(platform.platform));
        }
    }
    Ok(report.exit_code())
}

/// Decides everything that a run does.
///
/// # Errors
/// When a platform cannot be built for on this machine, or its programs do not start there.
fn plan(
    project: &Project,
    settings: &Settings,
    selection: &Selection,
    options: &[String],
    facts: &Facts,
) -> Result<Plan<Vec<Suite>>, Error> {
    let platforms = settings.platforms.iter().map(|build| {
        starts_here(build, facts)?;
        with_fallback(build, facts, |choice, again| {
            for_platform(&Builder::new(project, settings, facts, build, choice, again), selection, options)
        })
    });
    let platforms = platforms.collect::<Result<_, Error>>()?;
    Ok(Plan { platforms, prepare: Prepare::to_deliver(project, settings, facts)?, ..Plan::default() })
}

/// Fails when the suites could be built but not run.
fn starts_here(build: &PlatformSettings, facts: &Facts) -> Result<(), Error> {
    let Emulation::Missing(why) = facts.host(build.platform).emulation(build.platform) else { return Ok(()) };
    let setup = facts.system.setup_emulation(build.platform);
    Err(strategy::missing_emulation(build.platform, why, &setup))
}

fn for_platform(builder: &Builder<'_>, selection: &Selection, options: &[String]) -> PlatformPlan<Vec<Suite>> {
    let Builder { settings, host, .. } = builder;
    let key = test_key(&builder.key);
    let names = builder.container_names(&[Phase::Copy, Phase::Cross, Phase::Index, Phase::Fetch, Phase::Test]);
    let args = cabal::test_args(&selection.words(), settings.jobs, &settings.cabal_args);
    let parts = builder.parts(Phase::Test);
    let words = options.iter().chain(&args).cloned().collect();
    let container = Container { lifetime: Lifetime::UntilRemoved, ..builder.container(&parts, test::SCRIPT, words) };
    let (engine, stage, out_dir) = (&host.engine, builder.stage(&key), builder.out_dir());
    let steps = builder
        .fetch(&key, &args)
        .then(RunTests { cmd: engine.run(&container) })
        .then(Collect::new(engine, container.name, &stage))
        .then(Remove::new(engine, container.name))
        .then(DeliverLogs { stage: stage.clone(), out_dir: out_dir.clone(), targets: selection.targets.clone() });
    let work = InStage { stage, out_dir, steps };
    let mut plan = builder.plan(&key, &names, builder.locks(), builder.preparation(), work);
    plan.fetch_inputs = Some(builder.fetch_inputs(&args));
    plan
}

/// Follows the plan. When one platform fails, the others go on; a signal ends all of them.
fn execute(plan: &Plan<Vec<Suite>>, facts: &Facts, world: &World<'_>) -> anyhow::Result<TestReport> {
    prepare(plan, world)?;
    let mut platforms = Vec::new();
    for plan in &plan.platforms {
        let start = Instant::now();
        let tested = platform::follow(plan, &Values::default(), &facts.system, world);
        let interrupted = matches!(&tested.result, Err(Error { kind: ErrorKind::Signal(_), .. }));
        platforms.push(PlatformTests {
            platform: plan.job.platform,
            ghc: plan.job.ghc.clone(),
            ghc_reason: plan.job.ghc_reason.clone(),
            image: plan.job.image.clone(),
            warnings: plan.warnings.clone(),
            notes: tested.notes,
            seconds: start.elapsed().as_secs_f64(),
            choice: tested.choice,
            result: tested.result,
        });
        if interrupted {
            break;
        }
    }
    Ok(TestReport { platforms })
}
