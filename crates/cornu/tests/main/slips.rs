//! What works and is hardly what was meant: a warning for each, and none for what only looks like it.

use cornu::model_selection::StratifiedKFold;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::train::Code;
use cornu_testkit::golden::Report;
use ndarray::{Array2, Array3};

use crate::lesson;
use crate::seeds::seeded;

const ROWS: usize = 12;

fn features() -> Array2<f64> {
    Array2::from_shape_fn((ROWS, 3), |(row, column)| ((row * 5 + column * 3) % 7) as f64 / 7.0 - 0.4)
}

fn classes(count: i64) -> Vec<i64> {
    (0..ROWS as i64).map(|row| (row * 7 + 1) % count).collect()
}

/// Numbers of a regression, from `low` on.
fn numbers(low: f64) -> Vec<f64> {
    (0..ROWS).map(|row| low + row as f64 / ROWS as f64).collect()
}

/// The codes of the warnings of a fit.
fn codes(
    model: &mut Sequential,
    x: impl cornu::data::ToArray,
    y: impl cornu::data::ToArray,
) -> cornu::Result<Vec<Code>> {
    let history = model.fit(x, y, Fit::new().batch_size(4).verbose(0))?;
    // Where there are no probabilities, there may be no loss.
    let codes = history.warnings.iter().map(|warning| warning.code);
    Ok(codes.filter(|code| *code != Code::LossNotFinite).collect())
}

fn last(units: usize, activation: &str, settings: Compile) -> cornu::Result<Sequential> {
    let mut model = sequential![Dense::new(2), Dense::new(units).activation(activation)];
    model.compile(settings.optimizer(SGD::from(0.0)))?;
    Ok(model)
}

struct Cases(Report);

impl Cases {
    fn case(&mut self, name: &str, got: cornu::Result<Vec<Code>>, want: &[Code]) {
        let outcome = match got {
            Ok(got) if got == want => Ok(()),
            other => Err(format!("got {other:?}, want {want:?}")),
        };
        self.0.case(name, outcome);
    }
}

fn cases(check: impl FnOnce(&mut Cases) -> cornu::Result<()>) -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut cases = Cases(Report::default());
    check(&mut cases)?;
    cases.0.finish();
    Ok(())
}

#[test]
fn accuracy_of_a_regression_is_said() -> cornu::Result<()> {
    cases(|cases| {
        let said = &[Code::AccuracyOfNumbers];
        let with = |loss: &str, y: &[f64], metric: &str| -> cornu::Result<Vec<Code>> {
            codes(&mut last(1, "linear", Compile::new().loss(loss).metrics([metric]))?, features(), y)
        };
        cases.case("accuracy", with("mse", &numbers(0.25), "accuracy"), said);
        cases.case("acc", with("mae", &numbers(2.0), "acc"), said);
        cases.case("binary_accuracy", with("mse", &numbers(0.25), "binary_accuracy"), said);
        cases.case("mae", with("mse", &numbers(0.25), "mae"), &[]);
        let grades: Vec<f64> = classes(5).iter().map(|&class| class as f64).collect();
        cases.case("whole numbers", with("mse", &grades, "accuracy"), said);
        let zero_or_one: Vec<f64> = classes(2).iter().map(|&class| class as f64).collect();
        cases.case("classes by mse", with("mse", &zero_or_one, "accuracy"), &[]);
        let weighted = Compile::new().loss("mse").weighted_metrics(["accuracy"]);
        cases.case("weighted", codes(&mut last(1, "linear", weighted)?, features(), numbers(0.25)), said);
        let own = Compile::new().loss(loss("own", |y, p| (y - p).square().mean([-1]))).metrics(["accuracy"]);
        cases.case("a loss of one's own", codes(&mut last(1, "linear", own)?, features(), numbers(0.25)), said);
        let soft = Compile::new().loss("bce").metrics([BinaryAccuracy::new()]);
        cases.case("soft labels", codes(&mut last(1, "sigmoid", soft)?, features(), numbers(0.0)), said);
        let mixed = to_categorical_with(classes(3), 3)?.mapv(|x| x * 0.9 + 0.05);
        let soft = Compile::new().loss("categorical_crossentropy").metrics(["accuracy"]);
        cases.case("soft classes", codes(&mut last(3, "softmax", soft)?, features(), &mixed), &[]);
        let sparse = Compile::new().loss("sparse_categorical_crossentropy").metrics(["accuracy"]);
        cases.case("class numbers", codes(&mut last(3, "softmax", sparse)?, features(), classes(3)), &[]);
        let one_hot = Compile::new().loss("mse").metrics(["accuracy"]);
        cases.case(
            "one-hot by mse",
            codes(&mut last(3, "softmax", one_hot)?, features(), to_categorical(classes(3))?),
            &[],
        );
        Ok(())
    })
}

