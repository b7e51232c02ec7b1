//! The tables of `summary` as both Kerases print them: the files of `testdata/summaries` are written by
//! `scripts/golden_summaries.py`, and golden sets have more of Keras 2's.

use std::path::Path;

use cornu::display::{Summary, SummaryOptions, Terminal};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::golden::{self, Report};
use serde_json::Value;

use crate::flavor_differences::FLAVORS;
use crate::lacks::lacks;
use crate::seeds::seeded;

fn options(arguments: &Value) -> SummaryOptions {
    let positions = arguments["positions"].as_array();
    SummaryOptions {
        line_length: arguments["line_length"].as_u64().map(|length| length as usize),
        positions: positions.map(|list| list.iter().filter_map(Value::as_f64).collect()),
        expand_nested: arguments["expand_nested"] == true,
        show_trainable: arguments["show_trainable"] == true,
    }
}

fn same(summary: &Summary, arguments: &Value, want: &Value) -> Result<(), String> {
    let want = want.as_str().expect("a text");
    let got = summary.text(&options(arguments), Terminal::PLAIN).map_err(|error| error.to_string())?;
    if got == want { Ok(()) } else { Err(format!("got\n{got}want\n{want}")) }
}

#[test]
fn tables_are_those_of_either_keras() {
    let mut report = Report::default();
    for (flavor, file) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/summaries").join(file);
        for (name, case) in
            golden::read(&path).as_object().expect("an object").iter().filter(|(_, case)| case.is_object())
        {
            let model = Model::from_json_value(&case["json"]).expect("a model");
            for table in case["tables"].as_array().expect("tables") {
                let arguments = &table["arguments"];
                report.case(&format!("{file} {name} {arguments}"), same(&model.summary(), arguments, &table["text"]));
            }
        }
    }
    of_golden_sets(&mut report);
    report.finish();
}

/// Golden sets have tables of more models.
fn of_golden_sets(report: &mut Report) {
    let _turn = seeded(Flavor::Keras2, 1);
    let manifest = golden::json("datasets-and-tools", "manifest.json");
    for case in manifest["cases"].as_array().expect("cases").iter().filter(|case| case["kind"] == "summary") {
        let id = case["id"].as_str().expect("an id");
        let Some(config) = case.get("model_json").filter(|json| json.is_object() && id.starts_with("keras2")) else {
            continue;
        };
        let shown = || {
            let model = Model::from_json_value(config).map_err(|error| error.to_string())?;
            same(&model.summary(), &case["kwargs"], &case["printed_to_a_pipe"])
        };
        report.lacking(id, &lacks(config), shown());
    }
}

#[test]
fn keras_2_shows_no_model_that_is_not_built() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = Sequential::named("open");
    model.add(Dense::new(4).name("first")).add(Dropout::new(0.5).name("second"));
    let error = model.print_summary().expect_err("not built");
    assert_eq!(error.message(), "summary: model `open` has not yet been built");
    // What cannot fail shows what there is.
    let lines: Vec<String> = model.summary().to_string().lines().map(|line| line.trim_end().to_owned()).collect();
    assert_eq!(lines[4], " first (Dense)               ?                         0 (unused)");
    model.build([2])?;
    assert!(
        model.summary().to_string().contains("\n first (Dense)               (None, 4)                 12        \n")
    );
    Ok(())
}

/// Layers of a model that was built as a layer of another have shapes as well.
#[test]
fn models_that_are_built_within_others_are_shown() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut inner = Sequential::named("inner");
    inner.add(Dense::new(2).name("a")).add(Dense::new(3).name("b"));
    let mut model = Sequential::named("outer");
    model.add(&*inner).add(Dense::new(1).name("last"));
    model.build([4])?;
    let options = SummaryOptions { expand_nested: true, ..SummaryOptions::default() };
    let text = model.summary().text(&options, Terminal::PLAIN)?;
    assert!(text.contains("| a (Dense)                  (None, 2)                 10       |"), "{text}");
    assert!(text.contains("| b (Dense)                  (None, 3)                 9        |"), "{text}");
    Ok(())
}

#[test]
fn keras_2_needs_room_for_every_column() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let summary = sequential![Dense::new(1).input_shape([1])].summary();
    let error = |line_length: usize, positions: &[f64]| {
        let (line_length, positions) = (Some(line_length), Some(positions.to_vec()));
        let options = SummaryOptions { line_length, positions, ..SummaryOptions::default() };
        summary.text(&options, Terminal::PLAIN).expect_err("no room").message().to_owned()
    };
    assert_eq!(error(60, &[0.5, 1.0]), "summary: `positions` needs 3 numbers, one per column, got 2");
    for bad in [[0.5, 0.4, 1.0], [0.0, 0.5, 1.0], [0.5, f64::NAN, 1.0], [-1.0, 0.5, 1.0]] {
        assert_eq!(error(60, &bad), "summary: every column needs a character and the space around it, got 60");
    }
    assert_eq!(
        error(60, &[10.0, 20.0, 1e18]),
        "summary: `positions` needs columns that end by 100000, got 1000000000000000000"
    );
    assert!(error(5, &[0.5, 0.8, 1.0]).contains("got 5") && error(0, &[0.5, 0.8, 1.0]).contains("got 0"));
    Ok(())
}
