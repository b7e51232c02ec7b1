//! Tables as the cases write them, and whether what came out is equal to them.

use std::sync::Arc;

use serde_json::Value as Json;

use super::{State, scalar};
use crate::{Category, Column, Index, NAT, Scalar, Table, Value, Values};

/// Values of the type that is said.
fn values(json: &Json) -> Values {
    let list = || json["values"].as_array().expect("a list of values").iter();
    let float = |json: &Json| match json {
        Json::Null => f64::NAN,
        Json::String(word) => word.parse().expect("inf or -inf"),
        json => json.as_f64().expect("a number"),
    };
    match json["dtype"].as_str().expect("a type") {
        "float64" => Values::Float(list().map(float).collect()),
        "float32" => Values::Float32(list().map(|json| float(json) as f32).collect()),
        "int64" => Values::Int(list().map(|json| json.as_i64().expect("a whole number")).collect()),
        "bool" => Values::Bool(list().map(|json| json.as_bool().expect("true or false")).collect()),
        "str" => list().map(|json| json.as_str().map(String::from)).collect::<Vec<_>>().into(),
        "datetime64[us]" => Values::Date(list().map(|json| json["date"].as_i64().unwrap_or(NAT)).collect()),
        "object" if list().all(|json| json.is_boolean() || json.is_null()) => {
            Values::Truth(list().map(Json::as_bool).collect())
        }
        "object" => Values::Object(list().map(scalar).collect()),
        "category" => {
            let codes = json["codes"].as_array().expect("a list of codes").iter();
            Values::Category(Category {
                codes: codes.map(|code| code.as_u64().map(|code| code as u32)).collect(),
                categories: Arc::new(values(&json["categories"])),
                ordered: json["ordered"] == true,
            })
        }
        dtype => panic!("type {dtype}"),
    }
}

fn index(json: &Json) -> Index {
    if let Some([start, end]) = json["range"].as_array().map(Vec::as_slice) {
        let labels = start.as_i64().expect("a number")..end.as_i64().expect("a number");
        return if labels.start == 0 {
            Index::range(labels.end as usize)
        } else {
            Index::new(labels.collect::<Vec<i64>>())
        };
    }
    Index::new(values(json)).with_name(json["name"].as_str().map(String::from))
}

pub(super) fn table(json: &Json) -> Table {
    let columns = json["columns"].as_array().expect("a list of columns").iter();
    let columns = columns.map(|column| (column["name"].as_str().expect("a name"), values(column)));
    Table::new(columns).expect("a table").with_index(index(&json["index"]))
}

/// Equal to the bit, but for the sign of NaN.
fn same(got: Value<'_>, want: Value<'_>, rtol: Option<f64>) -> bool {
    match (got, want) {
        _ if got.is_missing() && want.is_missing() => true,
        (Value::Float(got), Value::Float(want)) => match rtol {
            Some(rtol) => (got - want).abs() <= rtol * want.abs(),
            None => got.to_bits() == want.to_bits(),
        },
        _ => got == want,
    }
}

fn same_values(what: &str, got: &Values, want: &Values, rtol: Option<f64>) -> Result<(), String> {
    if got.dtype() != want.dtype() || got.len() != want.len() {
        return Err(format!("{what} needs {} of {}, got {} of {}", want.len(), want.dtype(), got.len(), got.dtype()));
    }
    if let (Values::Category(got), Values::Category(want)) = (got, want) {
        same_values("categories", &got.categories, &want.categories, rtol)?;
        if got.codes != want.codes || got.ordered != want.ordered {
            return Err(format!("{what} needs {:?}, got {:?}", want.codes, got.codes));
        }
        return Ok(());
    }
    match got.iter().zip(want.iter()).position(|(got, want)| !same(got, want, rtol)) {
        Some(row) => Err(format!("{what} needs {:?} in row {row}, got {:?}", want.get(row), got.get(row))),
        None => Ok(()),
    }
}

fn same_index(got: &Index, want: &Index) -> Result<(), String> {
    if got.name() != want.name() {
        return Err(format!("labels need the name {:?}, got {:?}", want.name(), got.name()));
    }
    // Labels of nothing have no type here.
    if got.is_empty() && want.is_empty() {
        return Ok(());
    }
    same_values("labels", &got.values(), &want.values(), None)
}

fn same_text(what: &str, got: &str, want: &Json) -> Result<(), String> {
    match want.as_str() {
        Some(want) if want != got => Err(format!("{what}\n--- needs\n{want}\n--- got\n{got}\n---")),
        _ => Ok(()),
    }
}

fn same_column(got: &Column, want: &Json, rtol: Option<f64>) -> Result<(), String> {
    if got.name() != want["name"].as_str().unwrap_or("") {
        return Err(format!("needs the name {}, got `{}`", want["name"], got.name()));
    }
    same_values(got.name(), got.values(), &values(want), rtol)
}

pub(super) fn compare(got: &State, want: &Json, rtol: Option<f64>) -> Result<(), String> {
    match (got, want["kind"].as_str().expect("a kind")) {
        (State::Table(got), "table") => {
            let columns = want["columns"].as_array().expect("a list of columns");
            let names: Vec<&str> = columns.iter().filter_map(|column| column["name"].as_str()).collect();
            if got.names() != names {
                return Err(format!("needs the columns {names:?}, got {:?}", got.names()));
            }
            got.columns().iter().zip(columns).try_for_each(|(got, want)| same_column(got, want, rtol))?;
            same_index(got.index(), &index(&want["index"]))?;
            same_text("print", &got.to_string(), &want["print"])
        }
        (State::Column(got), "column") => {
            same_column(got, want, rtol)?;
            same_index(got.index(), &index(&want["index"]))?;
            same_text("print", &got.to_string(), &want["print"])
        }
        (State::Scalar(got), "scalar") => same_list(std::slice::from_ref(got), &[scalar(&want["value"])], rtol),
        (State::List(got), "list") => same_list(got, &super::scalars(&want["values"]), rtol),
        (State::Text(got), "text") => same_text("text", got, &want["text"]),
        (_, kind) => Err(format!("needs a {kind}")),
    }
}

fn same_list(got: &[Scalar], want: &[Scalar], rtol: Option<f64>) -> Result<(), String> {
    let same = |(got, want): (&Scalar, &Scalar)| same(got.as_value(), want.as_value(), rtol);
    let equal = got.len() == want.len() && got.iter().zip(want).all(same);
    if equal { Ok(()) } else { Err(format!("needs {want:?}, got {got:?}")) }
}