#[test]
fn targets_out_of_reach_are_said() -> cornu::Result<()> {
    cases(|cases| {
        let said = &[Code::TargetsOutOfReach];
        let with = |activation: &str, low: f64| -> cornu::Result<Vec<Code>> {
            codes(&mut last(1, activation, Compile::new().loss("mse"))?, features(), numbers(low))
        };
        cases.case("sigmoid, hundreds", with("sigmoid", 300.0), said);
        cases.case("sigmoid, parts", with("sigmoid", 0.0), &[]);
        cases.case("tanh, hundreds", with("tanh", 300.0), said);
        cases.case("tanh, either sign", with("tanh", -0.5), &[]);
        cases.case("relu, below zero", with("relu", -0.5), said);
        cases.case("relu, hundreds", with("relu", 300.0), &[]);
        cases.case("linear", with("linear", 300.0), &[]);
        let mut flat = sequential![Dense::new(1).activation("sigmoid"), Flatten::new()];
        flat.compile(Compile::new().loss("mse"))?;
        cases.case("sigmoid, then flatten", codes(&mut flat, features(), numbers(300.0)), said);
        Ok(())
    })
}

cornu::config! {
    /// Numbers held between 0 and 1, which may well be probabilities.
    "tests" pub layer Held {}
}

impl Layer for Held {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        x.clip(0.0, 1.0)
    }
}

#[test]
fn crossentropy_of_no_probabilities_is_said() -> cornu::Result<()> {
    cases(|cases| {
        let said = &[Code::NoProbabilities];
        let one = |activation: &str, loss: BinaryCrossentropy| -> cornu::Result<Vec<Code>> {
            codes(&mut last(1, activation, Compile::new().loss(loss))?, features(), classes(2))
        };
        let logits = || BinaryCrossentropy::new().from_logits(true);
        cases.case("relu", one("relu", BinaryCrossentropy::new()), said);
        cases.case("tanh", one("tanh", BinaryCrossentropy::new()), said);
        cases.case("sigmoid", one("sigmoid", BinaryCrossentropy::new()), &[]);
        cases.case("linear", one("linear", BinaryCrossentropy::new()), &[Code::BinaryOnLinear]);
        cases.case("logits cut off", one("relu", logits()), said);
        cases.case("logits", one("linear", logits()), &[]);
        cases.case("logits held", one("tanh", logits()), &[]);
        for loss in ["categorical_crossentropy", "sparse_categorical_crossentropy"] {
            let labels = if loss.starts_with("sparse") {
                ndarray::Array1::from(classes(3)).mapv(|class| class as f32).into_dyn()
            } else {
                to_categorical(classes(3))?
            };
            for (activation, want) in [("relu", &said[..]), ("softmax", &[]), ("sigmoid", &[])] {
                let mut model = last(3, activation, Compile::new().loss(loss))?;
                cases.case(&format!("{loss} {activation}"), codes(&mut model, features(), &labels), want);
            }
        }
        let mut own = sequential![Dense::new(1), Held::new()];
        own.compile(Compile::new().loss("bce"))?;
        cases.case("a layer of one's own", codes(&mut own, features(), classes(2)), &[]);
        Ok(())
    })
}

