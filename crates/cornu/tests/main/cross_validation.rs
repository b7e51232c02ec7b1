//! Models judged by cross-validation, and what they predict made into classes.

use cornu::data::{Average, f1_score, log_loss, mean_squared_error, r2_score, roc_auc_score};
use cornu::data::{Predictions, ToArray};
use cornu::model_selection::{
    CrossValidate, GroupKFold, KFold, Scoring, StratifiedKFold, cross_val_predict, cross_val_score, cross_validate,
};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_graph::{Array, Type};

use crate::seeds::seeded;

const ROWS: usize = 60;

/// Three features, and the class of each row of three.
fn data() -> (Array, Array) {
    let x = Array::from_fn(&Type::f32([ROWS, 3]), |at| {
        let (row, column) = (at / 3, at % 3);
        f64::from(u8::from(row % 3 == column)) + ((row * 7 + column * 5) % 11) as f64 / 20.0
    });
    (x, Array::vector((0..ROWS).map(|row| (row % 3) as i64).collect()))
}

fn model(units: usize, activation: &str, loss: &str) -> cornu::Result<(Sequential, Fit)> {
    let mut model =
        sequential![Dense::new(8).input_shape([3]).activation("relu"), Dense::new(units).activation(activation)];
    model.compile(Compile::new().optimizer("adam").loss(loss))?;
    Ok((model, Fit::new().epochs(3).verbose(0)))
}

/// What each fold's model predicts, and the targets, fold by fold.
fn by_hand(
    build: impl Fn() -> cornu::Result<(Sequential, Fit)>,
    (x, y): (&Array, &Array),
    folds: Vec<(Vec<usize>, Vec<usize>)>,
) -> cornu::Result<Vec<(Array, ndarray::ArrayD<f32>)>> {
    let mut all = Vec::new();
    for (train, test) in folds {
        let (mut model, fit) = build()?;
        model.fit(&x.rows(&train), &y.rows(&train), fit)?;
        all.push((y.rows(&test), model.predict_with(&x.rows(&test), Predict::new().verbose(0))?));
    }
    Ok(all)
}

#[test]
fn each_fold_is_learned_and_judged_as_by_hand() -> cornu::Result<()> {
    let (x, classes) = data();
    let y = Array::vector(classes.to_vec::<i64>().iter().map(|&class| i64::from(class == 1)).collect());
    let build = || model(1, "sigmoid", "binary_crossentropy");
    let folds = StratifiedKFold::new(4).split(&y)?;
    let turn = seeded(Flavor::Keras3, 3);
    let wanted = by_hand(build, (&x, &y), folds)?;
    drop(turn);
    let _turn = seeded(Flavor::Keras3, 3);
    let scores = ["accuracy", "roc_auc", "neg_log_loss", "neg_mean_squared_error"];
    let by = StratifiedKFold::new(4);
    let got = cross_validate(build, &x, &y, by, scores)?;
    for (fold, (truth, predicted)) in wanted.iter().enumerate() {
        let figures: Vec<f64> = got.scores.iter().map(|scores| scores.test[fold]).collect();
        let rounded = predicted.round();
        let figures_by_hand = [
            accuracy_score(truth, &rounded)?,
            roc_auc_score(truth, predicted)?,
            -log_loss(truth, predicted)?,
            -mean_squared_error(truth, predicted)?,
        ];
        assert_eq!(figures, figures_by_hand, "fold {fold}");
    }
    assert!(got.estimators.is_empty() && got.fit_time.len() == 4 && got.score("roc_auc").is_some());
    Ok(())
}

