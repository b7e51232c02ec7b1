//! What operations on tables refuse, and that nothing ends the program.

use std::sync::Arc;

use cornu_array::{Error, Result};

use crate::*;

fn table() -> Table {
    let text = "age,size,sex\n31,1.7,f\n58,,m\n7,1.1,\n31,1.85,m\n";
    let day = Values::Date(vec![0, 86_400_000_000, NAT, 5]);
    let class = Column::new("class", vec!["a", "b", "a", "c"]).astype("category").unwrap();
    Table::from_csv_str(text).unwrap().with_column("day", day).unwrap().with_column("class", class).unwrap()
}

fn told(result: Result<impl Sized>, needed: &str) {
    let error: Error = result.err().unwrap_or_else(|| panic!("`{needed}` is not told"));
    let whole = error.to_string();
    assert!(whole.contains(needed), "`{needed}` is not in\n{whole}");
}

#[test]
fn refusals_name_column_row_value_and_way_out() {
    let t = table();
    told(t.select("agee"), "did you mean `age`?");
    told(t["sex"].astype("int64"), "column `sex` cannot become int64: row 0 holds the text `f`");
    told(t["size"].astype("int64"), "row 1 holds a missing value");
    told(t["size"].astype("int64"), "`fillna`");
    told(t["age"].astype("int32"), "whole numbers are `int64`");
    told(t["age"].astype("complex"), "no type `complex` here; there are `float64`, `float32`, `int64`");
    told(t["day"].astype("float64"), "microseconds since 1970");
    told(t["sex"].fillna(0), "column `sex` of str cannot be filled with a whole number (0)");
    told(t["class"].with_missing().fillna("z"), "they are `a`, `b`, `c`");
    told(t.fillna(Scalar::Bool(true)), "column `size` of float64 cannot be filled with true or false (True)");
    told(t.filter(t["sex"].gt(1)), "`sex` of str cannot be compared with a whole number (1)");
    told(t.filter(&t["age"]), "`filter` needs true or false for each row, got `age` of int64");
    told(t.filter(t.head(2)["age"].gt(1)), "needs the rows of what it filters");
    told((&t["age"] + "x").column(), "`+` has no meaning for `age` of int64 and the text `x`");
    told((&t["age"] + &t.head(2)["age"]).column(), "need equally many rows, got 4 and 2");
    told((&t["age"] + &t.take(&[3, 2, 1, 0]).unwrap()["age"]).column(), "the same row labels in the same order");
    told((&t["age"] & true).column(), "`&` and `|` need conditions on both sides, got `age` of int64");
    told(t.mean(), "`mean` needs numbers, got column `sex` of str");
    told(t.mean(), "`numeric_only()`");
    told(t.with_column("n", vec![1, 2]), "column `n` needs 4 values, one for each row, got 2");
    told(t.sort_values(SortBy::new(["age", "sex"]).ascending([true])), "needs 2 values, one for each column, got 1");
    told(t.sample(5), "at most the 4 rows there are, got 5");
    told(t.sample(Sample::frac(f64::NAN)), "a part of the rows of at least 0");
    told(t.slice(2..9), "within 0..4");
    told(t.describe_with(&Describe::new().percentiles([50.0])), "percentiles from 0 to 1, got 50");
    told(concat(&[]), "`concat` needs a table, got none");
    told(concat_with([&t, &t], Concat::new().columns()), "`rename`");
    told(ToCsv::new().float_format("%5.2f").to_string(&t), "got `%5.2f`");
    told(t.to_csv("table.csv.gz"), "names a packed file");
    told(t.rename([("age", "size")]), "`size` twice");
    told(t["sex"].to_array(), "`map_values(");
}

impl Column {
    /// The column with a missing value in its first row.
    fn with_missing(&self) -> Column {
        let rows: Vec<Option<usize>> = (0..self.len()).map(|row| (row > 0).then_some(row)).collect();
        Column { values: Arc::new(self.values.take_or_missing(&rows)), ..self.clone() }
    }
}

