//! What scikit-learn makes of the same tables and settings (testdata/golden/sklearn-prepare), to the bit.

use std::sync::Arc;

use cornu_testkit::golden::{self, Report};
use serde_json::{Map, Value as Json};

use super::field::Field;
use super::*;
use crate::{
    Category, Column, Cut, Dummies, DummyType, Factorize, Index, Prefix, QCut, Table, Value, Values, cut_retbins,
    factorize_with, get_dummies_with, qcut_retbins,
};

mod files;
mod settings;

const GROUP: &str = "sklearn-prepare";

/// The cases of these kinds, and the inputs by name.
pub(crate) fn cases(kinds: &[&str]) -> (Vec<Json>, Json) {
    let mut file = golden::json(GROUP, "cases.json");
    let Json::Array(cases) = file["cases"].take() else { panic!("a list of cases") };
    const KNOWN: [&str; 6] = ["transformer", "label_encoder", "get_dummies", "factorize", "cut", "qcut"];
    if let Some(case) = cases.iter().find(|case| !KNOWN.iter().any(|kind| case["kind"] == *kind)) {
        panic!("a case of an unknown form: {case}");
    }
    let cases = cases.into_iter().filter(|case| kinds.iter().any(|kind| case["kind"] == *kind)).collect();
    (cases, file["inputs"].take())
}

pub(crate) fn id(case: &Json) -> &str {
    case["id"].as_str().expect("every case has an id")
}

pub(crate) fn list(json: &Json) -> &[Json] {
    json.as_array().map_or(&[], Vec::as_slice)
}

fn word(json: &Json) -> &str {
    json.as_str().unwrap_or_else(|| panic!("a text, not {json}"))
}

/// A column of any kind.
pub(crate) fn values(json: &Json) -> Values {
    let category = &json["category"];
    if category.is_null() {
        return Values::from_json(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    }
    Values::Category(Category {
        codes: list(&category["codes"]).iter().map(|code| code.as_u64().map(|code| code as u32)).collect(),
        categories: Arc::new(values(&category["categories"])),
        ordered: category["ordered"] == true,
    })
}

/// A table as a case writes it.
pub(crate) fn table(json: &Json) -> Table {
    let column = |json: &Json| Column::new(word(&json["name"]), values(&json["values"]));
    let table = Table::from_columns(list(&json["columns"]).iter().map(column).collect()).expect("a table");
    let rows = json["rows"].as_u64().expect("a number of rows") as usize;
    let index = if json["index"].is_null() { Index::range(rows) } else { Index::new(values(&json["index"])) };
    table.with_index(index)
}

fn frame(json: &Json) -> Frame<'static> {
    if !json["table"].is_null() {
        return table(&json["table"]).into();
    }
    let rows = Vec::<Vec<f64>>::from_json(&json["array"]).unwrap_or_else(|error| panic!("{error}: {json}"));
    let width = json["width"].as_u64().expect("a width") as usize;
    let array = cornu_array::Array::new([rows.len(), width], rows.concat()).expect("an array");
    Frame::of_array("test", array).expect("rows")
}

/// Settings over the defaults of their class, in every transformer inside as well.
fn complete(json: &Json) -> Json {
    match json {
        Json::Object(map) if map.contains_key("class_name") => {
            let class = word(&map["class_name"]);
            let mut config = defaults(class).expect(class);
            for (key, value) in map["config"].as_object().into_iter().flatten() {
                let slot = config.get_mut(key).unwrap_or_else(|| panic!("`{class}` has no `{key}`"));
                *slot = complete(value);
                // One degree is a range from zero up.
                if class == "PolynomialFeatures" && key == "degree" && value.is_number() {
                    *slot = serde_json::json!([0, value]);
                }
            }
            serde_json::json!({ "class_name": class, "config": config })
        }
        Json::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), complete(value))).collect::<Map<_, _>>().into()
        }
        Json::Array(items) => items.iter().map(complete).collect(),
        other => other.clone(),
    }
}

fn same_number(got: f64, want: f64) -> bool {
    got.to_bits() == want.to_bits() || got.is_nan() && want.is_nan()
}

fn same_value(got: Value<'_>, want: &Json) -> bool {
    match want {
        Json::Null => got.is_missing(),
        Json::String(text) => match got {
            Value::Text(got) => got == text,
            Value::Float(got) => f64::from_json(want).is_ok_and(|want| same_number(got, want)),
            _ => false,
        },
        Json::Bool(want) => got == Value::Bool(*want) || got.to_f64() == Some(f64::from(*want)),
        want => got.to_f64().is_some_and(|got| want.as_f64().is_some_and(|want| got == want)),
    }
}

