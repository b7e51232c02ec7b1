//! What pandas, scikit-learn and Keras make of the same inputs (testdata/golden/data).

use cornu_testkit::golden::{self, Report};
use ndarray::{Array2, ArrayD, IxDyn};
use serde_json::Value as Json;

mod change;
mod refused;

use super::*;

fn cases(file: &str) -> Vec<Json> {
    golden::json("data", file).as_array().expect("a list of cases").clone()
}

fn id(case: &Json) -> &str {
    case["id"].as_str().expect("every case has an id")
}

/// A number, or one of the words that stand for those JSON has not.
fn number(json: &Json) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().and_then(|word| word.parse().ok()).expect("a number"))
}

fn numbers(json: &Json) -> Vec<f64> {
    json.as_array().expect("a list of numbers").iter().map(number).collect()
}

fn rows(json: &Json) -> Vec<Vec<f64>> {
    json.as_array().expect("a list of rows").iter().map(numbers).collect()
}

fn same_text(what: &str, got: &str, want: &Json) -> Result<(), String> {
    let want = want.as_str().expect("a text");
    if got == want { Ok(()) } else { Err(format!("{what}\n--- needs\n{want}\n--- got\n{got}\n---")) }
}

/// To twelve digits, NaN like NaN.
fn close(what: &str, got: &[f64], want: &[f64]) -> Result<(), String> {
    let near = |(got, want): (&f64, &f64)| (got - want).abs() <= 1e-12 * want.abs() || (got.is_nan() && want.is_nan());
    if got.len() == want.len() && got.iter().zip(want).all(near) {
        return Ok(());
    }
    Err(format!("{what} needs {want:?}, got {got:?}"))
}

fn check_table(case: &Json) -> Result<(), String> {
    let table = Table::from_csv_str(case["csv"].as_str().expect("a text")).map_err(|error| error.to_string())?;
    same_text("print", &table.to_string(), &case["print"])?;
    same_text("tail", &table.tail(3).to_string(), &case["tail"])?;
    if !case["describe"].is_null() {
        let described = table.describe().map_err(|error| error.to_string())?;
        same_text("describe", &described.to_string(), &case["describe"])?;
    }
    for (name, text) in case["series"].as_object().expect("a map of columns") {
        let column = table.column(name).map_err(|error| error.to_string())?;
        same_text(name, &column.to_string(), text)?;
        same_text(name, column.dtype(), &case["dtypes"][name])?;
    }
    Ok(())
}

#[test]
fn tables_and_columns_print_as_in_pandas() {
    let mut report = Report::default();
    cases("tables.json").iter().for_each(|case| report.case(id(case), check_table(case)));
    report.finish();
}

fn check_pima(case: &Json, table: &Table) -> Result<(), String> {
    let positions: Vec<usize> = numbers(&case["positions"]).into_iter().map(|row| row as usize).collect();
    let say = |error: cornu_array::Error| error.to_string();
    let x = table.drop(["8"]).and_then(|x| x.take(&positions)).map_err(say)?;
    same_text("head", &table.head(5).to_string(), &case["head"])?;
    same_text("tail", &table.tail(5).to_string(), &case["tail"])?;
    same_text("describe", &table.describe().map_err(say)?.to_string(), &case["describe"])?;
    same_text("taken", &x.to_string(), &case["taken"])?;
    same_text("labels", &table.column("8").map_err(say)?.to_string(), &case["labels"])
}

#[test]
fn the_table_of_the_pima_women_prints_as_in_pandas() {
    // The table may not be here, and no test goes to the net for it.
    if std::env::var_os("CORNU_DATASETS").is_none() {
        println!("skipped: CORNU_DATASETS names no folder with pima-indians-diabetes.csv");
        return;
    }
    let table = datasets::pima::load_data().expect("CORNU_DATASETS has the table");
    let mut report = Report::default();
    cases("pima.json").iter().for_each(|case| report.case(id(case), check_pima(case, &table)));
    report.finish();
}

/// Labels of one of the three kinds, as they are in the case.
fn labels(json: &Json) -> Values {
    let list = json.as_array().expect("a list of labels");
    if list[0].is_boolean() {
        Values::Bool(list.iter().filter_map(Json::as_bool).collect())
    } else if list[0].is_i64() {
        Values::Int(list.iter().filter_map(Json::as_i64).collect())
    } else {
        Values::Float(list.iter().filter_map(Json::as_f64).collect())
    }
}

