//! Splits against those of scikit-learn, and its refusals.

use cornu_array::Array;
use cornu_testkit::golden::{Report, json};
use cornu_testkit::lists::{check_order, expect, indices, integers, items};
use serde_json::Value;

use super::*;
use crate::{Column, Table};

fn size(value: &Value) -> Option<Size> {
    value.as_i64().map(Size::Rows).or_else(|| value.as_f64().map(Size::Fraction))
}

/// The options of a golden case.
fn split_of(case: &Value) -> Split {
    let mut split = size(&case["test_size"]).map_or_else(Split::new, Split::test_size);
    if let Some(size) = size(&case["train_size"]) {
        split = split.train_size(size);
    }
    if let Some(seed) = case["random_state"].as_u64() {
        split = split.random_state(seed as u32);
    }
    if case["labels"].is_array() {
        split = split.stratify(&integers(&case["labels"]));
    }
    split.shuffle(case["shuffle"].as_bool().unwrap_or(true))
}

#[test]
fn splits_are_scikit_learns() {
    let golden = json("random", "sklearn_splits.json");
    let mut report = Report::default();
    for case in items(&golden["train_test_split"]) {
        let id = format!(
            "{} rows, {} and {}, seed {}",
            case["n"], case["test_size"], case["train_size"], case["random_state"]
        );
        let (train, test) = split_of(case).indices(case["n"].as_u64().expect("a size") as usize).expect("a split");
        check_order(&mut report, &format!("{id}: train"), &train, &case["train"]);
        check_order(&mut report, &format!("{id}: test"), &test, &case["test"]);
    }
    for case in items(&golden["stratified"]) {
        let n = items(&case["labels"]).len();
        let id = format!("stratified, {n} rows, {}", case["random_state"]);
        let parts = split_of(case).indices(n).expect("a split");
        report.case(&id, expect(parts, (indices(&case["train"]), indices(&case["test"]))));
    }
    report.finish();
}

/// Of 40 rows of one class and 5 of the other, a fifth each is for testing.
#[test]
fn small_classes_keep_their_share() {
    let labels: Vec<bool> = (0..45).map(|row| row >= 40).collect();
    let (train, test) = Split::test_size(9).random_state(42).stratify(&labels).indices(45).expect("a split");
    let ones = |rows: &[usize]| rows.iter().filter(|&&row| labels[row]).count();
    assert_eq!((ones(&train), ones(&test)), (4, 1));
}

#[test]
fn folds_are_scikit_learns() {
    let golden = json("random", "sklearn_splits.json");
    let mut report = Report::default();
    for case in items(&golden["kfold"]) {
        let n = case["n"].as_u64().expect("a size") as usize;
        let k = case["k"].as_u64().expect("a number of folds") as usize;
        let shuffle = case["shuffle"].as_bool().expect("a choice");
        let (mut plain, mut stratified) = (KFold::new(k).shuffle(shuffle), StratifiedKFold::new(k).shuffle(shuffle));
        if let Some(seed) = case["random_state"].as_u64() {
            plain = plain.random_state(seed as u32);
            stratified = stratified.random_state(seed as u32);
        }
        let labels = integers(&case["labels"]);
        let folds = [("kfold_tests", plain.split(n)), ("stratified_tests", stratified.split(&labels))];
        for (kind, parts) in folds {
            let parts = parts.expect("folds");
            let id = format!("{kind}, {n} rows, {k} folds");
            let tests: Vec<_> = parts.iter().map(|(_, test)| test.clone()).collect();
            report.case(&id, expect(tests, items(&case[kind]).iter().map(indices).collect()));
            for (train, test) in &parts {
                let mut all = [&train[..], test].concat();
                report.case(&id, expect(train.is_sorted(), true));
                all.sort_unstable();
                report.case(&id, expect(all, (0..n).collect()));
            }
        }
    }
    report.finish();
}

#[test]
fn everything_with_rows_can_be_split() {
    let split = Split::test_size(0.4).shuffle(false);
    let table = ndarray::Array2::from_shape_fn((5, 2), |(row, column)| 10 * row + column);
    let array = Array::new([5, 2], (0..10).collect::<Vec<i32>>()).expect("an array");
    let (x_train, x_test, y_train, y_test) = train_test_split(&table, &array, &split).expect("a split");
    assert_eq!((x_train.dim(), x_test), ((3, 2), ndarray::array![[30, 31], [40, 41]]));
    assert_eq!(y_train.shape()[..], [3, 2]);
    assert_eq!(y_test.to_vec::<i32>(), [6, 7, 8, 9]);
    let words = ["a", "b", "c", "d", "e"].map(String::from);
    let (.., x_test, _, y_test) = train_test_split(&table.column(1), &words[..], &split).expect("a split");
    assert_eq!((x_test.to_vec(), y_test), (vec![31, 41], words[3..].to_vec()));
}

