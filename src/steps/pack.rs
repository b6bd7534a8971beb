//! Packs the executables with upx on the host, in parallel, into the stage. When upx fails, the unpacked executable is
//! used. An executable that the same upx has packed before comes from the cache.

use std::time::Duration;

use super::context::{Context, Failure};
use super::stage::{PACKED, Stage};
use super::step::Step;
use super::verify::Built;
use crate::base::cmd::{Cmd, late, quote};
use crate::base::digest::hash;
use crate::base::error::Error;
use crate::base::platform::Platform;
use crate::tools::upx::{self, Packer};
use crate::world::doors::at_once::{cores, side_by_side};
use crate::world::doors::exec::Output;
use crate::world::doors::pieces::sha256;
use crate::world::doors::write::unwritable;

/// How long upx may take for one file: a thousand times as long as for a large one.
const PACKING: Duration = Duration::from_secs(600);

#[derive(Debug)]
pub(crate) struct Pack {
    /// `None`: the executables are not packed.
    pub packer: Option<Packer>,
    pub stage: Stage,
    pub platform: Platform,
}

/// An executable, and its packed form if there is one.
#[derive(Debug)]
pub(crate) struct Packed {
    pub built: Built,
    pub form: Form,
}

/// The outcome of packing an executable.
#[derive(Debug)]
pub(crate) enum Form {
    Unpacked,
    /// The packed executable is in the stage.
    Packed {
        sha256: String,
        /// A known fault of executables that this version of upx packs.
        known_fault: Option<&'static str>,
    },
    /// Why there is no packed executable, although upx is installed.
    Failed(String),
}

impl Pack {
    fn cmd(&self, packer: &Packer, name: &str) -> Cmd {
        packer.pack(&self.stage.built(name), &self.stage.packed(name))
    }

    fn known_fault(&self, packer: &Packer) -> Option<&'static str> {
        upx::known_fault(upx::parse_version(packer.version.as_deref()?)?, self.platform)
    }

    /// The outcome of a run of upx.
    fn result(&self, packer: &Packer, name: &str, answer: &Output) -> Form {
        let dir = || self.stage.open()?.dir(PACKED);
        let why = if answer.success() {
            match dir().and_then(|dir| sha256(dir.file(name)?)) {
                Ok(sha256) => return Form::Packed { sha256, known_fault: self.known_fault(packer) },
                Err(error) => error.to_string(),
            }
        } else {
            let mut said = answer.stdout.lines().chain(answer.stderr.lines()).map(str::trim);
            said.rfind(|line| !line.is_empty()).unwrap_or("it gave no reason").to_owned()
        };
        let _ = dir().and_then(|dir| dir.remove_file(name));
        Form::Failed(format!("upx failed: {why}"))
    }
}

/// The cache key for a packed file: what decides upx's output. `None`: the version of upx is not known.
fn key(packer: &Packer, built: &Built) -> Option<String> {
    let words = [packer.version.as_deref()?, &built.sha256].into_iter();
    Some(hash(&words.chain(packer.args.iter().map(String::as_str)).collect::<Vec<_>>()))
}

impl Step for Pack {
    type Input = Vec<Built>;
    type Output = Vec<Packed>;

    fn shell(&self) -> String {
        let Some(packer) = &self.packer else { return String::new() };
        let name = late("name");
        let pack = self.cmd(packer, &name);
        let remove = quote(self.stage.packed(&name).as_str());
        let loops = self.stage.for_each_built(&format!("  name=${{file##*/}}\n  {pack} || rm -f {remove}"));
        format!("# hsx packs these at once, and takes what the same upx made of the same file before\n{loops}")
    }

    fn follow(&self, built: Vec<Built>, context: &mut Context<'_>) -> Result<Vec<Packed>, Failure> {
        let unpacked = |built| Packed { built, form: Form::Unpacked };
        let Some(packer) = &self.packer else { return Ok(built.into_iter().map(unpacked).collect()) };
        let world = context.world;
        let mut all: Vec<_> = built.into_iter().map(unpacked).collect();
        let dir = self.stage.open().and_then(|stage| stage.dir(PACKED)).map_err(|error| unwritable(&error))?;
        let mut fresh = Vec::new();
        for (number, Packed { built, form }) in all.iter_mut().enumerate() {
            let key = key(packer, built);
            let name = &built.exe.name;
            let copied = key.as_ref().map(|key| world.cache.copy_to("packed", key, &dir, name)).transpose();
            if let Some(sha256) = copied.map_err(|error| unwritable(&error))?.flatten() {
                context.note(&format!("{name} was packed before"));
                *form = Form::Packed { sha256, known_fault: self.known_fault(packer) };
            } else {
                fresh.push((number, name.clone(), key));
            }
        }
        for (_, name, _) in &fresh {
            context.say("Packing", name);
        }
        let pack = |(_, name, _): &(usize, String, Option<String>)| {
            let cmd = self.cmd(packer, name);
            world.exec.capture_within(&cmd, PACKING).map(|answer| (cmd, answer))
        };
        let answers: Vec<Result<_, Error>> = side_by_side(&fresh, cores(), pack);
        for ((number, name, key), answer) in fresh.iter().zip(answers) {
            let (cmd, answer) = answer?;
            let form = if let Some(answer) = answer {
                context.log_answer(&cmd, &answer);
                self.result(packer, name, &answer)
            } else {
                let _ = dir.remove_file(name);
                Form::Failed(format!("upx was ended, as it had not ended after {} minutes", PACKING.as_secs() / 60))
            };
            if let (Form::Packed { sha256, .. }, Some(key), Ok(file)) = (&form, key, dir.file(name)) {
                world.cache.put_file("packed", key, &file, sha256);
            }
            all[*number].form = form;
        }
        Ok(all)
    }
}
