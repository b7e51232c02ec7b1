//! What pandas makes of operations on tables (testdata/golden/pandas-change): each case is a table and steps.

mod operations;
mod wanted;

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use cornu_array::Error;
use cornu_testkit::golden::{self, Report};
use serde_json::{Map, Value as Json};

use crate::{Column, Computed, Operand, Scalar, Table};

/// What a step gives.
enum State {
    Table(Table),
    Column(Column),
    Scalar(Scalar),
    Text(String),
    List(Vec<Scalar>),
}

/// Why a step gives nothing.
enum Fault {
    /// It was refused.
    Refused(Error),
    /// The test does not know its form.
    Form(String),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Refused(error)
    }
}

type Outcome<T = State> = Result<T, Fault>;
type Tables = HashMap<String, Table>;

fn form<T>(what: impl Into<String>) -> Outcome<T> {
    Err(Fault::Form(what.into()))
}

/// The arguments of a step; those that nobody asked for are an unknown form.
struct Arguments<'a> {
    all: &'a Map<String, Json>,
    asked: RefCell<HashSet<&'static str>>,
}

impl<'a> Arguments<'a> {
    fn of(step: &'a Json) -> Arguments<'a> {
        let all = step.as_object().expect("a step is a map");
        Arguments { all, asked: RefCell::new(HashSet::from(["op"])) }
    }

    fn get(&self, name: &'static str) -> Option<&'a Json> {
        self.asked.borrow_mut().insert(name);
        self.all.get(name)
    }

    fn needed(&self, name: &'static str) -> Outcome<&'a Json> {
        self.get(name).map_or_else(|| form(format!("no `{name}`")), Ok)
    }

    fn text(&self, name: &'static str) -> Outcome<&'a str> {
        self.needed(name)?.as_str().map_or_else(|| form(format!("`{name}` is no text")), Ok)
    }

    fn number(&self, name: &'static str) -> Outcome<usize> {
        self.needed(name)?.as_u64().map_or_else(|| form(format!("`{name}` is no number")), |number| Ok(number as usize))
    }

    fn float(&self, name: &'static str) -> Outcome<f64> {
        self.needed(name)?.as_f64().map_or_else(|| form(format!("`{name}` is no number")), Ok)
    }

    /// True or false, if it is there.
    fn flag(&self, name: &'static str) -> Option<bool> {
        self.get(name).and_then(Json::as_bool)
    }

    /// One name, or several.
    fn names(&self, name: &'static str) -> Outcome<Vec<String>> {
        match self.needed(name)? {
            Json::String(name) => Ok(vec![name.clone()]),
            Json::Array(names) => Ok(names.iter().filter_map(|name| name.as_str().map(String::from)).collect()),
            _ => form(format!("`{name}` is no list of names")),
        }
    }

    fn pairs(&self, name: &'static str) -> Outcome<Vec<(&'a Json, &'a Json)>> {
        let pairs = self.needed(name)?.as_array().map_or_else(|| form(format!("`{name}` is no list")), Ok)?;
        pairs.iter().map(|pair| Ok((&pair[0], &pair[1]))).collect()
    }

    fn all_asked(&self) -> Outcome<()> {
        let asked = self.asked.borrow();
        match self.all.keys().find(|key| !asked.contains(key.as_str())) {
            Some(unknown) => form(format!("unknown argument `{unknown}`")),
            None => Ok(()),
        }
    }
}

/// A value as the cases write it: dates and floats as maps.
fn scalar(json: &Json) -> Scalar {
    match json {
        Json::Null => Scalar::Missing,
        Json::Bool(value) => Scalar::Bool(*value),
        Json::String(text) => Scalar::Text(text.clone()),
        Json::Number(number) => {
            number.as_i64().map_or_else(|| Scalar::Float(number.as_f64().expect("a number")), Scalar::Int)
        }
        json => match (&json["date"], &json["float"]) {
            (Json::Number(moment), _) => Scalar::Date(moment.as_i64().expect("microseconds")),
            (_, Json::String(text)) => Scalar::Float(text.parse().expect("a number")),
            _ => panic!("no value: {json}"),
        },
    }
}

fn scalars(json: &Json) -> Vec<Scalar> {
    json.as_array().expect("a list of values").iter().map(scalar).collect()
}

/// What `["gt", ["col", "age"], 30]` means on a table.
fn expression(table: &Table, json: &Json) -> Outcome<Operand> {
    let Some([name, arguments @ ..]) = json.as_array().map(Vec::as_slice) else { return Ok(scalar(json).into()) };
    let name = name.as_str().expect("an operation has a name");
    if name == "col" {
        return Ok(table.column(arguments[0].as_str().expect("a name"))?.into());
    }
    let operand = |place: usize| expression(table, &arguments[place]);
    if let Json::Number(_) = &arguments[0] {
        let (number, right) = (arguments[0].as_i64().expect("a whole number"), column(operand(1)?)?);
        return Ok(match name {
            "add" => (number + right).into(),
            "sub" => (number - right).into(),
            "mul" => (number * right).into(),
            "div" => (number / right).into(),
            _ => return form(format!("a number before `{name}`")),
        });
    }
    if let (Json::String(text), "add") = (&arguments[0], name) {
        return Ok((text.as_str() + column(operand(1)?)?).into());
    }
    let left = column(operand(0)?)?;
    let computed = match binary(&left, name, &operand)? {
        Some(computed) => computed,
        None => function(&left, name, &arguments[1..], &operand)?,
    };
    Ok(computed.column()?.into())
}

type Operands<'a> = &'a dyn Fn(usize) -> Outcome<Operand>;

/// An operator with a column on its left.
fn binary(left: &Column, name: &str, operand: Operands<'_>) -> Outcome<Option<Computed>> {
    Ok(Some(match name {
        "add" => left + operand(1)?,
        "sub" => left - operand(1)?,
        "mul" => left * operand(1)?,
        "div" => left / operand(1)?,
        "mod" => left % operand(1)?,
        "floordiv" => left.floordiv(operand(1)?),
        "pow" => left.pow(operand(1)?),
        "eq" => left.eq(operand(1)?),
        "ne" => left.ne(operand(1)?),
        "lt" => left.lt(operand(1)?),
        "le" => left.le(operand(1)?),
        "gt" => left.gt(operand(1)?),
        "ge" => left.ge(operand(1)?),
        "and" => left & operand(1)?,
        "or" => left | operand(1)?,
        "xor" => left ^ operand(1)?,
        _ => return Ok(None),
    }))
}

fn function(left: &Column, name: &str, arguments: &[Json], operand: Operands<'_>) -> Outcome<Computed> {
    Ok(match name {
        "not" => !left,
        "neg" => -left,
        "isin" => left.is_in(scalars(&arguments[0])),
        "between" => left.between(operand(1)?, operand(2)?),
        "isna" => left.isna().into(),
        "notna" => left.notna().into(),
        "contains" => left.contains(arguments[0].as_str().expect("a text")),
        "abs" => left.abs(),
        "round" => left.round(arguments[0].as_i64().expect("a number") as i32),
        "clip" => left.clip(scalar(&arguments[0]), scalar(&arguments[1])),
        "map" => match arguments[0].as_str() {
            Some("sqrt") => left.map(f64::sqrt),
            Some("double") => left.map(|value| value * 2.0),
            _ => return form(format!("function {}", arguments[0])),
        },
        _ => return form(format!("operation `{name}`")),
    })
}

fn column(operand: Operand) -> Outcome<Column> {
    match operand.0 {
        crate::compute::Side::Column(column) => Ok(column?),
        crate::compute::Side::Scalar(scalar) => form(format!("{scalar} where a column is needed")),
    }
}

fn run(source: &Json, steps: &Json, tables: &Tables) -> Outcome {
    let source = source.as_str().and_then(|name| tables.get(name)).map_or_else(|| form("no such table"), Ok)?;
    steps.as_array().expect("a list of steps").iter().try_fold(State::Table(source.clone()), |state, step| {
        let arguments = Arguments::of(step);
        let name = step["op"].as_str().expect("a step has a name");
        let next = operations::step(state, name, &arguments, tables);
        if !matches!(next, Err(Fault::Form(_))) {
            arguments.all_asked()?;
        }
        next
    })
}

fn check(case: &Json, tables: &Tables) -> Result<(), String> {
    let want = &case["want"];
    let outcome = run(&case["table"], &case["steps"], tables);
    match (outcome, want["kind"].as_str()) {
        (Err(Fault::Form(what)), _) => Err(format!("unknown form: {what}")),
        (Err(Fault::Refused(_)), Some("error")) => Ok(()),
        (Err(Fault::Refused(error)), _) => Err(format!("refused: {error}")),
        (Ok(_), Some("error")) => Err(format!("gave something where pandas says {}", want["of_pandas"])),
        (Ok(state), _) => wanted::compare(&state, want, case["rtol"].as_f64()),
    }
}

#[test]
fn operations_give_what_pandas_gives() {
    let all = golden::json("pandas-change", "cases.json");
    let named = all["tables"].as_object().expect("a map of tables");
    let tables: Tables = named.iter().map(|(name, json)| (name.clone(), wanted::table(json))).collect();
    let mut report = Report::default();
    for case in all["cases"].as_array().expect("a list of cases") {
        report.case(case["id"].as_str().expect("every case has an id"), check(case, &tables));
    }
    report.finish();
}
