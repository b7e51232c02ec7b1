//! The tables Keras 3 printed. Names, classes, connections and nesting come from each model's own description; shapes
//! and numbers, which take a model to compute, are read out of the tables, except those of `Dense` layers.

use cornu_testkit::golden::{Report, json};
use serde_json::Value;

use super::*;

/// The shapes a layer gives, and how many parameters it has.
type Facts = (Vec<Vec<Option<usize>>>, Option<u64>);

/// The shape and the number of parameters of each row of a table, as far as it shows them: rows may be folded.
fn facts(text: &str) -> Vec<Facts> {
    let mut rows = vec![[String::new(), String::new()]];
    for line in text.lines() {
        match line.split('│').map(str::trim).collect::<Vec<_>>()[..] {
            [_, _, shape, ref rest @ ..] => {
                let row = rows.last_mut().expect("one to begin with");
                row[0] += &format!("{shape} ");
                row[1] += rest.first().unwrap_or(&"");
            }
            _ => rows.push(Default::default()),
        }
    }
    rows.retain(|[shape, _]| !shape.is_empty());
    let fact = |[shape, params]: &[String; 2]| {
        let dims = shape.trim().strip_prefix('(').and_then(|shape| shape.strip_suffix(')'));
        let shape = dims.map(|dims| dims.split(", ").map(|dim| dim.parse().ok()).collect());
        (shape.into_iter().collect(), params.replace(',', "").parse().ok())
    };
    rows.iter().map(fact).collect()
}

fn count(text: &str, name: &str) -> Count {
    let line = text.lines().find_map(|line| line.strip_prefix(&format!(" {name} params: "))).expect(name);
    let params = line.split(' ').next().expect("a number").replace(',', "").parse().expect("a number");
    Count { params, bytes: 4 * params }
}

/// Every tensor a call was given.
fn inputs(call: &Value, found: &mut Vec<(String, usize, usize)>) {
    if let Some([name, call, output]) = call["keras_history"].as_array().map(Vec::as_slice) {
        let index = |value: &Value| value.as_u64().expect("index") as usize;
        found.push((name.as_str().expect("name").to_owned(), index(call), index(output)));
    } else if let Some(parts) = call.as_array() {
        parts.iter().for_each(|part| inputs(part, found));
    } else if let Some(parts) = call.as_object() {
        parts.values().for_each(|part| inputs(part, found));
    }
}

fn rows(model: &Value, facts: &mut impl Iterator<Item = Facts>, nested: bool) -> Vec<Row> {
    let sequential = model["class_name"] == "Sequential";
    let layers = model["config"]["layers"].as_array().into_iter().flatten();
    let layers = layers.filter(|layer| !(sequential && layer["class_name"] == "InputLayer"));
    let row = |layer: &Value| {
        let (config, text) = (&layer["config"], |value: &Value| value.as_str().expect("a name").to_owned());
        let (output_shapes, params) = facts.next().unwrap_or_default();
        let (units, features) = (config["units"].as_u64(), &layer["build_config"]["input_shape"]);
        let features = features.as_array().and_then(|shape| shape.last()?.as_u64());
        let computed = match (units, features) {
            (Some(units), Some(features)) if layer["class_name"] == "Dense" => Some((features + 1) * units),
            _ => params,
        };
        let mut connected_to = Vec::new();
        inputs(&layer["inbound_nodes"], &mut connected_to);
        Row {
            name: text(&config["name"]),
            class: text(&layer["class_name"]),
            output_shapes,
            params: params.and(computed),
            connected_to,
            trainable: config["trainable"] == true,
            layers: if nested { unconnected(rows(layer, facts, nested)) } else { Vec::new() },
            ..Row::default()
        }
    };
    layers.map(row).collect()
}

/// Layers within layers are not shown to be connected.
fn unconnected(rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|row| Row { connected_to: Vec::new(), ..row }).collect()
}

/// The facts of a case's table; what it does not show, as it is cut, may stand in another table of the same model.
fn known(case: &Value, cases: &[&Value]) -> Vec<Facts> {
    let of = |case: &Value| facts(case["printed_to_a_pipe"].as_str().unwrap_or_default());
    let mut known = of(case);
    for other in cases.iter().filter(|other| other["model_json"] == case["model_json"]) {
        let table = of(other);
        if table.len() == known.len() {
            known.iter_mut().zip(table).filter(|(fact, _)| fact.0.is_empty()).for_each(|(fact, other)| *fact = other);
        }
    }
    known
}

fn options(kwargs: &Value) -> SummaryOptions {
    let positions = kwargs["positions"].as_array();
    SummaryOptions {
        line_length: kwargs["line_length"].as_u64().map(|length| length as usize),
        positions: positions.map(|list| list.iter().filter_map(Value::as_f64).collect()),
        expand_nested: kwargs["expand_nested"] == true,
        show_trainable: kwargs["show_trainable"] == true,
    }
}