#[test]
fn features_that_are_not_scaled_are_said() -> cornu::Result<()> {
    cases(|cases| {
        let said = &[Code::UnscaledFeatures];
        let regression = || -> cornu::Result<Sequential> {
            let mut model = sequential![Dense::new(1)];
            model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
            Ok(model)
        };
        let with = |value: f64| {
            let mut x = features();
            x[[7, 1]] = value;
            x
        };
        let history = regression()?.fit(with(846.5), numbers(0.0), Fit::new().verbose(0))?;
        let line = "warning CN019: column 1 of `x` goes from -0.4 to 846.5, where a network learns badly; scale the \
                    features, by `StandardScaler`";
        assert_eq!(history.warnings[0].to_string(), line);
        cases.case("a large column", codes(&mut regression()?, with(846.5), numbers(0.0)), said);
        cases.case("below zero", codes(&mut regression()?, with(-101.0), numbers(0.0)), said);
        cases.case("percents and ages", codes(&mut regression()?, with(100.0), numbers(0.0)), &[]);
        let scaled = StandardScaler::new().fit_transform(with(846.5))?;
        cases.case("scaled", codes(&mut regression()?, scaled, numbers(0.0)), &[]);
        let many = Array2::from_shape_fn((5000, 2), |(row, column)| (row * column) as f64);
        cases.case("many rows", codes(&mut regression()?, many, vec![0.5; 5000]), said);
        Ok(())
    })
}

#[test]
fn images_that_are_not_scaled_are_said() -> cornu::Result<()> {
    cases(|cases| {
        let images = Array3::from_shape_fn((ROWS, 4, 4), |(row, y, x)| ((row * 37 + y * 11 + x * 53) % 256) as u8);
        let pixels = |first: Option<Rescaling>| -> cornu::Result<Sequential> {
            let mut model = Sequential::new();
            if let Some(layer) = first {
                model.add(layer);
            }
            model.add(Flatten::new());
            model.add(Dense::new(1));
            model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.0)))?;
            Ok(model)
        };
        cases.case("pixels", codes(&mut pixels(None)?, &images, numbers(0.0)), &[Code::UnscaledFeatures]);
        let rescaled = Rescaling::new(1.0 / 255.0);
        cases.case("pixels in the model", codes(&mut pixels(Some(rescaled))?, &images, numbers(0.0)), &[]);
        cases.case(
            "pixels divided",
            codes(&mut pixels(None)?, images.mapv(|x| f32::from(x) / 255.0), numbers(0.0)),
            &[],
        );
        Ok(())
    })
}

#[test]
fn labels_of_one_class_are_said() -> cornu::Result<()> {
    cases(|cases| {
        let said = &[Code::OneClass];
        let of = |units: usize, activation: &str, loss: &str| last(units, activation, Compile::new().loss(loss));
        let sparse = "sparse_categorical_crossentropy";
        cases.case("all 1", codes(&mut of(1, "sigmoid", "bce")?, features(), [1; ROWS]), said);
        let mut one_other = [1; ROWS];
        one_other[ROWS - 1] = 0;
        cases.case("all but one", codes(&mut of(1, "sigmoid", "bce")?, features(), one_other), &[]);
        cases.case("one row", codes(&mut of(1, "sigmoid", "bce")?, [[0.0, 0.5, 1.0]], [1]), &[]);
        cases.case("all 2", codes(&mut of(3, "softmax", sparse)?, features(), [2; ROWS]), said);
        let rows = to_categorical_with([2; ROWS], 3)?;
        cases.case("all 2, one-hot", codes(&mut of(3, "softmax", "categorical_crossentropy")?, features(), rows), said);
        cases.case("two classes", codes(&mut of(3, "softmax", sparse)?, features(), classes(2)), &[]);
        let ignoring = Compile::new().loss(SparseCategoricalCrossentropy::new().ignore_class(0));
        cases.case("one beside the ignored", codes(&mut last(3, "softmax", ignoring)?, features(), classes(2)), said);
        cases.case("a flat regression", codes(&mut of(1, "linear", "mse")?, features(), [1.0; ROWS]), &[]);
        cases.case("half a probability", codes(&mut of(1, "sigmoid", "bce")?, features(), [0.5; ROWS]), &[]);
        Ok(())
    })
}

