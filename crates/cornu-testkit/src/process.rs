//! Tests of what belongs to a whole process: its memory, its environment, its signals, its outputs. Such a test starts
//! itself once more, alone in a process of its own.

use std::ffi::{OsStr, OsString};
use std::process::{Command, Output};

const WORD: &str = "CORNU_TEST_ALONE";

/// The word that [`again`] gave this process, if it is one that was started so.
pub fn word() -> Option<OsString> {
    std::env::var_os(WORD)
}

/// A command that runs the test of that path, and nothing else, with a word for it. A shell does `before` in the same
/// process, such as `ulimit -v 1000000;`.
///
/// # Panics
/// Where the program of the tests cannot be found.
pub fn again(test: &str, before: &str, word: impl AsRef<OsStr>) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{before} exec \"$0\" \"$@\"")]).arg(std::env::current_exe().expect("these tests"));
    shell.args([test, "--exact", "--nocapture", "--test-threads=1"]).env(WORD, word);
    shell
}

/// Requires that the test of [`again`] was run and has passed.
///
/// # Panics
/// With all that was printed, if it has not.
#[track_caller]
pub fn assert_passed(output: &Output) {
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{}: {text}", output.status);
}
