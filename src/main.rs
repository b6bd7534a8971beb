//! `hsx`: fully static Haskell executables for every architecture, from any machine, with one command.

mod args;
mod base;
mod cli;
mod commands;
mod doctor;
mod facts;
#[cfg(test)]
mod fuzz;
mod plan;
mod project;
mod report;
mod settings;
mod steps;
mod tools;
mod world;

use std::io::Write as _;
use std::process::ExitCode;

use args::{Color, Format, MessageArgs, OutputArgs};
use base::error::{Error, ErrorKind};
use cli::{Cli, Command};
use report::event::Event;
use tools::cabal;
use world::doors::environment::{self, Environment};
use world::doors::ui::{Ui, Verbosity};

fn main() -> ExitCode {
    let line = cabal::command_line(std::env::args_os(), environment::is_set);
    let command = match Cli::read(&line, environment::is_empty_variable, environment::variable) {
        Ok(cli) => cli.command,
        Err(rejected) => {
            if let Some(error) = rejected.told() {
                let ui = Ui::new(Verbosity::Quiet, Color::default(), rejected.format, environment::reader());
                tell(&error, rejected.format, &ui);
            }
            let written = rejected.error.print().and_then(|()| std::io::stdout().flush());
            let is_lost = written.is_err_and(|error| error.kind() != std::io::ErrorKind::BrokenPipe);
            let code = if is_lost { i32::from(ErrorKind::Host.exit_code()) } else { rejected.error.exit_code() };
            return ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX));
        }
    };
    let OutputArgs { format, messages: MessageArgs { verbose, quiet, color } } = command.output();
    let verbosity = match (quiet, verbose) {
        (true, _) => Verbosity::Quiet,
        (false, false) => Verbosity::Normal,
        (false, true) => Verbosity::Verbose,
    };
    let ui = Ui::new(verbosity, color, format, environment::reader());
    if format == Format::JsonLines && !matches!(command, Command::Static(_)) {
        let error =
            Error::usage("`--format json-lines` is for `hsx static` only").hint("`--format json` is for others");
        return ExitCode::from(fail(&error.into(), format, &ui));
    }
    let result = Environment::read().and_then(|environment| command.run(&environment, &ui));
    let code = result.unwrap_or_else(|error| fail(&error, format, &ui));
    let Some(unwritten) = ui.unwritten() else { return ExitCode::from(code) };
    ui.error(&unwritten);
    ExitCode::from(if code == 0 { unwritten.kind.exit_code() } else { code })
}

/// Reports the error that kept a command from starting, in the format that was asked for, and returns the exit code.
fn fail(error: &anyhow::Error, format: Format, ui: &Ui) -> u8 {
    let unexpected = || Error::new(ErrorKind::Host, format!("{error:#}"));
    let error = error.downcast_ref::<Error>().cloned().unwrap_or_else(unexpected);
    tell(&error, format, ui);
    ui.error(&error);
    error.kind.exit_code()
}

/// Reports an error as JSON, if the format is one of JSON.
fn tell(error: &Error, format: Format, ui: &Ui) {
    if format == Format::JsonLines {
        ui.tell(Event::End { exit_code: error.kind.exit_code(), error: Some(report::error_json(error)) });
    }
    if format == Format::Json {
        let document = serde_json::json!({ "exit_code": error.kind.exit_code(), "error": report::error_json(error) });
        ui.print(&format!("{document:#}\n"));
    }
}
