//! The folders of `src` stand one above the other, and imports point downwards. No lint knows of folders, so this reads
//! the `use` lines. All else that can be wrong in a source is clippy's to find.

use std::collections::{BTreeMap, BTreeSet};

use camino::{Utf8Path, Utf8PathBuf};

/// The folders of `src`, bottom to top, and what belongs there. A file imports from its own folder and from those below.
const FOLDERS: [(&str, &str); 18] = [
    ("base", "what everything is made of: error, platform, a command as data"),
    ("project", "a Haskell project, as its files tell"),
    ("tools", "what one tool's flags and answers mean"),
    ("args", "arguments that several commands share, as typed"),
    ("settings", "arguments and settings files, resolved"),
    ("facts", "what a plan depends on, and what follows from that alone"),
    ("report", "what happened, for people and programs"),
    ("doctor", "what was found on a machine, judged"),
    ("world/doors", "the ways to the machine: run, read, write, say"),
    ("world/ask", "finding out what a plan depends on"),
    ("steps", "one step of a plan: its data, its shell, its effect, its words"),
    ("plan", "steps composed, as data"),
    ("world/follow", "doing what a plan says"),
    ("world", "nothing but its folders"),
    ("commands", "one subcommand: its arguments, and what it composes"),
    ("cli", "the parser, and which command runs"),
    ("main", "where it begins"),
    ("fuzz", "tests: what others write, spoilt"),
];

/// The sources below a directory, by their paths from there.
fn sources(dir: &str) -> BTreeMap<Utf8PathBuf, String> {
    let root = Utf8Path::new(env!("CARGO_MANIFEST_DIR")).join(dir);
    let files = walkdir::WalkDir::new(&root).into_iter();
    let paths = files.map(|entry| Utf8PathBuf::from_path_buf(entry.unwrap().into_path()).unwrap());
    let rust = paths.filter(|path| path.extension() == Some("rs"));
    rust.map(|path| (path.strip_prefix(&root).unwrap().to_owned(), fs_err::read_to_string(&path).unwrap())).collect()
}

/// One file's need of another.
#[derive(Clone, Debug)]
struct Import {
    from: Utf8PathBuf,
    to: Utf8PathBuf,
    line: usize,
    path: String,
}

/// Which files of a crate import which, by their `use` lines and the paths in their code. Tests may import what they like.
fn imports(sources: &BTreeMap<Utf8PathBuf, String>) -> Vec<Import> {
    let modules: BTreeMap<Vec<&str>, &Utf8Path> = sources.keys().map(|path| (module(path), path.as_path())).collect();
    let mut imports = Vec::new();
    for (from, text) in sources {
        let own = module(from);
        for (line, path) in paths(text) {
            let words: Vec<&str> = path.split("::").map(|word| word.trim_start_matches("r#")).collect();
            let up = words.iter().take_while(|word| **word == "super").count();
            let full: Vec<&str> = match words[0] {
                "crate" => words[1..].to_vec(),
                "self" => own.iter().copied().chain(words[1..].iter().copied()).collect(),
                "super" => own[..own.len() - up].iter().copied().chain(words[up..].iter().copied()).collect(),
                // A path that begins with a name of the file's own: a module below it, or nothing of this crate's.
                _ => own.iter().copied().chain(words.iter().copied()).collect(),
            };
            let named = (0..=full.len()).rev().find_map(|end| Some((end, *modules.get(&full[..end])?)));
            let is_below =
                ["crate", "self", "super"].contains(&words[0]) || named.is_some_and(|(end, _)| end > own.len());
            if let Some((_, to)) = named.filter(|(_, to)| is_below && *to != from) {
                imports.push(Import { from: from.clone(), to: to.to_owned(), line, path });
            }
        }
    }
    imports
}

