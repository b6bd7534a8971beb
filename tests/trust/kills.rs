//! hsx, or the engine's client that it has started, is ended at random moments of each phase. Whatever the moment, the
//! next run, with nothing special about it, succeeds; no result is lost or half there; nothing stays behind.
//!
//! `HSX_TRUST_KILLS` says how many, `HSX_TRUST_SEED` which: the moments are drawn from the seed, as parts of the time that
//! a phase took before, so a run can be repeated as far as the machine lets it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::fs::TryLockError;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::support::{Engine, Project, World, file_name, setting, walk};
use crate::table;
use crate::trusted::{ENGINES, OwnImage};

/// As many as take a minute or so.
const SHORT_RUN: u64 = 21;

/// After this, hsx hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// How long what was ended may take to disappear.
const SETTLES: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Resolve,
    Pull,
    Fill,
    Fetch,
    Build,
    Collect,
    Pack,
    Try,
    Deliver,
    UpToDate,
    Freeze,
    Prune,
}

/// `Fill` is drawn seldom: what is filled there is a whole image where the engine cannot mount one.
const DRAWN: [Phase; 23] = {
    use Phase::{Build, Collect, Deliver, Fetch, Fill, Freeze, Pack, Prune, Pull, Resolve, Try, UpToDate};
    [
        Resolve, Resolve, Pull, Pull, Fill, Fetch, Fetch, Build, Build, Build, Build, Collect, Collect, Pack, Pack,
        Try, Try, Deliver, Deliver, UpToDate, UpToDate, Freeze, Prune,
    ]
};

impl Phase {
    /// Whether the phase begins with this line of `hsx -v`.
    fn begins(self, line: &str) -> bool {
        let line = line.trim_start();
        match self {
            Self::Resolve => line.starts_with("Resolving ") && !line.contains("dependencies"),
            Self::Pull => line.starts_with("Pulling"),
            Self::Fill => line.starts_with("Preparing linux") && line.ends_with("toolchain from the image"),
            Self::Fetch => line.starts_with("Fetching"),
            Self::Build => line.starts_with("Building linux"),
            Self::Collect => line.starts_with("$ ") && line.split(' ').nth(2) == Some("cp"),
            Self::Pack => line.starts_with("Packing"),
            Self::Try | Self::Deliver => line.starts_with("Checking"),
            Self::UpToDate | Self::Freeze | Self::Prune => false,
        }
    }

    /// Whether a point of this phase comes some time after a line, and not after the start.
    fn has_line(self) -> bool {
        !matches!(self, Self::UpToDate | Self::Freeze | Self::Prune)
    }

