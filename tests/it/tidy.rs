//! What holds for the sources themselves.

use camino::{Utf8Path, Utf8PathBuf};

use crate::cli::variables;

fn sources() -> Vec<(Utf8PathBuf, String)> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["src", "tests"].into_iter().flat_map(|dir| walkdir::WalkDir::new(root.join(dir)));
    let paths = files.map(|entry| Utf8PathBuf::from_path_buf(entry.unwrap().into_path()).unwrap());
    let rust = paths.filter(|path| path.extension() == Some("rs"));
    rust.map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs_err::read_to_string(&path).unwrap())).collect()
}

#[test]
fn every_file_is_short_and_says_what_it_is() {
    for (path, text) in sources() {
        let short = text.lines().count() <= 600 || path.starts_with("tests");
        assert!(short, "{path} has {} lines", text.lines().count());
        assert!(text.starts_with("//! "), "{path} does not begin with what it is");
    }
}

#[test]
fn nothing_is_left_for_later() {
    let words = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let marks = ["TODO", "FIXME", "XXX"].map(|mark| format!("// {mark}"));
    for (path, text) in sources() {
        let found = words.iter().chain(&marks).find(|word| text.contains(*word));
        assert!(found.is_none(), "{path} has {}", found.unwrap());
    }
}

#[test]
fn every_variable_is_named_like_its_flag() {
    let help = include_str!("snapshots/static-help.txt");
    assert!(variables().len() > 10);
    for variable in variables() {
        let name = variable.strip_prefix("HSX_").unwrap();
        let flag = format!("--{}", name.to_ascii_lowercase().replace('_', "-"));
        assert!(help.contains(&flag) || help.contains(&format!("[{name}]")), "{variable} has no flag `{flag}`");
    }
}

#[test]
fn every_setting_has_a_variable() {
    let settings = include_str!("../../src/settings/mod.rs").split_once("struct SettingsFile {").unwrap().1;
    let lines = settings.lines().take_while(|line| *line != "}").map(str::trim);
    let fields = lines.filter(|line| !line.starts_with("//")).filter_map(|line| line.split_once(": "));
    let names: Vec<_> = fields.map(|(name, _)| format!("HSX_{}", name.to_ascii_uppercase())).collect();
    assert!(names.len() > 10);
    for name in names {
        let known = variables();
        let one = name.trim_end_matches('S');
        assert!(known.iter().any(|known| *known == name || *known == one), "there is no {name}");
    }
}
