//! Hints for when cabal fails. They are made from the project's files before the build, and shown if cabal's output
//! calls for them.

use crate::project::{ComponentKind, Project, freeze};

/// A hint, and the words in cabal's output that call for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Advice {
    /// The output contains one of these texts.
    pub when: Vec<String>,
    pub hint: String,
}

impl Advice {
    fn new(when: &[&str], hint: String) -> Self {
        Self { when: when.iter().map(|&words| words.to_owned()).collect(), hint }
    }
}

/// What cabal and GHC say when they do not find a file.
pub(crate) const NOT_THERE: [&str; 8] = [
    "can't find source for",
    "does not exist",
    "does not match any recognised forms of package",
    "Could not find module",
    "could not find module",
    "No such file or directory",
    "unknown package:",
    "no such file or directory",
];

/// All hints for a project.
pub(crate) fn of_project(project: &Project) -> Vec<Advice> {
    let mut advice = Vec::new();
    for empty in &project.empty_packages {
        let hint = if empty.is_submodule {
            format!("`{}` is empty, and .gitmodules lists it: `git submodule update --init` fetches it", empty.path)
        } else {
            format!("`{}` is a directory without a `.cabal` file", empty.path)
        };
        advice.push(Advice::new(&[&empty.path], hint));
    }
    if let Some(stack) = &project.stack {
        let hint = format!(
            "there is a `stack.yaml` in `{}`: cabal reads a `cabal.project` there: `packages: {}`",
            stack.dir,
            stack.packages.join(" ")
        );
        advice.push(Advice::new(&["unknown package:", "Could not resolve dependencies"], hint));
    }
    if project.freeze_file().is_some() {
        let hint = format!(
            "`{}` is of another GHC or system: `--freeze=file` leaves out what does not hold here, and `hsx freeze --from file \
             --force` writes it so",
            freeze::FILE
        );
        advice.push(Advice::new(&[&format!("{} requires", freeze::FILE), &format!("{}\n", freeze::FILE)], hint));
    }
    for (package, path) in project.unseen_paths() {
        let hint =
            format!("`{path}` of `{package}` is not seen in the container: `--source-dir DIR` shows it a directory");
        advice.push(Advice::new(&NOT_THERE, hint));
    }
    for path in &project.unseen_repositories {
        let hint = format!(
            "the repository `{path}` is a directory of this machine that the container does not see: keep it in the project, or \
             name it with `--source-dir`"
        );
        advice.push(Advice::new(&[path.as_str(), "unknown package:", "Could not resolve dependencies"], hint));
    }
    let known: Vec<_> = project
        .components(ComponentKind::Executable)
        .map(|exe| format!("`{}:exe:{}`", exe.package, exe.name))
        .collect();
    if !known.is_empty() {
        let hint = format!("executables, as hsx reads the project's files (a guess): {}", known.join(", "));
        advice.push(Advice::new(&["Unknown target", "unknown target", "does not contain any executables"], hint));
    }
    advice
}

/// The hints that an output calls for.
pub(crate) fn hints(advice: &[Advice], said: &str) -> Vec<String> {
    // cabal may break its lines at any blank.
    let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let is_said = |words: &String| said.contains(words) || flat.contains(words.trim_end());
    let called = advice.iter().filter(|advice| advice.when.iter().any(is_said));
    called.map(|advice| advice.hint.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{EmptyPackage, StackProject};

    #[test]
    fn a_hint_is_given_where_its_words_are_said() {
        let project = Project {
            root: "/p".into(),
            empty_packages: vec![
                EmptyPackage { path: "vendor/parser".to_owned(), is_submodule: true },
                EmptyPackage { path: "other".to_owned(), is_submodule: false },
            ],
            stack: Some(StackProject { dir: "/p".into(), packages: vec!["a".to_owned(), "b".to_owned()] }),
            plan_inputs: vec![("/p/cabal.project.freeze".into(), String::new())],
            unseen_repositories: vec!["/elsewhere/repo".into()],
            ..Project::default()
        };
        let advice = of_project(&project);
        for (said, hint) in [
            ("The package directory 'vendor/parser' does not contain any .cabal file.", "git submodule update --init"),
            ("[__1] unknown package: protocol (dependency of server)", "`packages: a b`"),
            ("(constraint from project\nconfig /src/cabal.project.freeze requires ==4.17.2.1)", "--freeze=file"),
            ("[__1] unknown package: colours", "--source-dir"),
        ] {
            let hints = hints(&advice, said);
            assert!(hints.iter().any(|line| line.contains(hint)), "{said}: {hints:?}");
        }
        assert!(hints(&advice, "Main.hs:1:1: error: parse error").is_empty());
    }
}