/// The module that a file is: `[]` for `main.rs`, `["plan", "cross"]` for `plan/cross.rs`.
fn module(path: &Utf8Path) -> Vec<&str> {
    let words: Vec<&str> = path.as_str().trim_end_matches(".rs").split('/').collect();
    match words.split_last() {
        Some((&("mod" | "main"), folders)) => folders.to_vec(),
        _ => words,
    }
}

/// All paths in a source before its tests, with their lines: what `use` names one by one, and `a::b` in the code.
fn paths(text: &str) -> Vec<(usize, String)> {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    let code: String = lines.map(|line| line.split("//").next().unwrap_or_default().to_owned() + "\n").collect();
    let (mut paths, mut rest, mut line) = (Vec::new(), code.as_str(), 1);
    while !rest.is_empty() {
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '#';
        let word = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let end = if &rest[..word] == "use" && rest[word..].starts_with(' ') {
            let end = rest.find(';').unwrap_or(rest.len());
            paths.extend(named(&rest[word..end]).into_iter().map(|path| (line, path)));
            end
        } else {
            let end = rest.find(|c| !is_word(c) && c != ':').unwrap_or(rest.len());
            let path = rest[..end].trim_end_matches(':');
            if path.contains("::") && !path.starts_with(':') {
                paths.push((line, path.to_owned()));
            }
            end.max(rest.chars().next().map_or(0, char::len_utf8))
        };
        line += rest[..end].matches('\n').count();
        rest = &rest[end..];
    }
    paths
}

/// What a `use` names: `a::{self, b::c}` is `a` and `a::b::c`.
fn named(tree: &str) -> Vec<String> {
    let tree = tree.trim();
    let Some((before, list)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return if path.is_empty() { Vec::new() } else { vec![path.trim_end_matches("::self").to_owned()] };
    };
    let (mut depth, mut start, mut names) = (0, 0, Vec::new());
    let list = list.trim_end().strip_suffix('}').unwrap_or(list);
    for (at, c) in list.char_indices().chain([(list.len(), ',')]) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                names.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    names
        .into_iter()
        .flat_map(named)
        .map(|name| format!("{before}{name}").trim_end_matches("::self").to_owned())
        .collect()
}

/// A file's folder, and how high it stands.
fn folder(path: &Utf8Path) -> Option<(usize, &'static str)> {
    let module = path.as_str().trim_end_matches(".rs");
    let is_in = |name: &str| module.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    FOLDERS.iter().enumerate().find(|(_, (name, _))| is_in(name)).map(|(height, (name, _))| (height, *name))
}

/// What is wrong with some imports: those that point upwards, and those that go round in a circle.
fn faults(imports: &[Import]) -> Vec<String> {
    let mut faults = Vec::new();
    for Import { from, to, line, path } in imports {
        let known = |file| folder(file).ok_or_else(|| format!("src/{file} is in no folder that `FOLDERS` knows"));
        match (known(from), known(to)) {
            (Ok((low, folder)), Ok((high, above))) if low < high => faults.push(format!(
                "src/{from}:{line} imports `{path}`, but `{folder}` stands below `{above}`. Either what is imported belongs \
                 in `{folder}` or below it ({}), or what needs it belongs in `{above}` ({}), or it comes as a parameter.",
                FOLDERS[low].1, FOLDERS[high].1
            )),
            (Ok(_), Ok(_)) => {}
            (Err(fault), _) | (_, Err(fault)) => faults.push(fault),
        }
    }
    faults.extend(circle(imports).map(|circle| {
        let lines =
            circle.iter().map(|import| format!("\n  src/{}:{} imports `{}`", import.from, import.line, import.path));
        format!(
            "these files go round in a circle; what they share belongs in a file of its own, below them:{}",
            lines.collect::<String>()
        )
    }));
    faults.sort();
    faults.dedup();
    faults
}

