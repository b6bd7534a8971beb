//! Shell completions and manual pages.

use snapbox::{assert_data_eq, file};

use crate::fake::Test;

#[test]
fn help() {
    let test = Test::empty();
    assert_data_eq!(test.hsx("completions --help").exits(0).stdout, file!["snapshots/completions-help.txt"]);
    assert_data_eq!(test.hsx("man --help").exits(0).stdout, file!["snapshots/man-help.txt"]);
}

#[test]
fn every_shell_gets_its_own_script() {
    let test = Test::empty();
    for (shell, mark) in [
        ("bash", "complete -F _hsx"),
        ("zsh", "#compdef hsx"),
        ("fish", "complete -c hsx"),
        ("nushell", "export extern \"hsx static\""),
        ("powershell", "Register-ArgumentCompleter"),
    ] {
        let run = test.hsx(&format!("completions {shell}")).exits(0).prints(mark).prints("platform");
        assert_eq!(run.stderr, "");
    }
    test.hsx("completions tcsh").exits(2).prints_nothing().says("invalid value 'tcsh'");
}

#[test]
fn a_page_is_printed() {
    let test = Test::empty();
    test.hsx("man").exits(0).prints(".TH hsx 1").prints("hsx\\-static(1)").prints(".SH \"EXIT CODES\"");
    let page = test.hsx("man static").exits(0).prints(".TH hsx-static 1").prints("\\-\\-platform");
    page.prints("\nhsx static \\-p linux/amd64,linux/arm64       for both\n");
    let run = test.hsx("man statik").exits(2).prints_nothing();
    run.says("there is no command `statik`").says("known: `static`");
}

#[test]
fn all_pages_are_written() {
    let test = Test::empty();
    test.hsx("man --dir share/man1").exits(0).prints_nothing().says("hsx-static.1");
    let pages: Vec<_> = test.tree("share/man1").into_keys().collect();
    for page in ["hsx.1", "hsx-static.1", "hsx-man.1"] {
        assert!(pages.iter().any(|name| name == page), "{pages:?}");
    }
    test.write("file", "");
    test.hsx("man --dir file/below").exits(2).says("cannot be written");
}
