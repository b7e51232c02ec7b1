//! Parquet files and JSON lines as pandas reads them (testdata/golden/pandas-formats).

use cornu_testkit::golden::{self, Report};
use serde_json::Value as Json;

use super::*;

const GROUP: &str = "pandas-formats";

fn cases(kind: &str) -> Vec<Json> {
    let cases = golden::json(GROUP, "cases.json");
    let known = |case: &Json| ["lines", "parquet"].iter().any(|kind| case[kind].is_string());
    let cases = cases.as_array().expect("a list of cases");
    assert!(cases.iter().all(known), "a case of an unknown form");
    cases.iter().filter(|case| case[kind].is_string()).cloned().collect()
}

/// A value as the cases write it.
fn cell(value: Value<'_>) -> Json {
    match value {
        value if value.is_missing() => Json::Null,
        Value::Float(value) => serde_json::json!({"bits": format!("{:016x}", value.to_bits())}),
        Value::Int(value) => value.into(),
        Value::Bool(value) => value.into(),
        Value::Date(micros) => serde_json::json!({"micros": micros}),
        Value::Text(text) => text.into(),
        Value::Missing => Json::Null,
    }
}

fn check(values: &Values, want: &Json) -> Result<(), String> {
    let same = |what: &str, got: Json, want: &Json| {
        if got == *want { Ok(()) } else { Err(format!("{what} needs {want}, got {got}")) }
    };
    // Labels of no rows have no type of their own.
    if !values.is_empty() {
        same("dtype", values.dtype().into(), &want["dtype"])?;
    }
    if let Values::Category(category) = values {
        same("categories", category.categories.iter().map(cell).collect(), &want["categories"])?;
        same("ordered", category.ordered.into(), &want["ordered"])?;
    }
    same("values", values.iter().map(cell).collect(), &want["values"])
}

fn check_table(table: cornu_array::Result<Table>, case: &Json) -> Result<(), String> {
    if case["refused"] == true {
        return table.map_or(Ok(()), |table| Err(format!("needs an error, got\n{table}")));
    }
    let table = table.map_err(|error| error.to_string())?;
    if let Some(rows) = case["counts"].as_u64() {
        let counts = |row: usize| table.columns()[0].values().get(row) == Value::Int(row as i64);
        return if (0..rows as usize).all(counts) { Ok(()) } else { Err("does not count".into()) };
    }
    let columns = case["columns"].as_array().expect("a list of columns");
    let names: Vec<&str> = columns.iter().map(|column| column["name"].as_str().expect("a name")).collect();
    if table.names() != names || case["rows"] != table.rows() {
        return Err(format!("needs {names:?} and {} rows, got {:?} and {}", case["rows"], table.names(), table.rows()));
    }
    for (own, want) in table.columns().iter().zip(columns) {
        check(own.values(), want).map_err(|why| format!("{}: {why}", own.name()))?;
    }
    if case["index"]["name"].as_str() != table.index().name() {
        return Err(format!("labels need the name {}, got {:?}", case["index"]["name"], table.index().name()));
    }
    check(&table.index().values(), &case["index"]).map_err(|why| format!("labels: {why}"))
}

#[test]
fn json_lines_are_those_of_pandas() {
    let mut report = Report::default();
    for case in cases("lines") {
        let table = Table::from_json_lines(case["lines"].as_str().expect("a text"));
        report.case(case["id"].as_str().expect("an id"), check_table(table, &case));
    }
    report.finish();
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_files_are_those_of_pandas() {
    let mut report = Report::default();
    let folder = golden::own(GROUP);
    for case in cases("parquet") {
        let path = folder.join(case["parquet"].as_str().expect("a file"));
        report.case(case["id"].as_str().expect("an id"), check_table(Table::read_parquet(path), &case));
    }
    report.finish();
}