fn check_report(case: &Json) -> Result<(), String> {
    let (y_true, y_pred) = (labels(&case["y_true"]), labels(&case["y_pred"]));
    let say = |error: cornu_array::Error| error.to_string();
    let report = classification_report(&y_true, &y_pred).map_err(say)?;
    let names = case["target_names"].as_array().expect("a list of names").iter().filter_map(Json::as_str);
    same_text("text", &report.to_string(), &case["text"])?;
    same_text("names", &report.clone().target_names(names).map_err(say)?.to_string(), &case["text_names"])?;
    same_text("digits", &report.clone().digits(4).to_string(), &case["text_digits4"])?;
    same_text("ones", &report.clone().zero_division(1.0).to_string(), &case["text_zero_division_1"])?;
    same_text("nans", &report.zero_division(f64::NAN).to_string(), &case["text_zero_division_nan"])?;
    close("accuracy", &[accuracy_score(&y_true, &y_pred).map_err(say)?], &[number(&case["accuracy"])])?;
    let matrix = confusion_matrix(&y_true, &y_pred).map_err(say)?.into_array().mapv(|count| count as f64);
    close("matrix", &matrix.into_raw_vec_and_offset().0, &rows(&case["confusion_matrix"]).concat())?;
    let averages = [Average::Micro, Average::Macro, Average::Weighted, Average::Binary];
    for (average, key) in averages.into_iter().zip(["micro", "macro", "weighted", "binary"]) {
        let got = [precision_score, recall_score, f1_score].map(|score| score(&y_true, &y_pred, average));
        if case[key].is_null() {
            got.into_iter().try_for_each(|score| score.map_or(Ok(()), |score| Err(format!("{key} gave {score}"))))?;
        } else {
            let got: Result<Vec<f64>, _> = got.into_iter().collect();
            close(key, &got.map_err(say)?, &numbers(&case[key]))?;
        }
    }
    Ok(())
}

#[test]
fn scores_are_those_of_scikit_learn() {
    let mut report = Report::default();
    cases("reports.json").iter().for_each(|case| report.case(id(case), check_report(case)));
    report.finish();
}

fn check_scalers(case: &Json) -> Result<(), String> {
    let (x, x2) = (rows(&case["x"]), rows(&case["x2"]));
    let say = |error: cornu_array::Error| error.to_string();
    let matrix = |what: &str, got: cornu_array::Result<Array2<f64>>, want: &Json| {
        close(what, &got.map_err(say)?.into_raw_vec_and_offset().0, &rows(want).concat())
    };
    let mut standard = StandardScaler::new();
    standard.fit(&x).map_err(say)?;
    for (key, got) in [("mean", standard.mean()), ("scale", standard.scale()), ("var", standard.var())] {
        close(key, &got.unwrap_or_default(), &numbers(&case[key]))?;
    }
    matrix("standard", standard.transform(&x2), &case["standard"])?;
    matrix("standard_inverse", standard.inverse_transform(&x2), &case["standard_inverse"])?;
    let symmetric = MinMaxScaler::new().feature_range(-1.0, 1.0).map_err(say)?;
    for (key, mut scaler) in [("minmax", MinMaxScaler::new()), ("minmax_symmetric", symmetric)] {
        scaler.fit(&x).map_err(say)?;
        matrix(key, scaler.transform(&x2), &case[key])?;
        matrix(&format!("{key}_inverse"), scaler.inverse_transform(&x2), &case[format!("{key}_inverse")])?;
    }
    Ok(())
}

#[test]
fn scalers_are_those_of_scikit_learn() {
    let mut report = Report::default();
    cases("scalers.json").iter().for_each(|case| report.case(id(case), check_scalers(case)));
    report.finish();
}

/// A nested list of numbers of any depth.
fn nested(json: &Json) -> ArrayD<f64> {
    let (mut shape, mut level) = (Vec::new(), json);
    while let Some(list) = level.as_array() {
        shape.push(list.len());
        level = &list[0];
    }
    fn flatten(json: &Json, out: &mut Vec<f64>) {
        match json.as_array() {
            Some(list) => list.iter().for_each(|item| flatten(item, out)),
            None => out.push(number(json)),
        }
    }
    let mut data = Vec::new();
    flatten(json, &mut data);
    ArrayD::from_shape_vec(IxDyn(&shape), data).expect("rows of equal length")
}

