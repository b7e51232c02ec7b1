//! Raw rows into a model: by a scaler that is its first layer, and by a pipeline that is kept beside it.

use cornu::data::{
    Branch, ColumnTransformer, Linear, MaxAbsScaler, OneHotEncoder, Pipeline, RobustScaler, SimpleImputer, Transformer,
    make_column_selector,
};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::folder::Folder;

use crate::seeds::seeded;

const CSV: &str =
    "age,port,fare,survived\n22,S,7.25,0\n38,C,71.28,1\n,S,7.92,1\n35,Q,53.1,1\n54,S,51.86,0\n2,,21.07,0\n";

/// The layer gives what the scaler gives, before and after a file.
fn check_layer<S: Transformer + Linear>(mut scaler: S, name: &str) -> cornu::Result<()> {
    let x = Table::new([("a", vec![1.0, 300.0, -7.5, 12.25]), ("b", vec![0.5, 0.25, 4.0, 0.5]), ("c", vec![3.0; 4])])?;
    let scaled = Transformer::fit_transform(&mut scaler, &x)?.to_ndarray::<f64>()?;
    let model = sequential![Input::new([3]), Rescaling::of(&scaler)?];
    let folder = Folder::new(&format!("preparing-{name}"));
    model.save(folder.join("m.keras"))?;
    let again = load_model(folder.join("m.keras"))?;
    for got in [model.predict_with(&x, Predict::new().verbose(0))?, again.predict_with(&x, Predict::new().verbose(0))?]
    {
        let near = |(got, want): (&f32, &f64)| (f64::from(*got) - want).abs() <= 1e-6 * want.abs().max(1.0);
        assert!(got.iter().zip(&scaled).all(near), "{name}: {got} {scaled}");
    }
    Ok(())
}

#[test]
fn a_linear_scaler_is_the_first_layer_of_a_model() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    check_layer(MinMaxScaler::new().feature_range(-1.0, 1.0)?, "range")?;
    check_layer(StandardScaler::new(), "standard")?;
    check_layer(StandardScaler::new().with_std(false), "centered")?;
    check_layer(RobustScaler::new().with_centering(false), "robust")?;
    check_layer(MaxAbsScaler::new(), "greatest")?;
    let error = Rescaling::of(&StandardScaler::new()).expect_err("not fitted").to_string();
    assert_eq!(error, "this `StandardScaler` has learnt nothing yet\n  help: call `fit` first");
    let mut clipped = MinMaxScaler::new().clip(true);
    clipped.fit([1.0, 2.0])?;
    assert_eq!(
        Rescaling::of(&clipped).expect_err("bent").message(),
        "a `MinMaxScaler` that clips is no change of scale"
    );
    let mut empty = MinMaxScaler::new();
    empty.fit([[1.0, f64::NAN], [2.0, f64::NAN]])?;
    let error = Rescaling::of(&empty).expect_err("a column without values");
    assert_eq!(error.message(), "a scale is needed for each column, got none for column 1, which had no values");
    Ok(())
}

#[test]
fn a_pipeline_takes_raw_rows_before_and_after_a_file() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 7);
    let table = Table::from_csv_str(CSV)?;
    let (x, y) = (table.drop("survived")?, table.column("survived")?);
    let numbers = Pipeline::new().step("fill", SimpleImputer::new()).step("scale", StandardScaler::new());
    let prepare = ColumnTransformer::new()
        .transformer("num", numbers, make_column_selector("number"))
        .transformer("port", OneHotEncoder::new(), ["port"])
        .remainder(Branch::Drop);
    let mut model = sequential![Dense::new(4).activation("relu"), Dense::new(1).activation("sigmoid")];
    model.compile(Compile::new().optimizer("adam").loss("binary_crossentropy"))?;
    let mut pipeline = Pipeline::new().step("prepare", prepare).estimator("model", model);
    pipeline.fit_with(&x, y, Fit::new().epochs(3).verbose(0))?;
    let names = ["num__age", "num__fare", "port__port_C", "port__port_Q", "port__port_S", "port__port_nan"];
    assert_eq!(pipeline.get_feature_names_out()?, names);
    let predicted = pipeline.predict(&x)?;
    let score = pipeline
        .score(&x, y, |y, p| accuracy_score(y, p.to_vec::<f32>().iter().map(|p| p.round()).collect::<Vec<_>>()))?;
    assert!((0.0..=1.0).contains(&score));
    let folder = Folder::new("preparing-pipeline");
    pipeline.save(folder.join("titanic.json"))?;
    assert_eq!(folder.names(), ["titanic.json", "titanic.keras"]);
    let mut again = Pipeline::<Sequential>::load(folder.join("titanic.json"))?;
    assert_eq!(again.predict(&x)?, predicted);
    // A single raw row, its columns in another order.
    let row = x.head(1).select(["fare", "port", "age"])?;
    assert_eq!(again.predict(&row)?.get(0).to_bits(), predicted.get(0).to_bits());
    std::fs::remove_file(folder.join("titanic.keras")).expect("it is there");
    let error = Pipeline::<Sequential>::load(folder.join("titanic.json")).expect_err("half of it is gone").to_string();
    assert!(error.contains("titanic.json`: estimator: ") && error.contains("titanic.keras"), "{error}");
    Ok(())
}
