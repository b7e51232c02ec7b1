//! A budget on size: code lines per crate, without tests, against a ceiling that only a reviewed change raises.

use std::fs;
use std::path::Path;

use crate::{Result, entries};

/// How many code lines each package may have.
const CEILINGS: [(&str, usize); 11] = [
    ("crates/cornu", 17_650),
    ("crates/cornu-array", 2_700),
    ("crates/cornu-cpu", 11_700),
    ("crates/cornu-data", 19_500),
    ("crates/cornu-display", 1_050),
    ("crates/cornu-files", 2_500),
    ("crates/cornu-graph", 7_100),
    ("crates/cornu-testkit", 2_700),
    ("crates/cornu-tuner", 6_500),
    ("crates/cornu-xla", 2_200),
    ("xtask", 700),
];

/// How many lines a file may have, tests and comments included.
const LONGEST_FILE: usize = 500;

/// Prints the code lines of each package.
///
/// # Errors
/// A package above its ceiling or without one, or a file that is too long.
pub(crate) fn check(root: &Path) -> Result<()> {
    let mut problems = Vec::new();
    for entry in entries(&root.join("crates"))? {
        let name = format!("crates/{}", entry.file_name().unwrap_or_default().to_string_lossy());
        if entry.is_dir() && !CEILINGS.iter().any(|(known, _)| *known == name) {
            problems.push(format!("{name} has no ceiling"));
        }
    }
    for (name, ceiling) in CEILINGS {
        let lines = count(&root.join(name).join("src"), &mut problems)?;
        println!("{lines:>6} of {ceiling:>6}  {name}");
        if lines > ceiling {
            problems.push(format!("{name} has {lines} code lines, above its ceiling of {ceiling}"));
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

/// The code lines of the files in a folder and the folders in it; files that are too long are noted.
fn count(folder: &Path, problems: &mut Vec<String>) -> Result<usize> {
    let mut total = 0;
    for path in entries(folder)? {
        if path.is_dir() {
            total += count(&path, problems)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
            let length = text.lines().count();
            if length > LONGEST_FILE {
                problems.push(format!("{} has {length} lines, above {LONGEST_FILE}", path.display()));
            }
            total += if path.ends_with("tests.rs") { 0 } else { code_lines(&text) };
        }
    }
    Ok(total)
}

/// Lines that are neither empty nor comments, up to the tests at the end.
fn code_lines(text: &str) -> usize {
    let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(text);
    code.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

#[test]
fn comments_blank_lines_and_tests_are_not_code() {
    let text =
        "//! Why.\n\n/// What.\nfn f() {\n    // How.\n    g();\n}\n\n#[cfg(test)]\nmod tests {\n    fn t() {}\n}\n";
    assert_eq!(code_lines(text), 3);
}