#[test]
fn tables_are_those_of_keras() {
    let manifest = json("datasets-and-tools", "manifest.json");
    let cases = manifest["cases"].as_array().expect("cases").iter();
    let cases =
        cases.filter(|case| case["kind"] == "summary" && case["id"].as_str().expect("id").starts_with("keras3"));
    let cases: Vec<&Value> = cases.collect();
    let mut report = Report::default();
    for case in &cases {
        let (id, want) = (case["id"].as_str().expect("id"), case["printed_to_a_pipe"].as_str().expect("a text"));
        let (model, kwargs) = (&case["model_json"], &case["kwargs"]);
        let nested = kwargs["expand_nested"] == true;
        let known = known(case, &cases);
        if known.iter().any(|(shapes, _)| shapes.is_empty()) {
            println!("{id}: skipped, no table of this model shows all of its shapes");
            continue;
        }
        let summary = Summary {
            model_name: model["config"]["name"].as_str().expect("name").to_owned(),
            rows: rows(model, &mut known.into_iter(), nested),
            sequential: model["class_name"] == "Sequential",
            trainable: count(want, "Trainable"),
            non_trainable: count(want, "Non-trainable"),
            ..Summary::default()
        };
        let got = summary.text(&options(kwargs), Terminal::PLAIN).unwrap_or_else(|error| error.to_string());
        let lines = got.lines().zip(want.lines());
        let different =
            lines.filter(|(got, want)| got != want).map(|(got, want)| format!("\n  got  {got}\n  want {want}")).next();
        let outcome = if got == want { Ok(()) } else { Err(different.unwrap_or_else(|| "not as many lines".into())) };
        report.case(id, outcome);
    }
    report.finish();
}

fn model() -> Summary {
    let row = Row { name: "dense".into(), class: "Dense".into(), params: Some(108), ..Row::default() };
    let rows = vec![Row { output_shapes: vec![vec![None, Some(12)], vec![None, Some(128)]], ..row.clone() }, row];
    let (trainable, optimizer) = (Count::default(), Some(Count { params: 218, bytes: 872 }));
    let non_trainable = Count { params: 108, bytes: 432 };
    Summary {
        model_name: "small".into(),
        rows,
        sequential: true,
        trainable,
        non_trainable,
        optimizer,
        ..Summary::default()
    }
}

#[test]
fn a_terminal_gets_the_colours_of_keras() {
    let options = SummaryOptions { show_trainable: true, ..SummaryOptions::default() };
    let text = model().text(&options, Terminal { is_tty: true, columns: 80, color: true }).expect("a table");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "\x1b[1mModel: \"small\"\x1b[0m");
    assert_eq!(
        lines[4..6],
        [
            "│ dense (\x1b[38;5;33mDense\x1b[0m)               \
             │ [(\x1b[38;5;45mNone\x1b[0m, \x1b[38;5;34m12\x1b[0m), (\x1b[38;5;45mNone\x1b[0m,   \
             │        \x1b[38;5;34m108\x1b[0m │   \x1b[1;91mN\x1b[0m   │",
            "│                             │ \x1b[38;5;34m128\x1b[0m)]                 │            │       │",
        ]
    );
    assert_eq!(lines.last(), Some(&"\x1b[1m Optimizer params: \x1b[0m\x1b[38;5;34m218\x1b[0m (872.00 B)"));
    let plain = model().text(&options, Terminal { is_tty: true, columns: 80, color: false }).expect("a table");
    assert!(!plain.contains('\x1b') && plain.contains(" Total params: 326 (1.27 KB)\n"), "{plain}");
}

#[test]
fn a_narrow_terminal_is_filled_or_refused() {
    let at = |columns, options: &SummaryOptions| model().text(options, Terminal { columns, ..Terminal::PLAIN });
    let text = at(40, &SummaryOptions::default()).expect("a table");
    assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
    let error = at(16, &SummaryOptions::default()).expect_err("too narrow");
    assert!(error.message().contains("needs 4 characters, got 3 in 12"), "{error}");
    let few = SummaryOptions { positions: Some(vec![0.5, 1.0]), ..SummaryOptions::default() };
    let error = at(80, &few).expect_err("too few positions");
    assert_eq!(error.message(), "summary: `positions` needs 3 numbers, one per column, got 2");
}

#[test]
fn a_long_name_is_folded_as_rich_folds_it() {
    let text = Summary { model_name: "m".repeat(50), sequential: true, ..Summary::default() };
    let text = text.text(&SummaryOptions::default(), Terminal { columns: 40, ..Terminal::PLAIN }).expect("a table");
    let lines: Vec<&str> = text.lines().take(3).collect();
    // Keras 3.15 with 40 columns: the space before the name stays at the end of the first line.
    assert_eq!(lines, ["Model: ".to_owned(), format!("\"{}", "m".repeat(39)), format!("{}\"", "m".repeat(11))]);
}

#[test]
fn a_model_without_layers_is_a_heading() {
    let text = Summary { model_name: "empty".into(), sequential: true, ..Summary::default() };
    let text = text.text(&SummaryOptions::default(), Terminal::PLAIN).expect("a table");
    let marks: Vec<char> = text.lines().filter_map(|line| line.chars().next()).collect();
    assert_eq!(marks, ['M', '┏', '┃', '┡', '└', ' ', ' ', ' ']);
}