/// Columns are equal in kind and bits; objects, which there are none of here, value by value.
pub(crate) fn same_values(what: &str, got: &Values, want: &Json) -> Result<(), String> {
    if let Some(any) = want.get("any") {
        let same = got.len() == list(any).len() && got.iter().zip(list(any)).all(|(got, want)| same_value(got, want));
        return if same { Ok(()) } else { Err(format!("{what}: needs {any}, got {:?}", got.to_json())) };
    }
    let wanted = values(want);
    let same = |(a, b): (Value<'_>, Value<'_>)| match (a, b) {
        (Value::Float(a), Value::Float(b)) => same_number(a, b),
        (a, b) => a == b,
    };
    let categories = match (got, &wanted) {
        (Values::Category(got), Values::Category(want)) => {
            got.ordered == want.ordered && *got.categories == *want.categories
        }
        _ => true,
    };
    let equal = categories && got.dtype() == wanted.dtype() && got.len() == wanted.len();
    if equal && got.iter().zip(wanted.iter()).all(same) {
        return Ok(());
    }
    Err(format!("{what}: needs {}\n  got {}", want, got.to_json()))
}

/// A table has the columns and row labels of another.
pub(crate) fn same_table(what: &str, got: &Table, want: &Json) -> Result<(), String> {
    let wanted: Vec<&str> = list(&want["columns"]).iter().map(|column| word(&column["name"])).collect();
    if got.names() != wanted {
        return Err(format!("{what}: needs the columns {wanted:?}, got {:?}", got.names()));
    }
    for (column, want) in got.columns().iter().zip(list(&want["columns"])) {
        same_values(&format!("{what} {}", column.name()), column.values(), &want["values"])?;
    }
    if Some(got.rows() as u64) != want["rows"].as_u64() {
        return Err(format!("{what}: needs {} rows, got {}", want["rows"], got.rows()));
    }
    match &want["index"] {
        Json::Null => Ok(()),
        index => same_values(&format!("{what} labels"), &got.index().values(), index),
    }
}

/// Features equal what came out, in whichever form.
fn same_frame(what: &str, got: Frame<'_>, want: &Json) -> Result<(), String> {
    if !want["table"].is_null() {
        return match got {
            Frame::Table(got) => same_table(what, &got, &want["table"]),
            Frame::Rows(_) => Err(format!("{what}: needs a table, got rows")),
        };
    }
    let got = got.into_table().map_err(|error| error.to_string())?;
    let key = if want["any"].is_null() { "array" } else { "any" };
    let rows = list(&want[key]);
    let cell = |row: usize, j: usize| {
        let (got, want) = (got.columns()[j].values().get(row), &rows[row][j]);
        if key == "any" {
            return same_value(got, want);
        }
        f64::from_json(want).is_ok_and(|want| same_number(got.to_f64().unwrap_or(f64::NAN), want))
    };
    let width = rows.first().map_or(got.columns().len(), |row| list(row).len());
    if got.shape() != (rows.len(), width) {
        return Err(format!("{what}: needs {} by {width}, got {:?}", rows.len(), got.shape()));
    }
    match (0..rows.len()).flat_map(|row| (0..width).map(move |j| (row, j))).find(|&(row, j)| !cell(row, j)) {
        Some((row, j)) => {
            Err(format!("{what} [{row}][{j}]: needs {}, got {:?}", rows[row][j], got.columns()[j].values().get(row)))
        }
        None => Ok(()),
    }
}

/// What a call gave, where it should; what it should not give it must refuse.
fn refused_or<T>(what: &str, refused: bool, got: Result<T>) -> Result<Option<T>, String> {
    match (refused, got) {
        (false, got) => got.map(Some).map_err(|error| format!("{what}: {error}")),
        (true, Err(_)) => Ok(None),
        (true, Ok(_)) => Err(format!("{what} has to be refused")),
    }
}

