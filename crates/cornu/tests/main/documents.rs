//! The readmes and the lesson: their programs are compiled as documentation tests, and what is shown elsewhere is a part
//! of those.

use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines inside fences that open with exactly that.
fn blocks(text: &str, fence: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("```") {
            let inside: Vec<String> = lines.by_ref().take_while(|line| *line != "```").map(String::from).collect();
            if line == fence {
                blocks.push(inside);
            }
        }
    }
    blocks
}

/// Whether the lines stand in the program one after the other, indented.
fn contains(program: &[String], lines: &[String]) -> bool {
    let plain = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| line.trim().to_string()).filter(|line| !line.is_empty()).collect()
    };
    let (program, lines) = (plain(program), plain(lines));
    program.windows(lines.len()).any(|window| window == lines)
}

#[test]
fn pieces_of_the_lesson_are_of_its_programs() {
    let lesson = read("docs/tutorial.es.md");
    let programs = blocks(&lesson, "```rust,no_run");
    assert_eq!(programs.len(), 2, "a program for each half");
    // Those are `rs`, which is coloured as Rust but not compiled by itself.
    let pieces = blocks(&lesson, "```rs");
    assert!(pieces.len() > 10, "{} pieces", pieces.len());
    for piece in pieces {
        let found = programs.iter().any(|program| contains(program, &piece));
        assert!(found, "not in a program of the lesson:\n{}", piece.join("\n"));
    }
}

#[test]
fn both_readmes_show_the_same_program_and_the_same_figures() {
    let (english, spanish) = (read("README.md"), read("README.es.md"));
    assert_eq!(blocks(&english, "```rust,no_run"), blocks(&spanish, "```rust,no_run"));
    let figures = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with('|'));
        let words = rows.flat_map(|line| line.split(['|', ' '])).map(|word| word.trim_matches(['(', ')', ',', ';']));
        words.filter(|word| word.contains(['.', 'e']) && word.parse::<f64>().is_ok()).map(Into::into).collect()
    };
    assert!(figures(&english).len() > 10);
    assert_eq!(figures(&english), figures(&spanish));
}

#[test]
fn the_readmes_commands_are_those_of_the_checks() {
    let (readme, checks) = (read("README.md"), read(".ci/run"));
    for block in blocks(&readme, "```sh") {
        for line in &block {
            let command = line.split('#').next().unwrap_or(line).trim();
            assert!(checks.contains(command), "`.ci/run` does not run `{command}`");
        }
    }
}
