//! The switch itself: a build that has it says so, and refuses what it doesn't know. That no other build has it is
//! `cargo xtask tidy`'s to say.

use boxoffice_contracts::planted::{SKEW_VARIABLE, VARIABLE};
use boxoffice_integration::services::Services;
use std::process::{Command, Output};

fn boxoffice(variables: &[(&str, &str)]) -> Output {
    let program = Services::from_env().programs.join("boxoffice");
    let mut command = Command::new(program);
    let variables = variables.iter().copied();
    command.arg("config").envs(variables).output().unwrap()
}

#[test]
fn a_build_for_tests_says_so_and_refuses_bugs_that_it_does_not_know() {
    let program = Services::from_env().programs.join("boxoffice");
    let version = Command::new(program).arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    assert!(version.contains("bugs can be planted"), "{version}");

    assert!(boxoffice(&[]).status.success());
    assert!(boxoffice(&[(VARIABLE, "fresh_key")]).status.success());
    for (variable, value) in [
        (VARIABLE, "freshkey"),
        (VARIABLE, ""),
        (SKEW_VARIABLE, "soon"),
    ] {
        let refused = boxoffice(&[(variable, value)]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(
            refused.status.code(),
            Some(78),
            "{variable}={value}: {said}"
        );
        assert!(said.contains(variable), "{said}");
    }
}