fn check_transformer(case: &Json, inputs: &Json) -> Result<(), String> {
    let say = |error: Error| error.to_string();
    let input = |json: &Json| frame(&inputs[word(json)]);
    let made = Box::<dyn Transformer>::from_json(&complete(&case["spec"]));
    let fitted = made.and_then(|mut made| made.learn(&input(&case["fit"])).map(|()| made));
    let Some(fitted) = refused_or("fit", case["refused"] == "fit", fitted)? else { return Ok(()) };
    for (key, want) in case["learnt"].as_object().into_iter().flatten() {
        let got = fitted.config()["learnt"][key].clone();
        let both = Vec::<f64>::from_json(&got).ok().zip(Vec::<f64>::from_json(want).ok());
        let same = both.is_some_and(|(got, want)| {
            got.len() == want.len() && got.iter().zip(&want).all(|(&got, &want)| same_number(got, want))
        });
        if !same {
            return Err(format!("{key}: needs {want}, got {got}"));
        }
    }
    let names = fitted.feature_names_out(None).map_err(say)?;
    if names.to_json() != case["names"] {
        return Err(format!("names: needs {}, got {names:?}", case["names"]));
    }
    // A file keeps all of it.
    let again = Box::<dyn Transformer>::from_json(&to_json(&*fitted)).map_err(say)?;
    for (i, one) in list(&case["transforms"]).iter().enumerate() {
        check_transform(&format!("transform {i}"), one, &*fitted, &*again, &input(&one["x"]))?;
    }
    Ok(())
}

fn check_transform(
    what: &str,
    one: &Json,
    fitted: &dyn Transformer,
    again: &dyn Transformer,
    x: &Frame<'_>,
) -> Result<(), String> {
    let out = fitted.apply(x.borrowed());
    let Some(out) = refused_or(what, one["refused"] == true, out)? else { return Ok(()) };
    same_frame(what, out.borrowed(), &one["out"])?;
    let loaded = again.apply(x.borrowed()).map_err(|error| error.to_string())?;
    same_frame(&format!("{what} after loading"), loaded, &one["out"])?;
    if let (Some(printed), Frame::Table(table)) = (one["printed"].as_str(), &out) {
        let got = table.head(4).to_string();
        if got != printed {
            return Err(format!("{what} prints\n{got}\n--- needs\n{printed}"));
        }
    }
    if one["inverse"].is_null() && one["inverse_refused"] != true {
        return Ok(());
    }
    match refused_or(&format!("{what} inverse"), one["inverse_refused"] == true, fitted.undo(out))? {
        Some(back) => same_frame(&format!("{what} inverse"), back, &one["inverse"]),
        None => Ok(()),
    }
}

#[test]
fn transformers_are_those_of_scikit_learn() {
    let mut report = Report::default();
    let (cases, inputs) = cases(&["transformer"]);
    cases.iter().for_each(|case| report.case(id(case), check_transformer(case, &inputs)));
    report.finish();
}

fn check_labels(case: &Json) -> Result<(), String> {
    let say = |error: Error| error.to_string();
    let mut encoder = LabelEncoder::new();
    let codes = encoder.fit_transform(values(&case["fit"])).map_err(say)?;
    let classes = encoder.classes().ok_or("no classes")?;
    same_values("classes", classes, &case["classes"])?;
    if codes.to_json() != case["codes"] {
        return Err(format!("needs {}, got {codes:?}", case["codes"]));
    }
    let back = encoder.inverse_transform(&codes).map_err(say)?;
    if back.len() != codes.len() || encoder.transform(&back).map_err(say)? != codes {
        return Err(format!("the way back gives {back:?}"));
    }
    let other = refused_or("other", case["refused"] == true, encoder.transform(values(&case["other"])))?;
    match other {
        Some(other) if other.to_json() != case["other_codes"] => {
            Err(format!("other: needs {}, got {other:?}", case["other_codes"]))
        }
        _ => Ok(()),
    }
}

#[test]
fn labels_are_those_of_scikit_learn() {
    let mut report = Report::default();
    cases(&["label_encoder"]).0.iter().for_each(|case| report.case(id(case), check_labels(case)));
    report.finish();
}

