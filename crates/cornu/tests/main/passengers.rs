//! A raw table of texts, gaps and numbers of every size, from the file to the verdict and back. The numbers are those of
//! pandas, scikit-learn and Keras 3 (`scripts/raw_lesson.py`).

use std::path::PathBuf;

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report, close};
use cornu_testkit::lists::{expect, f64s};
use serde_json::Value;

use crate::seeds::seeded;
use crate::training::list;

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/tables").join(name)
}

/// What the table is, as pandas says.
fn check_table(report: &mut Report, data: &Table, want: &Value) -> cornu::Result<()> {
    report.case("head", expect(data.head(5).to_string().as_str(), want["head"].as_str().expect("a text")));
    let gaps = data.isna().sum()?;
    for (column, gaps) in data.columns().iter().zip(gaps.iter()) {
        let [dtype, missing] = ["0", "1"].map(|place| want["info"][column.name()].pointer(&format!("/{place}")));
        report.case(column.name(), expect(Some(column.dtype()), dtype.and_then(Value::as_str)));
        report.case(column.name(), expect(gaps.to_f64(), missing.and_then(Value::as_f64)));
    }
    Ok(())
}

fn columns() -> ColumnTransformer {
    let numbers = Pipeline::new()
        .step("impute", SimpleImputer::new().strategy(Strategy::Median))
        .step("scale", StandardScaler::new());
    let texts = Pipeline::new()
        .step("impute", SimpleImputer::new().strategy(Strategy::MostFrequent))
        .step("encode", OneHotEncoder::new());
    ColumnTransformer::new().transformer("numbers", numbers, ["Age", "SibSp", "Parch", "Fare"]).transformer(
        "texts",
        texts,
        ["Pclass", "Sex", "Embarked"],
    )
}

/// Features and labels to train on and to test with, and what the features become.
fn check_prepared(report: &mut Report, parts: [&Table; 2], want: &Value) -> cornu::Result<()> {
    let mut prepare = columns();
    let names: Vec<&str> = want["names"].as_array().expect("names").iter().filter_map(Value::as_str).collect();
    let [train, test] = [prepare.fit_transform(parts[0])?, prepare.transform(parts[1])?];
    report.case("names", expect(train.names(), names));
    for (what, table) in [("train", &train), ("test", &test)] {
        report.case(what, expect(table.head(4).to_array()?.to_vec(), f64s(&want[what])));
    }
    Ok(())
}

#[test]
fn a_raw_table_is_prepared_and_learned_as_in_scikit_learn_and_keras() -> cornu::Result<()> {
    let want = golden::read(&file("passengers.json"));
    let mut report = Report::default();
    let data = Table::read_csv(file("passengers.csv"))?;
    check_table(&mut report, &data, &want)?;
    let (x, y) = (data.drop(["PassengerId", "Survived", "Name", "Cabin"])?, &data["Survived"]);
    let split = Split::test_size(0.25).random_state(42).stratify(y);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;
    check_prepared(&mut report, [&x_train, &x_test], &want)?;

    let _turn = seeded(Flavor::Keras3, 42);
    let mut model = sequential![
        Dense::new(16).input_shape([12]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    let mut pipeline = Pipeline::new().step("prepare", columns()).estimator("model", model);
    pipeline.fit_with(&x_train, &y_train, Fit::new().epochs(30).batch_size(16).verbose(0))?;
    let predicted = pipeline.predict(&x_test)?;
    let first = Array::vector(predicted.to_vec::<f64>().into_iter().take(20).collect());
    report.case("predictions", close(&first, &list(&want["predictions"]), 0.0, 5e-6));
    let accuracy = accuracy_score(&y_test, predicted.rounded()?)?;
    report.case("accuracy", expect(Some(accuracy), want["accuracy"].as_f64()));
    let area = roc_auc_score(&y_test, &predicted)?;
    report
        .case("area", close(&Array::scalar(area), &Array::scalar(want["roc_auc"].as_f64().unwrap_or(0.0)), 0.0, 1e-3));

    let folder = Folder::new("passengers");
    pipeline.save(folder.join("p.json"))?;
    let mut again = Pipeline::<Sequential>::load(folder.join("p.json"))?;
    assert_eq!(again.predict(&x_test)?, predicted);
    let stranger = Table::from_csv_str("Pclass,Sex,Age,SibSp,Parch,Fare,Embarked\n1,female,,0,1,80.5,C\n")?;
    assert_eq!(again.predict(&stranger)?, pipeline.predict(&stranger)?);
    report.finish();
    Ok(())
}