#[test]
fn a_number_of_folds_is_stratified_for_classes_and_plain_for_numbers() -> cornu::Result<()> {
    let (x, y) = data();
    let build = || model(3, "softmax", "sparse_categorical_crossentropy");
    let scores = |by: &dyn cornu::model_selection::CrossValidator, scoring: Scoring| {
        let _turn = seeded(Flavor::Keras3, 5);
        cross_val_score(build, &x, &y, by, scoring)
    };
    assert_eq!(scores(&5, "accuracy".into())?, scores(&StratifiedKFold::new(5), "accuracy".into())?);
    let own = || Scoring::of_classes("f1", |y, p| f1_score(y, p, Average::Macro));
    assert_eq!(scores(&5, own())?, scores(&5, "f1_macro".into())?);
    assert_eq!(scores(&5, "roc_auc_ovr".into())?.len(), 5);

    let numbers = Array::from_fn(&Type::f32([ROWS, 1]), |row| (row % 5) as f64);
    let build = || model(1, "linear", "mse");
    let scores = |by: &dyn cornu::model_selection::CrossValidator, scoring: Scoring| {
        let _turn = seeded(Flavor::Keras3, 5);
        cross_val_score(build, &x, &numbers, by, scoring)
    };
    let own = || Scoring::by("r2", |y, p| r2_score(y, p));
    assert_eq!(scores(&3, "r2".into())?, scores(&KFold::new(3), own())?);
    Ok(())
}

#[test]
fn predictions_of_all_folds_become_classes() -> cornu::Result<()> {
    let (x, y) = data();
    let _turn = seeded(Flavor::Keras3, 9);
    let one_hot = to_categorical(&y)?;
    let build = || model(3, "softmax", "categorical_crossentropy");
    let predicted = cross_val_predict(build, &x, &one_hot, &StratifiedKFold::new(3).shuffle(true).random_state(1))?;
    assert_eq!(predicted.shape()[..], [ROWS, 3]);
    let names = ["ant", "bee", "cow"];
    let classes = predicted.to_classes(names)?;
    let truth: Vec<&str> = y.to_vec::<i64>().iter().map(|&class| names[class as usize]).collect();
    assert_eq!(accuracy_score(&truth, &classes)?, accuracy_score(&y, predicted.argmax()?)?);
    assert_eq!(predicted.to_table(names)?.shape(), (ROWS, 3));
    assert_eq!(predicted.to_array()?.ty(), Type::f32([ROWS, 3]));
    Ok(())
}

#[test]
fn what_cannot_be_validated_is_refused() -> cornu::Result<()> {
    let (x, y) = data();
    let _turn = seeded(Flavor::Keras3, 1);
    let build = || model(3, "softmax", "sparse_categorical_crossentropy");
    let refused = |error: cornu::Result<Vec<f64>>| error.expect_err("a refusal").to_string();
    let scored = |scoring: &str| refused(cross_val_score(build, &x, &y, 3, scoring));
    assert_eq!(scored("acuracy"), "unknown score `acuracy`\n  help: did you mean `accuracy`?");
    let error = scored("f1");
    assert!(error.starts_with("split 0: `f1`: `Average::Binary` needs at most two classes, got 3"), "{error}");
    let error = refused(cross_val_score(build, &x, y.rows(&[0, 1]), 3, "accuracy"));
    assert!(error.starts_with("`y` needs 60 rows as `x` has, got 2"), "{error}");
    let error = refused(cross_val_score(build, &x, &y, GroupKFold::new(3), "accuracy"));
    assert!(error.starts_with("`GroupKFold` needs the group of each row, got none"), "{error}");
    let groups: Vec<&str> = (0..ROWS).map(|row| ["a", "b", "c", "d"][row / 15]).collect();
    let grouped = CrossValidate::new(GroupKFold::new(2)).groups(&groups).scoring(["accuracy"]).return_estimator(true);
    assert_eq!(grouped.run(build, &x, &y)?.estimators.len(), 2);
    let error = refused(cross_val_score(|| model(3, "sotfmax", "mse"), &x, &y, 3, "accuracy"));
    assert!(error.starts_with("split 0: ") && error.contains("softmax"), "{error}");
    Ok(())
}
