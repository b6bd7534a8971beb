//! Answers of engines that are no JSON: lists with one item a line, and what the words of an error mean. Engines have no
//! codes for errors, so their words are all there is.

/// The items of a list: names of volumes, or ids of images and containers.
pub(crate) fn items(answer: &str) -> impl Iterator<Item = &str> {
    answer.lines().map(str::trim).filter(|line| !line.is_empty())
}

/// The id and the name of each container that [`super::Engine::containers`] lists.
pub(crate) fn containers(answer: &str) -> impl Iterator<Item = (&str, &str)> {
    items(answer).filter_map(|line| line.split_once(' '))
}

/// The line that says why a command failed: the last one.
pub(crate) fn reason(said: &str) -> Option<&str> {
    items(said).last()
}

/// Whether a container still uses what was to be removed.
pub(crate) fn is_in_use(said: &str) -> bool {
    ["in use", "being used", "is using"].iter().any(|words| said.contains(words))
}

/// Whether there is a volume of that name. Docker reports no error then; podman before 4.6 has no flag for that.
pub(crate) fn exists_already(said: &str) -> bool {
    said.contains("already exists")
}

/// Whether the registry has the image for one platform only: podman before 5 cannot print its manifest then.
pub(crate) fn is_of_one_platform(said: &str) -> bool {
    said.contains("single image")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_line_by_line() {
        assert_eq!(items("a\r\n\n  b \n").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(items("\n").next(), None);
        assert_eq!(containers("0a hsx-k-build\nodd\n").collect::<Vec<_>>(), [("0a", "hsx-k-build")]);
        assert_eq!((reason("one\n Error: two \n\n"), reason(" \n")), (Some("Error: two"), None));
    }

    #[test]
    fn the_words_of_errors_are_those_of_the_engines() {
        for said in [
            // Docker 20.10, 28.
            "Error response from daemon: remove v: volume is in use - [1f]",
            "conflict: unable to remove repository reference (must force) - container 1f is using its referenced image",
            // Podman 4.3, 5.4.
            "Error: volume v is being used by the following container(s): 1f: volume is being used",
            "Error: image used by 1f: image is in use by a container: consider listing external containers",
        ] {
            assert!(is_in_use(said), "{said}");
        }
        assert!(!is_in_use("Error: no such volume v"));
        assert!(exists_already("Error: volume with name v already exists: volume already exists"));
        assert!(is_of_one_platform("Error: the manifest is a single image, not a manifest list"));
    }
}
