//! The readmes and the lesson: their programs are compiled as documentation tests, and what is shown elsewhere is a part
//! of those.

use std::fs;
use std::path::Path;

use cornu_testkit::golden::{self, Report};
use serde_json::Value;

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

const LESSONS: [&str; 2] = ["docs/tutorial.en.md", "docs/tutorial.es.md"];

#[test]
fn pieces_of_the_lesson_are_of_its_programs() {
    for file in LESSONS {
        let lesson = read(file);
        let programs = blocks(&lesson, "```rust,no_run");
        assert_eq!(programs.len(), 2, "{file}: a program for each half");
        // Those are `rs`, which is coloured as Rust but not compiled by itself.
        let pieces = blocks(&lesson, "```rs");
        assert!(pieces.len() > 10, "{file}: {} pieces", pieces.len());
        for piece in pieces {
            let found = programs.iter().any(|program| contains(program, &piece));
            assert!(found, "not in a program of {file}:\n{}", piece.join("\n"));
        }
    }
}

#[test]
fn the_lessons_show_the_same_programs_and_the_same_numbers() {
    let [english, spanish] = LESSONS.map(read);
    for fence in ["```rust,no_run", "```rs", "```text"] {
        assert_eq!(blocks(&english, fence), blocks(&spanish, fence), "{fence}");
    }
}

/// What is measured: where it stands in `bench/results.json`, whether as its inverse, and how it is rounded.
type Figure = (&'static str, bool, i32);

/// The figures of each row of the readmes' table of measurements, in order: places after the point, or -1 for tens.
const MEASURED: [&[Figure]; 9] = [
    &[],
    &[],
    &[
        ("/fits/pima/floor/to_cornu", true, 2),
        ("/fits/pima/cornu/median_ms", false, 1),
        ("/fits/pima/floor/median_ms", false, 1),
        ("/fits/pima/keras-tf/to_cornu", false, -1),
        ("/fits/pima/torch/to_cornu", false, -1),
    ],
    &[
        ("/fits/mnist/jax-scan/to_cornu", false, 2),
        ("/fits/mnist/cornu/median_s", false, 2),
        ("/fits/mnist/jax-scan/median_s", false, 2),
        ("/fits/mnist/keras-tf/to_cornu", false, 0),
        ("/fits/mnist/torch/to_cornu", false, 1),
    ],
    &[
        ("/first_step_ms/pima/first", false, 1),
        ("/first_step_ms/mnist/first", false, 1),
        ("/first_step_ms/pima/next", false, 1),
        ("/first_step_ms/mnist/next", false, 1),
    ],
    &[("/predict_us/pima", false, 2), ("/predict_us/mnist", false, 1)],
    &[("/peak_memory_mb", false, 1)],
    &[("/files/pima", false, i32::MAX), ("/files/mnist", false, i32::MAX)],
    &[],
];

/// The rows of the table whose last column has that head, cell by cell.
fn table(text: &str, head: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect();
    let rows: Vec<Vec<String>> = text.lines().map(cells).collect();
    let first = rows.iter().position(|row| row.last().is_some_and(|cell| cell == head)).expect("a table of that head");
    rows[first + 2..].iter().take_while(|row| !row.is_empty()).cloned().collect()
}

/// The numbers of a cell: `1,460` is one, digits within code are none.
fn numbers(cell: &str) -> Vec<String> {
    let plain: String = cell.split('`').step_by(2).collect();
    let words = plain.split(|c: char| !(c.is_ascii_alphanumeric() || ".,-".contains(c)));
    let words = words.map(|word| word.trim_matches(['.', ',']).replace(',', ""));
    words.filter(|word| word.parse::<f64>().is_ok()).collect()
}

/// The figure as the readmes have to show it.
fn shown(results: &Value, (place, inverse, places): Figure) -> String {
    let value = match place.strip_suffix("_ms").filter(|_| place.contains("median")) {
        Some(seconds) => results.pointer(&format!("{seconds}_s")).and_then(Value::as_f64).map(|seconds| seconds * 1e3),
        None => results.pointer(place).and_then(Value::as_f64),
    };
    let value = value.unwrap_or_else(|| panic!("bench/results.json has no number at {place}"));
    let value = if inverse { 1.0 / value } else { value };
    match places {
        i32::MAX => format!("{value:e}"),
        0.. => format!("{value:.*}", places.unsigned_abs() as usize),
        _ => format!("{:.0}", (value / 10.0).round() * 10.0),
    }
}

/// Says which figure of which readme is another than that of `bench/results.json`.
#[test]
fn the_readmes_figures_are_those_that_were_measured() {
    let results = golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/results.json"));
    let mut report = Report::default();
    for (file, head) in [("README.md", "measured"), ("README.es.md", "medido")] {
        let rows = table(&read(file), head);
        assert_eq!(rows.len(), MEASURED.len(), "{file}: rows of measurements");
        for (row, figures) in rows.iter().zip(MEASURED).filter(|(_, figures)| !figures.is_empty()) {
            let got = numbers(row.last().expect("a cell"));
            let counted = if got.len() == figures.len() { Ok(()) } else { Err(format!("{got:?} for {figures:?}")) };
            report.case(&format!("{file}, `{}`: number of figures", row[0]), counted);
            for (got, figure) in got.iter().zip(figures) {
                let want = shown(&results, *figure);
                let outcome = if *got == want { Ok(()) } else { Err(format!("says {got}, has to say {want}")) };
                report.case(&format!("{file}, `{}`: the figure of `{}`", row[0], figure.0), outcome);
            }
        }
    }
    report.finish();
}

/// The readmes' accuracies and predictions are those that the example printed, and what they say of Keras is golden.
#[test]
fn the_readmes_predictions_are_those_of_the_example() {
    let results = golden::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench/results.json"));
    let keras = golden::read(&golden::own("random").join("keras213_pima_training.json"));
    let lesson = &results["lesson"];
    let printed = |value: &Value| value.as_str().expect("a text").parse::<f64>().expect("a number");
    let ours: Vec<f64> = lesson["predictions"].as_array().expect("predictions").iter().map(printed).collect();
    let theirs: Vec<f64> =
        keras["tutorial_predictions"].as_array().expect("predictions").iter().filter_map(Value::as_f64).collect();
    assert_eq!(ours.len(), theirs.len());
    let far = ours.iter().zip(&theirs).fold(0.0, |far: f64, (a, b)| far.max((a - b).abs()));
    for (file, head) in [("README.md", "measured"), ("README.es.md", "medido")] {
        let text = read(file);
        for (i, row) in table(&text, "cornu").iter().enumerate() {
            let want = [(i + 1).to_string(), format!("{:.8}", theirs[i]), format!("{:.8}", ours[i])];
            assert_eq!(row[..], want, "{file}: a row of predictions");
        }
        for key in ["accuracy", "test_accuracy"] {
            let want = lesson[key].as_str().expect("a text");
            assert!(text.matches(want).count() >= 2, "{file} has to say {key} {want}");
        }
        assert_eq!(table(&text, head)[1].last(), Some(&format!("{far:.1e}")), "{file}: distance of the predictions");
    }
}

#[test]
fn numbers_of_a_cell_are_found() {
    assert_eq!(numbers("1.18 (11.2 ms against 9.5 ms); 1,460 times, `x86-64 2`"), ["1.18", "11.2", "9.5", "1460"]);
    assert_eq!(numbers("2e-7 of the largest, 0.39 µs"), ["2e-7", "0.39"]);
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