fn check_dummies(case: &Json) -> Result<(), String> {
    let mut options = Dummies::new();
    for (key, value) in case["settings"].as_object().expect("settings") {
        let names = || list(value).iter().map(|name| word(name).to_owned()).collect::<Vec<String>>();
        options = match (key.as_str(), value) {
            ("columns", _) => options.columns(names()),
            ("prefix", Json::String(prefix)) => options.prefix(prefix.as_str()),
            ("prefix", Json::Object(map)) => options.prefix(Prefix::ByColumn(
                map.iter().map(|(column, prefix)| (column.clone(), word(prefix).to_owned())).collect(),
            )),
            ("prefix", _) => options.prefix(names()),
            ("prefix_sep", _) => options.prefix_sep(word(value)),
            ("drop_first", _) => options.drop_first(*value == true),
            ("dummy_na", _) => options.dummy_na(*value == true),
            ("dtype", _) => options.dtype(if word(value) == "int" { DummyType::Int } else { DummyType::Float }),
            _ => return Err(format!("`get_dummies` has no `{key}`")),
        };
    }
    let out = match &case["x"]["table"] {
        Json::Null => get_dummies_with(values(&case["x"]["column"]), &options),
        x => get_dummies_with(table(x), &options),
    };
    let Some(out) = refused_or("get_dummies", case["refused"] == true, out)? else { return Ok(()) };
    same_table("get_dummies", &out, &case["out"])?;
    same_text(&out.to_string(), &case["printed"])
}

fn same_text(got: &str, want: &Json) -> Result<(), String> {
    if want.is_null() || got == want { Ok(()) } else { Err(format!("prints\n{got}\n--- needs\n{}", word(want))) }
}

#[test]
fn dummies_are_those_of_pandas() {
    let mut report = Report::default();
    cases(&["get_dummies"]).0.iter().for_each(|case| report.case(id(case), check_dummies(case)));
    report.finish();
}

fn check_factorize(case: &Json) -> Result<(), String> {
    let settings = &case["settings"];
    let mut options = Factorize::new().sort(settings["sort"] == true);
    if let Some(sentinel) = settings["use_na_sentinel"].as_bool() {
        options = options.use_na_sentinel(sentinel);
    }
    let (codes, uniques) = factorize_with(values(&case["x"]), options).map_err(|error| error.to_string())?;
    same_values("uniques", &uniques, &case["uniques"])?;
    if codes.to_json() == case["codes"] { Ok(()) } else { Err(format!("needs {}, got {codes:?}", case["codes"])) }
}

#[test]
fn factorize_is_that_of_pandas() {
    let mut report = Report::default();
    cases(&["factorize"]).0.iter().for_each(|case| report.case(id(case), check_factorize(case)));
    report.finish();
}

/// Edges or a number of intervals.
fn bins(json: &Json) -> Cut {
    if let Some(count) = json.as_i64() {
        return Cut::bins(count as i32);
    }
    match values(json) {
        Values::Int(edges) => Cut::bins(edges),
        Values::Float(edges) => Cut::bins(edges),
        other => panic!("edges, not {other:?}"),
    }
}

fn check_cut(case: &Json) -> Result<(), String> {
    let is_cut = case["kind"] == "cut";
    let mut cut = bins(&case[if is_cut { "bins" } else { "q" }]);
    for (key, value) in case["settings"].as_object().expect("settings") {
        cut = match (key.as_str(), value) {
            ("right", _) => cut.right(*value == true),
            ("include_lowest", _) => cut.include_lowest(*value == true),
            ("labels", Json::Bool(labels)) => cut.labels(*labels),
            ("labels", _) => cut.labels(Vec::<String>::from_json(value).expect("labels")),
            ("precision", _) => cut.precision(value.as_i64().expect("a number") as i32),
            ("duplicates", _) => cut.drop_duplicates(*value == "drop"),
            ("ordered", _) => cut.ordered(*value == true),
            _ => return Err(format!("`cut` has no `{key}`")),
        };
    }
    let x = Column::new("x", values(&case["x"]));
    let out = if is_cut { cut_retbins(&x, cut) } else { qcut_retbins(&x, QCut::quantiles(cut)) };
    let Some((out, edges)) = refused_or("cut", case["refused"] == true, out)? else { return Ok(()) };
    let wanted = Vec::<f64>::from_json(&case["edges"]).map_err(|error| error.to_string())?;
    if edges.len() != wanted.len() || !edges.iter().zip(&wanted).all(|(&got, &want)| same_number(got, want)) {
        return Err(format!("needs the edges {wanted:?}, got {edges:?}"));
    }
    same_values("cut", out.values(), &case["out"])?;
    let Some(printed) = case["printed"].as_str() else { return Ok(()) };
    // The kind of intervals is not one of ours.
    let without = |text: &str| text.split("\nCategories (").next().unwrap_or_default().to_owned();
    same_text(&without(&out.to_string()), &without(printed).into())
}

#[test]
fn intervals_are_those_of_pandas() {
    let mut report = Report::default();
    cases(&["cut", "qcut"]).0.iter().for_each(|case| report.case(id(case), check_cut(case)));
    report.finish();
}
