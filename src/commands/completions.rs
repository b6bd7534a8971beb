//! `hsx completions`: the script by which a shell completes hsx's command line.

use clap::{Args, Command, ValueEnum};
use clap_complete::{Generator, Shell as Known};
use clap_complete_nushell::Nushell;

use crate::world::doors::ui::Ui;

const HELP: &str = "\
Examples:
  hsx completions bash > ~/.local/share/bash-completion/completions/hsx
  hsx completions zsh > ~/.zfunc/_hsx      with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc
  hsx completions fish > ~/.config/fish/completions/hsx.fish
  hsx completions nushell > ~/.config/nushell/autoload/hsx.nu
  hsx completions powershell >> $PROFILE

Exit codes:
  0  done
  2  usage";

/// Print completions for a shell
///
/// Prints a script for the shell named, to be put where that shell looks for completions.
#[derive(Args, Clone, Debug)]
#[command(after_long_help = HELP, after_help = "See `hsx completions --help` for where each shell looks")]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
    Nushell,
    Powershell,
}

/// Runs `hsx completions`. The parameter `hsx` is the definition of the whole command line.
pub(crate) fn run(args: &CompletionsArgs, mut hsx: Command, ui: &Ui) -> u8 {
    ui.print(&match args.shell {
        Shell::Bash => script(Known::Bash, &mut hsx),
        Shell::Zsh => script(Known::Zsh, &mut hsx),
        Shell::Fish => script(Known::Fish, &mut hsx),
        Shell::Nushell => script(Nushell, &mut hsx),
        Shell::Powershell => script(Known::PowerShell, &mut hsx),
    });
    0
}

fn script(shell: impl Generator, hsx: &mut Command) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, hsx, "hsx", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}