#[test]
fn a_first_line_of_data_is_said() -> cornu::Result<()> {
    let said = |text: &str| -> cornu::Result<Option<String>> {
        Ok(Table::from_csv_str(text)?.warnings().first().map(|warning| warning.message.clone()))
    };
    let message = said("6,148,72.5,1\n1,85,66,0\n")?.expect("numbers above numbers");
    assert_eq!(
        message,
        "the first line, `6,148,72.5,1`, looks like data but was read as column names; if it is, read the file by \
         `Csv::new().header(None)`, else say so by `.header(0)`"
    );
    let mistaken = ["5.1,3.5,setosa\n4.9,3.0,setosa\n", "266.0\n145.9\n", ",2.5\n1,3.5\n", "M,0.45,1\nF,0.53,2\n"];
    for text in mistaken {
        assert!(said(text)?.is_some(), "{text}");
    }
    let names = [
        "age,y\n31,0\n",
        "0,1,2\n5.5,6,7\n",
        "1,2\n5,6\n",
        ",0,1\n0,5,6\n",
        "0\n5\n",
        "country,1990,2000,2010\nchad,1,2,3\n",
        "id,17\n1,2\n",
        "a,b\nx,y\n",
        "5,6.5\n",
    ];
    for text in names {
        assert_eq!(said(text)?, None, "{text}");
    }
    Ok(())
}

#[test]
fn classes_too_small_for_folds_and_splits_are_said() -> cornu::Result<()> {
    let labels = [0, 0, 0, 0, 0, 0, 1, 1, 1, 0];
    let codes = |warnings: Vec<cornu::train::Warning>| warnings.iter().map(|warning| warning.code).collect::<Vec<_>>();
    let folds = |k: usize| StratifiedKFold::new(k).verbose(0);
    assert_eq!(codes(folds(5).warnings(&labels)), [Code::SmallClass]);
    assert_eq!(codes(folds(3).warnings(&labels)), []);
    assert_eq!(
        folds(5).warnings(&labels)[0].message,
        "the smallest class has 3 rows for 5 folds, so that some have none of it; use fewer folds"
    );
    // It is as said.
    let lacking = |k: usize| -> cornu::Result<usize> {
        let parts = folds(k).split(&labels)?;
        Ok(parts.iter().filter(|(_, test)| test.iter().all(|&row| labels[row] == 0)).count())
    };
    assert_eq!((lacking(5)?, lacking(3)?), (2, 0));

    let split = |size: f64| Split::test_size(size).stratify(&labels).random_state(1).verbose(0);
    assert_eq!(codes(split(0.2).warnings(10)), [Code::SmallClass]);
    assert_eq!(codes(split(0.4).warnings(10)), []);
    assert_eq!(codes(Split::test_size(0.2).warnings(10)), []);
    Ok(())
}

/// The lessons say nothing: their features are scaled, their header counts, their losses fit.
#[test]
fn the_lessons_have_no_slips() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 42);
    if let Some(((x, y), _)) = lesson::pima() {
        let mut model = sequential![
            Dense::new(12).activation("relu"),
            Dense::new(8).activation("relu"),
            Dense::new(1).activation("sigmoid")
        ];
        model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
        assert_eq!(codes(&mut model, x, y)?, []);
    }
    if let Some(((x, y), _)) = lesson::mnist() {
        let mut model = sequential![Flatten::new(), Dense::new(16).activation("relu"), Dense::new(10)];
        let loss = SparseCategoricalCrossentropy::new().from_logits(true);
        model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
        let rows: Vec<usize> = (0..600).collect();
        assert_eq!(codes(&mut model, x.rows(&rows), y.rows(&rows))?, []);
    }
    Ok(())
}
