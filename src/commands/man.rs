//! `hsx man`: manual pages, one for each command, made from the same text as `--help`.

use camino::{Utf8Path, Utf8PathBuf};
use clap::{Args, Command};
use clap_mangen::roff::{Roff, roman};

use crate::base::error::Error;
use crate::base::place::Place;
use crate::world::doors::environment::Environment;
use crate::world::doors::ui::Ui;
use crate::world::doors::write;

const HELP: &str = "\
Examples:
  hsx man static | man -l -                     read a page
  hsx man --dir /usr/local/share/man/man1       write all of them: hsx.1, hsx-static.1, …

Exit codes:
  0  done
  2  usage: no such command, or the directory cannot be written";

/// Print a manual page, or write all of them
///
/// Prints the page of hsx itself, or of the command named. The pages say what `--help` does.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP, after_help = "See `hsx man --help` for examples")]
pub(crate) struct ManArgs {
    /// The command to print the page of, such as `static`; default: hsx itself
    #[arg(value_name = "COMMAND")]
    pub command: Vec<String>,

    /// Write the pages of all commands into this directory, which is made
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    pub dir: Option<Utf8PathBuf>,
}

/// Runs `hsx man`.
///
/// # Errors
/// When there is no such command, or a page cannot be written.
pub(crate) fn run(args: &ManArgs, mut hsx: Command, environment: &Environment, ui: &Ui) -> Result<u8, Error> {
    hsx.build();
    match &args.dir {
        Some(dir) => write_pages(&hsx, &environment.cwd.join(dir), ui)?,
        None => ui.print(&page(find(&hsx, &args.command)?)),
    }
    Ok(0)
}

fn write_pages(command: &Command, dir: &Utf8Path, ui: &Ui) -> Result<(), Error> {
    let name = format!("{}.1", full_name(command));
    write::replace(&Place::of_user(dir), &name, &page(command), true)?;
    ui.status("Wrote", dir.join(name).as_str());
    command.get_subcommands().try_for_each(|command| write_pages(command, dir, ui))
}

fn find<'a>(hsx: &'a Command, words: &[String]) -> Result<&'a Command, Error> {
    words.iter().try_fold(hsx, |command, word| {
        command.find_subcommand(word).ok_or_else(|| {
            let names: Vec<_> = command.get_subcommands().map(|known| format!("`{}`", known.get_name())).collect();
            let error = Error::usage(format!("there is no command `{word}`"));
            if names.is_empty() { error } else { error.hint(format!("known: {}", names.join(", "))) }
        })
    })
}

/// The name of the page, such as `hsx-cache-list`.
fn full_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// A page in roff(7).
pub(crate) fn page(command: &Command) -> String {
    let after = command.get_after_long_help().or_else(|| command.get_after_help());
    let after = after.map(ToString::to_string).unwrap_or_default();
    // `clap_mangen` would reflow the text below the options, and so destroy the examples.
    let bare = command.clone().after_help(None::<&str>).after_long_help(None::<&str>);
    let source = format!("hsx {}", env!("CARGO_PKG_VERSION"));
    let mut page = Vec::new();
    // Writing into memory does not fail.
    let _ = clap_mangen::Man::new(bare).title(full_name(command)).source(source).render(&mut page);
    String::from_utf8_lossy(&page).into_owned() + &sections(&after)
}

/// Converts the part of a help text below the options. `Heading:` begins at the left margin; indented lines stay as
/// they are.
fn sections(text: &str) -> String {
    let mut roff = Roff::new();
    let mut open = false;
    for line in text.lines() {
        let heading = line.strip_suffix(':').filter(|heading| !heading.starts_with(' '));
        if let Some(heading) = heading {
            if open {
                roff.control("fi", []);
            }
            roff.control("SH", [heading.to_uppercase().as_str()]);
            roff.control("nf", []);
            open = true;
        } else {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
    }
    if open {
        roff.control("fi", []);
    }
    roff.to_roff()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_keep_their_lines() {
        let page = sections("Examples:\n  hsx x   does\n  .dot\n\nExit codes:\n    0  done");
        let lines: Vec<_> = page.lines().collect();
        assert!(lines.contains(&".SH EXAMPLES") && lines.contains(&".SH \"EXIT CODES\""), "{page}");
        assert!(
            lines.contains(&"hsx x   does") && lines.contains(&"\\&.dot") && lines.contains(&"  0  done"),
            "{page}"
        );
        assert_eq!(lines.iter().filter(|line| **line == ".nf").count(), 2, "{page}");
    }
}