fn check_keras_utils(case: &Json) -> Result<(), String> {
    let (x, settings) = (nested(&case["args"]), &case["kwargs"]);
    let got = if case["kind"] == "normalize" {
        let axis = settings["axis"].as_i64().unwrap_or(-1) as isize;
        normalize(&x, axis, settings["order"].as_f64().unwrap_or(2.0))
    } else {
        let classes = settings["num_classes"].as_u64().map(|n| n as usize);
        classes.map_or_else(|| to_categorical(&x), |n| to_categorical_with(&x, n)).map(|rows| rows.mapv(f64::from))
    };
    let got = got.map_err(|error| error.to_string())?;
    let shape: Vec<f64> = got.shape().iter().map(|&size| size as f64).collect();
    close("shape", &shape, &numbers(&case["shape"]))?;
    close("output", &got.into_raw_vec_and_offset().0, &numbers(&case["output"]))
}

#[test]
fn to_categorical_and_normalize_are_those_of_keras() {
    let mut report = Report::default();
    cases("keras_utils.json").iter().for_each(|case| report.case(id(case), check_keras_utils(case)));
    report.finish();
}

/// Each result is an error with that message.
fn refused<const N: usize>(cases: [(cornu_array::Result<()>, &str); N]) {
    let mut report = Report::default();
    for (result, wanted) in cases {
        let got = result.map_or_else(|error| error.message().to_owned(), |()| "ok".into());
        report.case(wanted, if got == wanted { Ok(()) } else { Err(format!("got `{got}`")) });
    }
    report.finish();
}

#[test]
fn labels_that_have_no_score_are_refused() {
    refused([
        (accuracy_score(&[0, 1], &[0]).map(drop), "`y_pred` needs 2 labels as `y_true` has, got 1"),
        (
            accuracy_score(&[0, 1], &[0.25, 1.0]).map(drop),
            "`y_pred` needs class labels, got the continuous value 0.25 in row 0",
        ),
        (
            accuracy_score(&[0, 1], &[f32::NAN, 1.0]).map(drop),
            "`y_pred` needs class labels, got the continuous value NaN in row 0",
        ),
        (accuracy_score(&[0], &[[0.5, 0.5]]).map(drop), "`y_pred`: one label is needed in each row, got 2"),
        (
            accuracy_score(&Vec::<i64>::new(), &Vec::<i64>::new()).map(drop),
            "`y_true` needs at least one label, got none",
        ),
    ]);
}

#[test]
fn conversions_that_mean_nothing_are_refused() {
    refused([
        (to_categorical(&[0, -1]).map(drop), "`to_categorical` needs whole classes from 0 up, got -1 at index 1"),
        (
            to_categorical(&[Some("a"), None]).map(drop),
            "`to_categorical` needs a class in each row, got none at index 1",
        ),
        (to_categorical_with(["a", "b", "c"], 2).map(drop), "`to_categorical` needs classes below 2, got 2 at index 2"),
        (to_categorical(vec![vec![0, 1], vec![0]]).map(drop), "row 1: needs 2 labels as the first row, got 1"),
        (to_categorical(&[f64::NAN]).map(drop), "`to_categorical` needs whole classes from 0 up, got NaN at index 0"),
        (to_categorical_with(&[0, 3], 3).map(drop), "`to_categorical` needs classes below 3, got 3 at index 1"),
        (normalize(&[1.0], 1, 2.0).map(drop), "`normalize` needs an axis of f64[1], got 1"),
    ]);
}

#[test]
fn arrays_that_a_scaler_cannot_scale_are_refused() {
    let unfitted = StandardScaler::new().transform(&[[1.0]]).map(drop);
    let mut fitted = MinMaxScaler::new();
    assert!(fitted.fit(&[[1.0, 2.0], [3.0, 4.0]]).is_ok());
    refused([
        (unfitted, "this `StandardScaler` has learnt nothing yet"),
        (fitted.transform(&[[1.0]]).map(drop), "`MinMaxScaler` needs 2 columns as it was fitted on, got 1"),
        (fitted.transform([1.0, 2.0]).map(drop), "`MinMaxScaler` needs 2 columns as it was fitted on, got 1"),
        (fitted.fit([[[1.0]]]), "`MinMaxScaler` needs `[rows, columns]`, got f64[1,1,1]"),
        (
            fitted.fit(&[[1.0], [f64::INFINITY]]),
            "`MinMaxScaler` needs finite numbers, got an infinite one in row 1, column 0",
        ),
    ]);
}