#[test]
fn unequal_lengths_are_refused() {
    let error = train_test_split(&vec![1, 2, 3], &vec![1, 2], Split::new()).expect_err("unequal lengths");
    assert_eq!(error.message(), "`train_test_split` needs as many labels as rows, got 3 rows and 2");
}

#[test]
fn labels_of_any_kind_are_stratified_by() {
    let parts = |split: Split| split.random_state(3).indices(8).expect("a split");
    let wanted = parts(Split::test_size(4).stratify([0, 1, 0, 1, 0, 1, 0, 1]));
    let words = ["no", "yes", "no", "yes", "no", "yes", "no", "yes"];
    assert_eq!(parts(Split::test_size(4).stratify(words)), wanted);
    assert_eq!(parts(Split::test_size(4).stratify(Column::new("y", words.to_vec()))), wanted);
    assert_eq!(parts(Split::test_size(4).stratify([-0.0, 1.5, 0.0, 1.5, 0.0, 1.5, 0.0, 1.5])), wanted);
    let gaps = [Some("a"), None, Some("a"), Some("b"), Some("b"), Some("b"), Some("a"), Some("b")];
    let error = Split::test_size(4).stratify(gaps).indices(8).expect_err("a missing label");
    assert_eq!(error.message(), "`stratify` needs a label in each row, got none in row 1");
}

#[test]
fn columns_references_and_arrays_are_split_and_stratified_by() {
    let table = Table::from_csv_str("x,who\n1,b\n2,a\n3,b\n4,a\n").expect("a table");
    let (x, who) = (table.drop(["who"]).expect("columns"), table.column("who").expect("a column"));

    let split = Split::test_size(0.5).stratify(who).random_state(1);
    let (x_train, x_test, who_train, who_test) = train_test_split(&x, &who, &split).expect("a split");
    assert_eq!((x_train.shape(), x_test.shape(), who_train.len(), who_test.len()), ((2, 1), (2, 1), 2, 2));
    let (train, _, labels, _) =
        train_test_split(&[[1.0], [2.0], [3.0], [4.0]], &[1, 2, 3, 4], &split).expect("a split");
    assert_eq!(train, labels.iter().map(|&label| [f64::from(label)]).collect::<Vec<_>>());
}

/// Rows are drawn by the generator of the process.
#[test]
fn without_a_seed_rows_are_still_a_partition() {
    let (train, test) = Split::new().indices(40).expect("a split");
    let mut all = [train, test].concat();
    assert!(!all.is_sorted());
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>());
}

#[test]
fn impossible_splits_are_refused() {
    let labels = [0, 0, 0, 1, 1, 1, 2, 2, 2, 2];
    let needs = "must be a fraction between 0 and 1, or a number of rows from 1 to less than all 10, got";
    let cases = [
        (Split::test_size(1.0), format!("`test_size` {needs} 1.0")),
        (Split::test_size(f64::NAN), format!("`test_size` {needs} NaN")),
        (Split::test_size(10), format!("`test_size` {needs} 10")),
        (Split::test_size(-1), format!("`test_size` {needs} -1")),
        (Split::new().train_size(0), format!("`train_size` {needs} 0")),
        (
            Split::test_size(0.5).train_size(0.75),
            "`test_size` and `train_size` must not exceed 1 together, got 0.5 + 0.75".into(),
        ),
        (Split::test_size(6).train_size(5), "a split of 10 rows cannot have 5 for training and 6 for testing".into()),
        (Split::test_size(0.95), "a split of 10 rows with 10 for testing leaves none for training".into()),
        (
            Split::new().stratify(&labels).shuffle(false),
            "a stratified split needs `shuffle(true)`, got `shuffle(false)`".into(),
        ),
        (Split::new().stratify(&[1, 2]), "a stratified split needs a label for each of 10 rows, got 2".into()),
        (
            Split::new().stratify(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            "a stratified split needs 2 rows or more of each class, got a class with one row".into(),
        ),
        (
            Split::test_size(2).stratify(&labels),
            "a stratified split of 3 classes needs a row of each, got 2 rows for testing".into(),
        ),
    ];
    let mut report = Report::default();
    for (split, wanted) in cases {
        let got = split.indices(10).expect_err("a refusal");
        report.case(&format!("{split:?}"), expect(got.message(), &wanted));
    }
    report.finish();
}

#[test]
fn impossible_folds_are_refused() {
    let cases = [
        (KFold::new(1).split(5), "cross-validation needs 2 folds or more, got 1"),
        (KFold::new(6).split(5), "cross-validation cannot make 6 folds of 5 rows"),
        (KFold::new(2).random_state(1).split(5), "`random_state` of folds needs `shuffle(true)`"),
        (StratifiedKFold::new(3).split(&[0, 0, 1, 1]), "3 stratified folds need a class with 3 rows, got 2 at most"),
    ];
    let mut report = Report::default();
    for (folds, wanted) in cases {
        report.case(wanted, expect(folds.expect_err("a refusal").message(), wanted));
    }
    report.finish();
}
