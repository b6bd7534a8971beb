//! The user's own arguments for an engine's `run`, as far as hsx must understand them.

use super::container::Network;

/// The user's own arguments. Those about the network are left out if the container has none: engines join several
/// networks.
pub(crate) fn own_args(extra: &[String], network: Network) -> Vec<&str> {
    let mut args = extra.iter().map(String::as_str);
    let mut kept = Vec::new();
    while let Some(arg) = args.next() {
        let is_network =
            |flag: &str| arg.strip_prefix(flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='));
        if network == Network::Default || !["--network", "--net"].into_iter().any(is_network) {
            kept.push(arg);
        } else if !arg.contains('=') {
            args.next();
        }
    }
    kept
}

/// Whether the user's own arguments give a container nothing that may change what it builds, except variables with a
/// value.
pub(crate) fn reads_nothing(args: &[String]) -> bool {
    const HARMLESS: &[&str] = &[
        "--add-host",
        "--annotation",
        "--blkio-weight",
        "--cgroup-parent",
        "--cgroupns",
        "--cgroups",
        "--cpu-quota",
        "--cpu-shares",
        "--cpus",
        "--cpuset-cpus",
        "--dns",
        "--label",
        "--log-driver",
        "--log-opt",
        "--memory",
        "--memory-swap",
        "--net",
        "--network",
        "--oom-score-adj",
        "--pids-limit",
        "--runtime",
        "--security-opt",
        "--shm-size",
        "--stop-timeout",
        "--ulimit",
        "-l",
        "-m",
    ];
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = arg.split_once('=').map_or((arg.as_str(), None), |(flag, value)| (flag, Some(value)));
        let value = value.or_else(|| args.next().map(String::as_str));
        // A variable without a value has the caller's value, which is not known here.
        let is_variable = ["--env", "-e"].contains(&flag) && value.is_some_and(|value| value.contains('='));
        if !HARMLESS.contains(&flag) && !is_variable {
            return false;
        }
    }
    true
}

/// A value that the user's own arguments give to containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ContainerInput {
    /// `NAME=VALUE`
    Value(String),
    /// `NAME`: the value is that of the caller's variable.
    Variable(String),
    /// A file of variables, by its path.
    File(String),
}

/// The values that the user's own arguments give to containers. A splice may read them, so they can change a build.
pub(crate) fn given(args: &[String]) -> Vec<ContainerInput> {
    let mut given = Vec::new();
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        let (flag, value) = arg.split_once('=').map_or((arg.as_str(), None), |(flag, value)| (flag, Some(value)));
        if !["--env", "-e", "--env-file"].contains(&flag) {
            continue;
        }
        let Some(value) = value.or_else(|| args.next().map(String::as_str)).map(str::to_owned) else { break };
        given.push(match flag {
            "--env-file" => ContainerInput::File(value),
            _ if value.contains('=') => ContainerInput::Value(value),
            _ => ContainerInput::Variable(value),
        });
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_network_is_no_business_of_a_container_without() {
        let extra = ["--net", "a", "--cpus=2", "--network=b", "--network-alias", "c"].map(str::to_owned);
        assert_eq!(own_args(&extra, Network::None), ["--cpus=2", "--network-alias", "c"]);
        assert_eq!(own_args(&extra, Network::Default), extra);
    }

    #[test]
    fn what_is_given_to_containers_is_known() {
        let args =
            ["--cpus=2", "--env=A=1=2", "--env", "B", "-e", "C=3", "--env=D", "--env-file=x", "-e"].map(str::to_owned);
        let [value, variable] = [
            |text: &str| ContainerInput::Value(text.to_owned()),
            |text: &str| ContainerInput::Variable(text.to_owned()),
        ];
        assert_eq!(
            given(&args),
            [value("A=1=2"), variable("B"), value("C=3"), variable("D"), ContainerInput::File("x".to_owned())]
        );
    }

    #[test]
    fn only_arguments_that_show_nothing_are_harmless() {
        for (args, harmless) in [
            ("", true),
            ("--cpus=2 --memory 4g", true),
            ("--env A=1 -e B=2 --env=C=3", true),
            ("--env HOME", false),
            ("--env=HOME", false),
            ("--env-file x", false),
            ("--cpus 2 --volume /a:/b", false),
            ("--mount=type=bind,source=/a,target=/b", false),
            ("--rm", false),
        ] {
            let args: Vec<_> = args.split_whitespace().map(str::to_owned).collect();
            assert_eq!(reads_nothing(&args), harmless, "{args:?}");
        }
    }
}