/// Imports that lead from a file back to itself.
fn circle(imports: &[Import]) -> Option<Vec<&Import>> {
    /// Follows the imports of a file; `way` leads to it, and from `done` files no circle begins.
    fn search<'a>(
        file: &'a Utf8Path,
        way: &mut Vec<&'a Import>,
        done: &mut BTreeSet<&'a Utf8Path>,
        imports: &'a [Import],
    ) -> Option<Vec<&'a Import>> {
        if done.contains(file) {
            return None;
        }
        for import in imports.iter().filter(|import| import.from == file) {
            if let Some(start) = way.iter().position(|earlier| earlier.from == import.to) {
                return Some(way[start..].iter().copied().chain([import]).collect());
            }
            way.push(import);
            if let Some(found) = search(&import.to, way, done, imports) {
                return Some(found);
            }
            way.pop();
        }
        done.insert(file);
        None
    }
    let mut done = BTreeSet::new();
    imports.iter().find_map(|import| search(&import.from, &mut Vec::new(), &mut done, imports))
}

#[test]
#[expect(clippy::print_stdout, reason = "whoever asks for it sees the graph")]
fn imports_point_downwards() {
    let imports = imports(&sources("src"));
    let mut graph: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for Import { from, to, .. } in &imports {
        let (from, to) = (folder(from).unwrap_or_default(), folder(to).unwrap_or_default());
        if from != to {
            graph.entry(from).or_default().insert(to.1);
        }
    }
    // `cargo test --test it imports_point_downwards -- --nocapture` shows it.
    for ((_, from), to) in graph.iter().rev() {
        println!("{from:<13} imports {}", to.iter().copied().collect::<Vec<_>>().join(", "));
    }
    assert!(imports.len() > 300, "only {} imports were found", imports.len());
    let faults = faults(&imports);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn an_import_that_points_upwards_is_found() {
    let faults_of = |files: &[(&str, &str)]| {
        faults(&imports(&files.iter().map(|(path, text)| (Utf8PathBuf::from(*path), (*text).to_owned())).collect()))
    };
    for good in [
        "use crate::base::cmd::Cmd;",
        "// crate::cli::Cli",
        "fn f() {}\n#[cfg(test)]\nmod tests { use crate::cli::Cli; }",
    ] {
        let files = [("base/cmd.rs", ""), ("cli.rs", "use crate::tools::upx;"), ("tools/upx.rs", good)];
        assert_eq!(faults_of(&files), [""; 0], "{good}");
    }
    for bad in [
        "use crate::{\n    base::cmd,\n    cli::Cli,\n};",
        "fn f() -> crate::cli::Cli {}",
        "use super::super::cli::{self, Cli};",
    ] {
        let files = [("base/cmd.rs", ""), ("cli.rs", ""), ("tools/upx.rs", bad)];
        let faults = faults_of(&files);
        assert!(faults.len() <= 2 && faults[0].starts_with("src/tools/upx.rs:1 imports `"), "{faults:?}");
        assert!(faults[0].contains("`tools` stands below `cli`"), "{faults:?}");
    }
    let round = [("doctor/mod.rs", "mod tools;\nfn f() { tools::g() }"), ("doctor/tools.rs", "use super::Finding;")];
    let faults = faults_of(&round);
    assert!(faults.len() == 1 && faults[0].contains("circle"), "{faults:?}");
    assert!(
        faults[0].contains("\n  src/doctor/mod.rs:2 imports `tools::g`\n  src/doctor/tools.rs:1 imports"),
        "{faults:?}"
    );
    let long = [
        ("plan/a.rs", "use super::b;"),
        ("plan/b.rs", "use crate::plan::c::{C, D as E};"),
        ("plan/c.rs", "use crate::base::cmd;\nuse super::a;"),
        ("plan/z.rs", "use super::a;"),
        ("base/cmd.rs", ""),
    ];
    assert_eq!(faults_of(&long).len(), 1);
    assert_eq!(faults_of(&[("plan/a.rs", ""), ("new/a.rs", "use crate::plan::a;")]).len(), 1);
}
