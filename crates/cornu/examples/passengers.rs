//! A raw table, from the file to the verdict and back: texts, gaps and numbers of every size go through a pipeline that is
//! kept beside its model. The passengers are made up. `cargo run --release --example passengers`

use cornu::prelude::*;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/tables/passengers.csv");

fn main() -> cornu::Result<()> {
    let data = Table::read_csv(TABLE)?;
    println!("{}\n\n{}\n\n{}\n", data.head(5), data.isna().sum()?, data["Embarked"].value_counts());

    let (x, y) = (data.drop(["PassengerId", "Survived", "Name", "Cabin"])?, &data["Survived"]);
    let split = Split::test_size(0.25).random_state(42).stratify(y);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;

    let numbers = Pipeline::new()
        .step("impute", SimpleImputer::new().strategy(Strategy::Median))
        .step("scale", StandardScaler::new());
    let words = Pipeline::new()
        .step("impute", SimpleImputer::new().strategy(Strategy::MostFrequent))
        .step("encode", OneHotEncoder::new());
    let columns = ColumnTransformer::new()
        .transformer("numbers", numbers, ["Age", "SibSp", "Parch", "Fare"])
        .transformer("words", words, ["Pclass", "Sex", "Embarked"]);

    set_random_seed(42);
    let mut model = sequential![
        Dense::new(16).input_shape([12]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    let mut pipeline = Pipeline::new().step("prepare", columns).estimator("model", model);
    pipeline.fit_with(&x_train, &y_train, Fit::new().epochs(30).batch_size(16).verbose(0))?;

    let predicted = pipeline.predict(&x_test)?;
    println!("accuracy {:.4}", accuracy_score(&y_test, predicted.rounded()?)?);
    println!("area under the curve {:.4}\n", roc_auc_score(&y_test, &predicted)?);
    println!("{}", classification_report(&y_test, predicted.rounded()?)?.target_names(["lost", "saved"])?);

    // `passengers.json` and, beside it, `passengers.keras`
    let folder = std::env::temp_dir();
    pipeline.save(folder.join("passengers.json"))?;
    let mut again = Pipeline::<Sequential>::load(folder.join("passengers.json"))?;
    assert_eq!(again.predict(&x_test)?, predicted);

    let stranger = Table::from_csv_str("Pclass,Sex,Age,SibSp,Parch,Fare,Embarked\n1,female,,0,1,80.5,C\n")?;
    println!("a woman of the first class, her age unknown: {:.3}", again.predict(&stranger)?.get(0));
    Ok(())
}
