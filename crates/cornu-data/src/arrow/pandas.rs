//! What pandas notes in the schema of a table: which columns are row labels, and how these are called.

use std::collections::HashMap;

use arrow_schema::Metadata;
use serde_json::{Value, json};

use super::super::{Index, Table, Values};

/// The key of the note.
const KEY: &str = "pandas";
/// The column of row labels without a name.
const NAMELESS: &str = "__index_level_0__";

/// The name of the column that holds the row labels.
pub(super) fn label_name(table: &Table) -> String {
    table.index().name().filter(|name| !table.names().contains(name)).unwrap_or(NAMELESS).to_owned()
}

/// The note on a table.
pub(super) fn metadata(table: &Table) -> HashMap<String, String> {
    let column = |field: &str, name: Option<&str>, values: &Values| {
        let (kind, numpy, more) = kind(values);
        json!({"name": name, "field_name": field, "pandas_type": kind, "numpy_type": numpy, "metadata": more})
    };
    let mut columns: Vec<Value> =
        table.columns().iter().map(|own| column(own.name(), Some(own.name()), own.values())).collect();
    let index = if table.index().is_range() {
        json!({"kind": "range", "name": table.index().name(), "start": 0, "stop": table.rows(), "step": 1})
    } else {
        let field = label_name(table);
        columns.push(column(&field, table.index().name(), &table.index().values()));
        json!(field)
    };
    let note = json!({
        "index_columns": [index], "column_indexes": [{"name": null, "field_name": null, "pandas_type": "unicode",
        "numpy_type": "str", "metadata": {"encoding": "UTF-8"}}], "columns": columns, "pandas_version": "3.0.0",
    });
    HashMap::from([(KEY.to_owned(), note.to_string())])
}

/// The type of a column, by the names of the note, and what else it says of it.
fn kind(values: &Values) -> (&'static str, &'static str, Value) {
    match values {
        Values::Text(_) => ("unicode", "str", Value::Null),
        Values::Truth(_) => ("bool", "object", Value::Null),
        Values::Date(_) => ("datetime", "datetime64[us]", Value::Null),
        Values::Category(category) => {
            let more = json!({"num_categories": category.categories.len(), "ordered": category.ordered});
            ("categorical", "int32", more)
        }
        _ => (values.dtype(), values.dtype(), Value::Null),
    }
}

/// The names of columns that are row labels, and the labels that are a range.
pub(super) enum Labels {
    Column { field: String, name: Option<String> },
    Range(Index),
}

/// What the note says of the row labels of so many rows; of several levels there is no index.
pub(super) fn labels(metadata: &Metadata, rows: usize) -> Option<Labels> {
    let note: Value = serde_json::from_str(metadata.get(KEY)?).ok()?;
    let [index] = note["index_columns"].as_array()?.as_slice() else { return None };
    if let Some(field) = index.as_str() {
        let columns = note["columns"].as_array()?;
        let name = columns.iter().find(|column| column["field_name"] == field).map(|column| &column["name"]);
        let name = name.and_then(Value::as_str).map(str::to_owned);
        return Some(Labels::Column { field: field.to_owned(), name });
    }
    let (start, step) = (index["start"].as_i64()?, index["step"].as_i64()?);
    let name = index["name"].as_str();
    let labels = if (start, step) == (0, 1) {
        Index::range(rows)
    } else {
        let label = |row| i64::try_from(row).ok()?.checked_mul(step)?.checked_add(start);
        Index::new((0..rows).map(label).collect::<Option<Vec<i64>>>()?)
    };
    Some(Labels::Range(match name {
        Some(name) => labels.named(name),
        None => labels,
    }))
}