#[test]
fn ranges_that_are_none_are_refused() {
    refused([
        (
            MinMaxScaler::new().feature_range(1.0, 1.0).map(drop),
            "`feature_range` needs a minimum below its maximum, got (1, 1)",
        ),
        (
            MinMaxScaler::new().feature_range(0.0, f64::INFINITY).map(drop),
            "`feature_range` needs a finite range, got (0, inf)",
        ),
        (
            MinMaxScaler::new().feature_range(f64::NEG_INFINITY, 0.0).map(drop),
            "`feature_range` needs a finite range, got (-inf, 0)",
        ),
        (
            MinMaxScaler::new().feature_range(f64::NAN, 0.0).map(drop),
            "`feature_range` needs a minimum below its maximum, got (NaN, 0)",
        ),
    ]);
}

/// Alphabetically, as scikit-learn has classes of text; in a column, an array and rows of rows.
#[test]
fn classes_of_text_become_rows_with_a_one() {
    let wanted = to_categorical([1, 0, 2, 1]).unwrap();
    let words = ["dog", "cat", "elk", "dog"];
    assert_eq!(to_categorical(words).unwrap(), wanted);
    assert_eq!(to_categorical(&Column::new("pet", words.to_vec())).unwrap(), wanted);
    assert_eq!(to_categorical(words.map(|word| [word])).unwrap(), wanted);
    let rows = [["dog", "cat"], ["elk", "dog"]];
    assert_eq!(to_categorical(rows).unwrap(), wanted.into_shape_with_order(IxDyn(&[2, 2, 3])).unwrap());
    assert_eq!(to_categorical_with(rows, 5).unwrap().shape(), [2, 2, 5]);
    assert_eq!(to_categorical(vec![vec![0u8, 1], vec![1, 0]]).unwrap().shape(), [2, 2, 2]);
}

#[test]
fn undefined_scores_are_told_of() {
    let report = classification_report(&[0, 0, 1], &[2, 0, 0]).unwrap();
    let warnings = report.warnings();
    assert_eq!(
        warnings,
        ["precision is 0 for classes that were never predicted: 1", "recall is 0 for classes that never occur: 2"]
    );
    assert!(classification_report(&[0, 1], &[1, 0]).unwrap().warnings().is_empty());
}

#[test]
fn columns_are_found_by_name_or_suggested() {
    let table = Table::from_csv_str("age,weight,8\n31,60.5,1\n58,80.25,0\n").unwrap();
    let error = table.column("Wieght").unwrap_err();
    assert_eq!(
        error.to_string(),
        "no column `Wieght`; the table has `age`, `weight`, `8`\n  help: did you mean `weight`?"
    );
    assert!(table.drop(["9"]).is_err() && table.select(["age", "age"]).is_err() && table.take(&[2]).is_err());
    assert_eq!(table.drop(["8"]).unwrap().names(), ["age", "weight"]);
    assert_eq!(table.select(["8", "age"]).unwrap().names(), ["8", "age"]);
    assert_eq!(table.select([""; 0]).unwrap().shape(), (2, 0));
}

#[test]
fn tables_become_arrays_and_back() {
    let table = Table::from_csv_str("a,b,c\n1,0.5,True\n2,-1,False\n").unwrap();
    assert_eq!(format!("{:?}", table.to_array().unwrap()), "f64[2,3](1, 0.5, 1, 2, -1, 0)");
    assert_eq!(format!("{:?}", table.select(["c", "a"]).unwrap().to_array().unwrap()), "i64[2,2](1, 1, 0, 2)");
    assert_eq!(table.select(["c"]).unwrap().to_array().unwrap().dtype(), cornu_array::DType::Bool);
    let array = ndarray::array![[1.0, 0.5], [2.0, -1.0]];
    assert_eq!(table.drop(["c"]).unwrap().to_ndarray::<f64>().unwrap(), array);
    let back = Table::from(array).with_names(["a", "b"]).unwrap();
    assert_eq!(back.to_string(), "     a    b\n0  1.0  0.5\n1  2.0 -1.0");
    assert!(back.with_names(["a"]).is_err());
    assert_eq!(Table::from(ndarray::array![[7u8], [250]]).to_string(), "     0\n0    7\n1  250");
    assert_eq!(table.column("a").unwrap().to_ndarray::<f32>().unwrap(), ndarray::array![1.0, 2.0]);
    assert_eq!(Table::from(ndarray::array![[1, 2]].view()).shape(), (1, 2));
}