    /// What a phase takes before it was measured.
    fn guess(self) -> Duration {
        Duration::from_millis(match self {
            Self::Resolve | Self::Collect | Self::Pack => 150,
            Self::Pull | Self::Try | Self::Deliver => 600,
            Self::Fill | Self::Fetch | Self::Build | Self::Freeze | Self::Prune => 2000,
            Self::UpToDate => 15,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Target {
    Hsx,
    /// Hsx and all that it started: by Ctrl-C, or by a terminal that is closed.
    Group,
    /// The engine's client only.
    Client,
}

const KINDS: [(Signal, &str, Target); 10] = [
    (Signal::KILL, "SIGKILL", Target::Hsx),
    (Signal::TERM, "SIGTERM", Target::Hsx),
    (Signal::INT, "SIGINT", Target::Hsx),
    (Signal::HUP, "SIGHUP", Target::Hsx),
    (Signal::INT, "SIGINT", Target::Group),
    (Signal::HUP, "SIGHUP", Target::Group),
    (Signal::KILL, "SIGKILL", Target::Client),
    (Signal::TERM, "SIGTERM", Target::Client),
    (Signal::INT, "SIGINT", Target::Client),
    (Signal::HUP, "SIGHUP", Target::Client),
];

/// A moment at which something is ended.
#[derive(Clone, Copy, Debug)]
struct Point {
    phase: Phase,
    kind: usize,
    /// How much of the phase's time is over by then.
    part: f64,
    /// The source is another one, so that the results are.
    edits: bool,
}

/// Steele's and Vigna's splitmix64: short, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(limit).unwrap()).unwrap()
    }

    /// From 0 to 1.
    fn part(&mut self) -> f64 {
        f64::from(u32::try_from(self.below(1 << 30)).unwrap()) / f64::from(1 << 30)
    }

    /// As many points for each engine as any other, or one more.
    fn points(&mut self, count: u64) -> Vec<(Engine, Point)> {
        let engines = ENGINES.into_iter().cycle();
        let mut point = || {
            let phase = DRAWN[self.below(DRAWN.len())];
            let part = if phase == Phase::Deliver { 0.8 + self.part() * 0.4 } else { self.part() };
            Point { phase, kind: self.below(KINDS.len()), part, edits: phase == Phase::Build || self.below(4) == 0 }
        };
        (0..count).zip(engines).map(|(_, engine)| (engine, point())).collect()
    }
}

/// What came of the points.
#[derive(Default)]
struct Tally {
    /// Of each line of the table: injected, survived, lost, left behind, left behind by the engine.
    counts: BTreeMap<(u8, String), [u32; 5]>,
    faults: Vec<String>,
    done: u64,
}

#[derive(Default, Debug)]
struct Faults {
    lost: Vec<String>,
    left: Vec<String>,
    other: Vec<String>,
    /// Processes of containers that the engine has lost itself: it says that there are none.
    orphans: Vec<String>,
}

impl Tally {
    fn count(&mut self, engine: Engine, point: Point, hit: &str, faults: &Faults) {
        let (_, signal, target) = KINDS[point.kind];
        let groups =
            [(0, format!("{signal} to {target:?}")), (1, format!("{:?}", point.phase)), (2, format!("{engine:?}"))];
        let Faults { lost, left, other, orphans } = faults;
        let all: Vec<&String> = [lost, left, other].into_iter().flatten().collect();
        for key in groups.into_iter().chain([(3, "all".to_owned())]) {
            let counts = self.counts.entry(key).or_default();
            counts[0] += 1;
            counts[1] += u32::from(all.is_empty());
            counts[2] += u32::from(!lost.is_empty());
            counts[3] += u32::from(!left.is_empty());
            counts[4] += u32::from(!orphans.is_empty());
        }
        self.done += 1;
        if !orphans.is_empty() {
            say(&format!("{engine:?} {point:?} {signal} to {target:?}, {hit}: lost by the engine: {orphans:?}"));
        }
        if !all.is_empty() {
            let fault = format!("{engine:?} {point:?} {signal} to {target:?}, {hit}: {all:#?}");
            say(&fault);
            self.faults.push(fault);
        }
    }
}

/// Past the test harness, which keeps what tests print until they end.
fn say(text: &dyn Display) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

#[test]
fn a_sudden_end_loses_nothing_and_leaves_nothing() {
    let number = |name: &str| setting(name).map(|value| value.parse::<u64>().unwrap());
    let (count, seed) = (number("HSX_TRUST_KILLS").unwrap_or(SHORT_RUN), number("HSX_TRUST_SEED").unwrap_or(1));
    let world = World::shared();
    let image = OwnImage::new("kills");
    let points = Random(seed).points(count);
    let tally = Mutex::new(Tally::default());
    let start = Instant::now();
    thread::scope(|scope| {
        for engine in ENGINES {
            let own: Vec<_> = points.iter().filter(|(of, _)| *of == engine).map(|(_, point)| *point).collect();
            let (world, image, tally) = (&world, &image, &tally);
            scope.spawn(move || {
                let mut victim = Victim::new(world, engine, image);
                for point in own {
                    let (hit, faults) = victim.endure(point);
                    let tally = &mut *tally.lock().unwrap_or_else(PoisonError::into_inner);
                    tally.count(engine, point, &hit, &faults);
                    if tally.done % 50 == 0 {
                        say(&format!("{} of {count} after {} s", tally.done, start.elapsed().as_secs()));
                    }
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut lines = vec![table::line(&["KIND", "INJECTED", "SURVIVED", "LOST", "LEFT BEHIND", "LOST BY ENGINE"])];
    for ((_, name), counts) in &tally.counts {
        lines.push([name.clone()].into_iter().chain(counts.iter().map(ToString::to_string)).collect());
    }
    table::print(&format!("{count} sudden ends, seed {seed}, {} s", start.elapsed().as_secs()), &lines);
    assert!(
        tally.faults.is_empty(),
        "{} of {count} points, seed {seed}:\n{}",
        tally.faults.len(),
        tally.faults.join("\n")
    );
    assert_eq!(tally.done, count);
}

/// What hsx said so far, and when.
type Said = Arc<Mutex<Vec<(Instant, String)>>>;

/// How a run of hsx went.
struct Went {
    /// The exit code, or the negated signal.
    code: i32,
    lines: Vec<(Instant, String)>,
    end: Instant,
}

impl Went {
    fn said(&self, what: &str) -> bool {
        self.lines.iter().any(|(_, line)| line.contains(what))
    }

    /// The last lines, for people.
    fn last(&self) -> String {
        let lines: Vec<_> = self.lines.iter().map(|(_, line)| line.as_str()).collect();
        let cut = |line: &&str| line.chars().take(300).collect::<String>();
        lines[lines.len().saturating_sub(6)..].iter().map(cut).collect::<Vec<_>>().join("\n    ")
    }
}

/// A project that is built with an engine, and what is known of it.
struct Victim<'a> {
    project: Project<'a>,
    engine: Engine,
    image: &'a OwnImage,
    /// Tells the sources apart.
    edition: u32,
    /// How long phases took.
    took: BTreeMap<Phase, Duration>,
    /// Names that containers had.
    containers: BTreeSet<String>,
    /// Volumes that an undisturbed run leaves.
    volumes: BTreeSet<String>,
    /// The freeze file, as an undisturbed run writes it.
    freeze: Option<String>,
    /// Packing takes the most time here, so it is only done where it is to be disturbed.
    packs: bool,
}

const AMD64: &[&str] = &["static", "-v"];
const ARM64: &[&str] = &["static", "-v", "--platform", "linux/arm64"];
const FREEZE: &[&str] = &["freeze", "-v", "--from", "image", "--force"];
const PRUNE: &[&str] = &["cache", "prune", "-v", "--yes", "--project", "."];

impl<'a> Victim<'a> {
    /// Builds twice undisturbed, to know how long it takes.
    fn new(world: &'a World, engine: Engine, image: &'a OwnImage) -> Self {
        let project = world.project("hello", engine);
        let mut victim = Self {
            project,
            engine,
            image,
            edition: 0,
            took: BTreeMap::new(),
            containers: BTreeSet::new(),
            volumes: BTreeSet::new(),
            freeze: None,
            packs: true,
        };
        for name in ["state", "cache", "tmp"] {
            fs_err::create_dir_all(victim.dir(name)).unwrap();
        }
        engine.own(&victim.dir(""));
        victim.edit();
        for args in [AMD64, &["static", "-v", "--force"]] {
            victim.forget_trials();
            let went = victim.undisturbed(args);
            assert!(went.code == 0 && victim.shows("linux/amd64", victim.edition), "{engine:?}: {}", went.last());
        }
        victim
    }

    /// Where its state is: of its own, with locks and temporary files that nobody else has.
    fn dir(&self, name: &str) -> PathBuf {
        self.project.beside("own").join(name)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.engine.command(self.project.programs().join("hsx"));
        command.args(args);
        let mut command = self.project.settings(self.engine, command);
        command.env("HSX_IMAGE", self.image.name()).env("TMPDIR", self.dir("tmp"));
        command.env("XDG_STATE_HOME", self.dir("state")).env("XDG_CACHE_HOME", self.dir("cache"));
        command.env("HSX_UPX", self.packs.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn edit(&mut self) {
        self.edition += 1;
        let text =
            fs_err::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/projects/hello/Main.hs")).unwrap();
        let greeting = text.replace("Hello from a static executable", &format!("edition {}", self.edition));
        self.project.write("Main.hs", &greeting);
    }

    /// Removes what hsx knows of executables, so that it packs and tries them again.
    fn forget_trials(&self) {
        let _ = fs_err::remove_dir_all(self.dir("cache"));
    }

    /// Whether a platform's executable runs and is of this edition.
    fn shows(&self, platform: &str, edition: u32) -> bool {
        let output = Command::new(self.project.result(platform, "hello")).output();
        output.is_ok_and(|output| output.status.success() && output.stdout == format!("edition {edition}\n").as_bytes())
    }

    fn start(&self, args: &[&str]) -> (Child, Said) {
        let mut child = self.command(args).spawn().unwrap();
        let said = Said::default();
        let (stderr, lines) = (BufReader::new(child.stderr.take().unwrap()), said.clone());
        thread::spawn(move || {
            for line in stderr.split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                lines.lock().unwrap_or_else(PoisonError::into_inner).push((Instant::now(), line));
            }
        });
        (child, said)
    }

    fn finish(&mut self, mut child: Child, said: &Said) -> Went {
        let start = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code().unwrap_or_else(|| -status.signal().unwrap());
            }
            if start.elapsed() > PATIENCE {
                let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
                child.wait().unwrap();
                break HANGS;
            }
            thread::sleep(Duration::from_millis(5));
        };
        // Its last words are on their way still.
        thread::sleep(Duration::from_millis(20));
        let lines = said.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let names = lines.iter().filter_map(|(_, line)| line.split_once("--name ")?.1.split(' ').next());
        self.containers.extend(names.map(str::to_owned));
        Went { code, lines, end: Instant::now() }
    }

    /// Runs hsx to its end, and measures its phases.
    fn undisturbed(&mut self, args: &[&str]) -> Went {
        let start = Instant::now();
        let (child, said) = self.start(args);
        let went = self.finish(child, &said);
        let all = {
            use Phase::{Build, Collect, Deliver, Fetch, Fill, Pack, Pull, Resolve, Try};
            [Resolve, Pull, Fill, Fetch, Build, Collect, Pack, Try, Deliver]
        };
        for phase in all {
            let Some(at) = went.lines.iter().position(|(_, line)| phase.begins(line)) else { continue };
            let later = went.lines[at + 1..].iter();
            let next = later.clone().find(|(_, line)| {
                line.contains("Delivered") || all.iter().any(|other| *other != phase && other.begins(line))
            });
            let end = next.map_or(went.end, |(end, _)| *end);
            self.took.insert(phase, end - went.lines[at].0);
        }
        let whole = match args {
            FREEZE => Some(Phase::Freeze),
            PRUNE => Some(Phase::Prune),
            _ => None,
        };
        self.took.extend(whole.map(|phase| (phase, start.elapsed())));
        if went.code == 0 {
            self.volumes.extend(self.volumes_there());
        }
        went
    }

    /// This project's volumes, and those of the image.
    fn volumes_there(&self) -> BTreeSet<String> {
        let own = self.engine.left(self.project.root()).1;
        own.lines().map(str::to_owned).chain(self.image.volumes(self.engine)).collect()
    }

    /// Prepares what a point needs: the command that is disturbed.
    fn prepare(&mut self, point: Point) -> &'static [&'static str] {
        self.packs = point.phase == Phase::Pack;
        if point.edits {
            self.edit();
        }
        match point.phase {
            Phase::Resolve | Phase::Pull => {
                self.image.forget(self.engine);
                &["static", "-v", "--pull", "--force"]
            }
            Phase::Fetch => {
                self.edition += 1;
                self.project.write("cabal.project", &format!("packages: .\n-- {}\n", self.edition));
                self.edit();
                AMD64
            }
            Phase::Build | Phase::Collect => &["static", "-v", "--force"],
            Phase::Pack | Phase::Try | Phase::Deliver => {
                self.forget_trials();
                &["static", "-v", "--force"]
            }
            Phase::Fill => {
                let toolchains = self.image.volumes(self.engine).into_iter().filter(|name| name.contains("-cross-"));
                for name in toolchains {
                    let _ = self
                        .engine
                        .command(self.engine.program())
                        .args(["volume", "rm", &name])
                        .current_dir("/")
                        .output();
                }
                self.edit();
                ARM64
            }
            Phase::UpToDate => AMD64,
            Phase::Freeze => FREEZE,
            Phase::Prune => PRUNE,
        }
    }

    /// Disturbs a run, and sees what the next one makes of it. The first value is what was hit.
    fn endure(&mut self, point: Point) -> (String, Faults) {
        let before = self.edition;
        let args = self.prepare(point);
        let frozen = self.project.path("cabal.project.freeze");
        if point.phase == Phase::Freeze && self.freeze.is_none() {
            let went = self.undisturbed(FREEZE);
            self.freeze = fs_err::read_to_string(&frozen).ok();
            assert!(went.code == 0 && self.freeze.is_some(), "{}", went.last());
        }
        if let (Phase::Freeze, Some(whole)) = (point.phase, &self.freeze) {
            self.project.write("cabal.project.freeze", whole);
        }
        let previous = fs_err::read(self.project.result("linux/amd64", "hello")).unwrap_or_default();
        let mut faults = Faults::default();
        let (hit, went) = self.disturb(point, args);

        if let Some(fault) = wrong_end(point, &went) {
            faults.other.push(format!("{fault}: {}", went.last()));
        }
        // Meanwhile: the previous result, or the new one.
        match fs_err::read(self.project.result("linux/amd64", "hello")) {
            Ok(now) if now == previous => {}
            Ok(_) if (before..=self.edition).any(|edition| self.shows("linux/amd64", edition)) => {}
            Ok(_) => faults.lost.push("the result is half there".to_owned()),
            Err(error) => faults.lost.push(format!("the previous result: {error}")),
        }
        if let (Phase::Freeze, Some(whole)) = (point.phase, &self.freeze)
            && fs_err::read_to_string(&frozen).ok().as_ref() != Some(whole)
        {
            faults.lost.push("the freeze file".to_owned());
        }
        if point.phase == Phase::Freeze {
            let again = self.undisturbed(FREEZE);
            if again.code != 0 || fs_err::read_to_string(&frozen).ok() != self.freeze {
                faults.other.push(format!("the next freeze: {}", again.last()));
            }
            fs_err::remove_file(&frozen).unwrap();
        }

        let platform = if args == ARM64 { "linux/arm64" } else { "linux/amd64" };
        let next = self.undisturbed(if args == ARM64 { ARM64 } else { AMD64 });
        if next.code != 0 {
            faults.other.push(format!("the next run ends with {}: {}", next.code, next.last()));
        } else if !self.shows(platform, self.edition) {
            faults.lost.push(format!("the next run's executable is not of edition {}", self.edition));
        }
        faults.left.extend(self.left());
        faults.orphans.extend(self.end_orphans());
        (hit, faults)
    }

    /// Starts hsx, and ends what the point says when it says so.
    fn disturb(&mut self, point: Point, args: &[&str]) -> (String, Went) {
        let (signal, _, target) = KINDS[point.kind];
        let took = self.took.get(&point.phase).copied().unwrap_or_else(|| point.phase.guess());
        let (mut child, said) = self.start(args);
        let waited = Instant::now();
        let is_running = |child: &mut Child| child.try_wait().unwrap().is_none() && waited.elapsed() < PATIENCE;
        let begun = |said: &Said| {
            let said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.iter().any(|(_, line)| point.phase.begins(line))
        };
        while point.phase.has_line() && is_running(&mut child) && !begun(&said) {
            thread::sleep(Duration::from_millis(2));
        }
        let until = Instant::now() + took.mul_f64(point.part);
        while is_running(&mut child) && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        let pid = Pid::from_child(&child);
        let mut client = None;
        while target == Target::Client && client.is_none() && is_running(&mut child) {
            client = client_of(&child, self.engine);
            thread::sleep(Duration::from_millis(1));
        }
        let last = said.lock().unwrap_or_else(PoisonError::into_inner).last().map(|(_, line)| line.clone());
        let sent = match (is_running(&mut child), target, client) {
            (false, ..) => false,
            (true, Target::Hsx, _) => kill_process(pid, signal).is_ok(),
            (true, Target::Group, _) => kill_process_group(pid, signal).is_ok(),
            (true, Target::Client, client) => client.is_some_and(|client| kill_process(client, signal).is_ok()),
        };
        let went = self.finish(child, &said);
        let last: String = last.unwrap_or_default().chars().take(60).collect();
        (format!("{} after {last:?}", if sent { "sent" } else { "too late" }), went)
    }

    /// What is left after an undisturbed run, and some patience.
    fn left(&self) -> Vec<String> {
        let start = Instant::now();
        loop {
            let left = self.left_now();
            if left.is_empty() || start.elapsed() > SETTLES {
                return left;
            }
            thread::sleep(Duration::from_millis(300));
        }
    }

    fn left_now(&self) -> Vec<String> {
        let mut left = Vec::new();
        let containers = self.engine.left(self.project.root()).0;
        left.extend(containers.lines().map(|id| format!("container {id}")));
        let volumes = self.volumes_there();
        left.extend(volumes.difference(&self.volumes).map(|name| format!("volume {name}")));
        for dir in [self.project.root().to_owned(), self.dir("")] {
            let is_temporary = |path: &PathBuf| {
                let name = file_name(path);
                name.starts_with(".hsx-")
                    || name.starts_with(".tmp")
                    || path.starts_with(self.dir("tmp")) && name.contains("hsx")
            };
            left.extend(walk(&dir).into_iter().filter(is_temporary).map(|path| format!("file {}", path.display())));
        }
        let locks = fs_err::read_dir(self.dir("state/hsx/locks")).into_iter().flatten();
        for lock in locks.map(|entry| entry.unwrap().path()) {
            let file = fs_err::File::open(&lock).unwrap();
            if matches!(file.into_parts().0.try_lock(), Err(TryLockError::WouldBlock)) {
                left.push(format!("lock {}", lock.display()));
            }
        }
        left.extend(self.processes().into_iter().filter(|(_, words)| !is_orphan(words)).map(|(_, words)| words));
        left
    }

    /// Processes that this project's containers and their clients are, by their names: ids and command lines.
    fn processes(&self) -> Vec<(i32, String)> {
        let processes = fs_err::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path());
        let commands = processes.filter_map(|path| {
            let words = fs_err::read(path.join("cmdline")).ok()?;
            Some((file_name(&path).parse().ok()?, String::from_utf8_lossy(&words).replace('\0', " ")))
        });
        commands.filter(|(_, words)| self.containers.iter().any(|name| words.contains(name.as_str()))).collect()
    }

    /// Podman 4.3 loses a container whose client ends while it is made, and is removed then: it tells of none any more, but
    /// the program that watches over it, and its first process, which has not begun, stay. There is no way to ask podman for
    /// them. So they are counted apart, and ended here.
    fn end_orphans(&self) -> Vec<String> {
        if !self.engine.left(self.project.root()).0.is_empty() {
            return Vec::new();
        }
        let orphans: Vec<_> = self.processes().into_iter().filter(|(_, words)| is_orphan(words)).collect();
        for (id, _) in &orphans {
            let children = fs_err::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
            for process in children.split_whitespace().filter_map(|id| id.parse().ok()).chain([*id]) {
                let _ = Pid::from_raw(process).map(|pid| kill_process(pid, Signal::KILL));
            }
        }
        orphans.into_iter().map(|(_, words)| words.chars().take(120).collect()).collect()
    }
}

/// Whether a process is the one that watches over a container of podman's. While podman knows of it, the container is left.
fn is_orphan(command: &str) -> bool {
    command.split(' ').next().is_some_and(|program| program.ends_with("conmon"))
}

impl Drop for Victim<'_> {
    fn drop(&mut self) {
        self.engine.remove_all_of(self.project.root());
    }
}

const HANGS: i32 = i32::MIN;

/// What is wrong about how a disturbed run ended.
fn wrong_end(point: Point, went: &Went) -> Option<String> {
    let (signal, _, target) = KINDS[point.kind];
    let by_signal = if signal == Signal::KILL { -9 } else { 128 + signal.as_raw() };
    let is_right = match target {
        _ if went.code == HANGS => return Some("it hangs".to_owned()),
        // It had ended by then, or what it did was done.
        _ if went.code == 0 => true,
        // Whoever is ended before it has said what it does on a signal is ended by the signal.
        Target::Hsx | Target::Group => went.code == by_signal || went.code == -signal.as_raw() && went.lines.is_empty(),
        // The engine failed, or what it ran did, and hsx says so.
        Target::Client => [1, 3, 4].contains(&went.code) && went.said("error: "),
    };
    (!is_right).then(|| format!("it ended with {}", went.code))
}

/// A process of the engine's program that hsx has started.
fn client_of(child: &Child, engine: Engine) -> Option<Pid> {
    let tasks = fs_err::read_dir(format!("/proc/{}/task", child.id())).ok()?;
    let children = tasks.filter_map(|task| fs_err::read_to_string(task.ok()?.path().join("children")).ok());
    let children: Vec<i32> = children.collect::<String>().split_whitespace().map(|id| id.parse().unwrap()).collect();
    let is_client = |id: &i32| {
        let command = fs_err::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let program = String::from_utf8_lossy(command.split(|byte| *byte == 0).next().unwrap_or_default()).into_owned();
        program.rsplit('/').next() == Some(engine.program())
    };
    children.into_iter().find(is_client).and_then(Pid::from_raw)
}