#[test]
fn columns_that_stay_are_shared() {
    let t = table();
    let same = |other: &Table, name: &str, old: &str| std::ptr::eq(other[name].values(), t[old].values());
    assert!(same(&t.drop("age").unwrap(), "size", "size"));
    assert!(same(&t.select(["sex", "age"]).unwrap(), "age", "age"));
    assert!(same(&t.rename([("age", "years")]).unwrap(), "years", "age"));
    assert!(same(&t.with_column("new", 1).unwrap(), "sex", "sex"));
    assert!(same(&t.reset_index(true).unwrap(), "class", "class"));
    assert!(same(&t.head(99), "day", "day"));
    assert!(same(&t.fillna_columns([("size", Fill::Mean)]).unwrap(), "age", "age"));
    let named = t.set_index("sex").unwrap();
    assert!(std::ptr::eq(&*named.index().to_shared(), t["sex"].values()));
}

#[test]
fn tables_without_rows_or_columns_take_every_operation() {
    let none = table().head(0);
    let bare = table().select(Vec::<String>::new()).unwrap();
    for t in [&none, &bare] {
        let _ = (t.sum(), t.mean(), t.std(), t.min(), t.max(), t.idxmax(), t.quantile(0.5), t.corr(), t.cov(), t.any());
        let _ = (t.describe(), t.describe_with(&Describe::new().include_all()), t.info(), t.mode(), t.count());
        let _ =
            (t.dropna(), t.isna(), t.ffill(), t.fillna(0), t.fillna(Fill::Mode), t.duplicated(), t.drop_duplicates());
        let _ = (t.sort_index(), t.sample(0), t.row(0), t.loc(["x"]), t.to_csv_string(), t.to_array(), t.cumsum());
        let _ =
            (t.set_index("age"), t.reset_index(false), concat([t, t]), concat_with([t, t], Concat::new().columns()));
        assert!(!t.to_string().is_empty() && !format!("{t:#}").is_empty());
        for column in t.columns() {
            let _ = (column.value_counts(), column.mode(), column.describe(), column.sort_values(), column.unique());
            let _ =
                (column.to_string(), format!("{column:#}"), column.fillna(Fill::Median), column.min(), column.idxmin());
            for dtype in ["float64", "float32", "int64", "bool", "str", "category", "datetime64[us]", "object"] {
                let _ = column.astype(dtype).map(|column| column.to_string());
            }
        }
    }
}

#[test]
fn ends_of_numbers_end_nothing() {
    let t = Table::new([
        ("i", Values::from(vec![i64::MIN, -1, 0, i64::MAX])),
        ("f", vec![f64::MAX, f64::NEG_INFINITY, -0.0, f64::MIN_POSITIVE].into()),
        ("s", vec![f32::MAX, f32::NAN, f32::INFINITY, 0.0].into()),
    ])
    .unwrap();
    let day = t.with_column("d", Values::Date(vec![i64::MAX, i64::MIN + 1, NAT, 0])).unwrap();
    for name in ["i", "f", "s"] {
        let c = &t[name];
        for value in [i64::MIN, -1, 0, i64::MAX] {
            let all =
                [c + value, c - value, c * value, c / value, c % value, c.floordiv(value), c.pow(value), c.gt(value)];
            all.into_iter().for_each(|computed| drop(computed.column().map(|column| column.to_string())));
        }
        for decimals in [i32::MIN, -400, -1, 0, 400, i32::MAX] {
            c.round(decimals).column().unwrap();
        }
        let _ = (c.abs().column(), (-c).column(), c.clip(f64::NAN, f64::INFINITY).column(), c.cumsum(), c.sum());
        let _ =
            (c.quantile(1.0), c.std_with(usize::MAX), c.is_in([f64::NAN, 1e300]).column(), c.describe().to_string());
    }
    let _ =
        (day.to_string(), day.describe().map(|table| table.to_string()), day["d"].astype("str"), day.to_csv_string());
    assert!(t.sample(Sample::frac(1e300).replace(true)).is_err());
}