#[test]
fn selected_rows_keep_their_labels() {
    let table = Table::from_csv_str("a,b\n1,x\n2,y\n3,z\n").unwrap().take(&[2, 0]).unwrap();
    assert_eq!(table.to_string(), "   a  b\n2  3  z\n0  1  x");
    assert_eq!(table.column("b").unwrap().to_string(), "2    z\n0    x\nName: b, dtype: str");
    assert_eq!(table.take(&[1, 1]).unwrap().index(), &Index::new(vec![0, 0]));
}

#[test]
fn a_table_prints_whole_when_asked() {
    let columns =
        (0..12).map(|i| (format!("column {i}"), Values::from((0..70).map(|row| row * i).collect::<Vec<i64>>())));
    let table = Table::new(columns).unwrap();
    let (short, whole) = (table.to_string(), format!("{table:#}"));
    assert!(short.contains(" ... ") && short.ends_with("[70 rows x 12 columns]"), "{short}");
    assert_eq!(whole.lines().count(), 71);
    assert!(whole.lines().all(|line| line.split_whitespace().count() >= 13) && !whole.contains("..."), "{whole}");
    let row = whole.lines().nth(4).unwrap();
    assert_eq!(
        row.split_whitespace().collect::<Vec<_>>(),
        "3 0 3 6 9 12 15 18 21 24 27 30 33".split(' ').collect::<Vec<_>>()
    );
}

#[test]
fn numbers_that_are_no_classes_are_refused_before_memory_is_asked_for() {
    let error = to_categorical(&[0i64, 1 << 60]).expect_err("no machine has room for it");
    assert!(error.message().starts_with("`to_categorical` has no room for 2 rows of"), "{error}");
    let error = to_categorical(&[1e23]).expect_err("more than can be counted");
    assert!(error.message().starts_with("`to_categorical` has no room for 1 rows of"), "{error}");
}

#[test]
fn long_texts_are_cut_unless_the_whole_table_is_asked_for() {
    let text = "a".repeat(60);
    let table = Table::new([("words", vec![text.as_str(), "b"])]).unwrap();
    assert_eq!(table.to_string().lines().nth(1), Some(&*format!("0  {}...", &text[..46])));
    assert_eq!(format!("{table:#}").lines().nth(1), Some(&*format!("0  {text}")));
}

/// Left-out rows have their dots where the numbers end, not where a very long name does.
#[test]
fn dots_stand_under_the_cells() {
    let name = "n".repeat(60);
    let table = Table::new([(name.as_str(), (0..61).collect::<Vec<i64>>())]).unwrap().to_string();
    let ends = |line: usize| table.lines().nth(line).map(|line| line.trim_end().len());
    assert_eq!((ends(5), ends(6), ends(7)), (Some(53), Some(53), Some(53)), "{table}");
}

#[test]
fn slices_and_views_are_scored_and_scaled() {
    let (truth, predicted) = (vec![0, 1, 1, 0], ndarray::array![[0.0f32], [1.0], [0.0], [0.0]]);
    assert_eq!(accuracy_score(&truth[..2], &predicted.view().split_at(ndarray::Axis(0), 2).0).unwrap(), 1.0);
    assert_eq!(classification_report(&truth[..], &predicted).unwrap().accuracy(), 0.75);
    assert_eq!(to_categorical(&truth[1..]).unwrap().shape(), [3, 2]);
    assert!(StandardScaler::new().fit(&[[1.0], [2.0]][..]).is_ok());
}

/// With nothing right, scikit-learn counts in floats; and weights that are all zero do not count.
#[test]
fn reports_of_nothing_right_are_those_of_scikit_learn() {
    let report = classification_report(&[992, 992], &[676, 676]).unwrap().zero_division(f64::NAN);
    let wanted = "              precision    recall  f1-score   support

         676       0.00       nan      0.00       0.0
         992        nan      0.00      0.00       2.0

    accuracy                           0.00       2.0
   macro avg       0.00      0.00      0.00       2.0
weighted avg       0.00      0.00      0.00       2.0
";
    assert_eq!(report.to_string(), wanted);
}
