//! Mistakes that Keras lets pass in silence, or reports in riddles: what is said of each.

use cornu::choice::Choice;
use cornu::losses::Reduction;
use cornu::metrics;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::registry::Family;
use cornu::train::Code;
use cornu::{Cx, Error, ErrorKind, Tensor};
use cornu_testkit::golden::Report;
use ndarray::Array2;

use crate::names::short;
use crate::seeds::seeded;

const ROWS: usize = 12;

fn features() -> Array2<f64> {
    Array2::from_shape_fn((ROWS, 4), |(row, column)| ((row * 5 + column * 3) % 7) as f64 / 7.0 - 0.4)
}

fn classes(count: i64) -> Vec<i64> {
    (0..ROWS as i64).map(|row| (row * 7 + 1) % count).collect()
}

/// A model of four features whose last layer has that many units and that activation.
fn model(units: usize, activation: &str) -> Sequential {
    sequential![Dense::new(3).input_shape([4]).activation("relu"), Dense::new(units).activation(activation)]
}

fn compiled(units: usize, activation: &str, loss: &str) -> cornu::Result<Sequential> {
    let mut model = model(units, activation);
    model.compile(Compile::new().loss(loss).optimizer("sgd").metrics(["accuracy"]))?;
    Ok(model)
}

fn quiet() -> Fit {
    Fit::new().batch_size(4).verbose(0)
}

/// Notes whether an outcome is an error with that text.
fn refused<T>(report: &mut Report, outcome: cornu::Result<T>, want: &str) {
    let got = outcome.err().map_or_else(|| "no error".to_owned(), |error: Error| error.to_string());
    report.case(want.lines().next().unwrap_or(want), if got == want { Ok(()) } else { Err(format!("got\n{got}")) });
}

/// What is said of a loss, a metric or an optimizer of that name, and of one that is near.
fn unknown<T: ?Sized + Family>(name: &str, near: &str) -> String {
    // These names are no metrics, but choose one by the shapes.
    let by_shapes = if T::WHAT == "metric" { "`accuracy`, `acc`, `crossentropy`, `ce`, " } else { "" };
    let known = short(T::names());
    format!("compile: unknown {} `{name}`; there are {by_shapes}{known}\n  help: did you mean `{near}`?", T::WHAT)
}

/// Runs cases that are refused, while seeds and names are theirs alone.
fn refusals(check: impl FnOnce(&mut Report) -> cornu::Result<()>) -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut report = Report::default();
    check(&mut report)?;
    report.finish();
    Ok(())
}

#[test]
fn what_needs_a_compiled_or_trained_model_says_so() -> cornu::Result<()> {
    refusals(|report| {
        let x = features();
        refused(
            report,
            model(1, "sigmoid").fit(&x, &classes(2), quiet()),
            "`fit` needs a compiled model\n  help: call `compile` with a loss first",
        );
        refused(
            report,
            model(1, "sigmoid").evaluate(&x, &classes(2)),
            "`evaluate` needs a compiled model\n  help: call `compile` with a loss first",
        );
        let early = compiled(1, "sigmoid", "bce")?.set_learning_rate(0.5);
        refused(
            report,
            early,
            "the model has not been trained or evaluated yet\n  help: give the learning rate to the optimizer: `Adam::new().learning_rate(0.01)`",
        );
        Ok(())
    })
}

#[test]
fn what_compile_does_not_know_is_refused() -> cornu::Result<()> {
    refusals(|report| {
        refused(
            report,
            model(1, "sigmoid").compile(Compile::new()),
            "`compile` needs a loss\n  help: for example `.loss(\"binary_crossentropy\")`",
        );
        refused(
            report,
            compiled(1, "sigmoid", "binary_crosentropy"),
            &unknown::<dyn Loss>("binary_crosentropy", "binary_crossentropy"),
        );
        refused(
            report,
            model(1, "sigmoid").compile(Compile::new().loss("mse").optimizer("adamm")),
            &unknown::<dyn Optimizer>("adamm", "adam"),
        );
        refused(
            report,
            model(1, "sigmoid").compile(Compile::new().loss("mse").metrics(["binary_acuracy"])),
            &unknown::<dyn Metric>("binary_acuracy", "binary_accuracy"),
        );
        refused(
            report,
            model(1, "sigmoid").compile(Compile::new().loss("mse").metrics(["acuracy"])),
            &unknown::<dyn Metric>("acuracy", "accuracy"),
        );
        refused(
            report,
            model(1, "sigmoid").compile(Compile::new().loss("mse").metrics(["mae", "mae"])),
            "compile: two figures are called `mae`\n  help: give one of the metrics another name, by `.name(…)`",
        );
        let none = MeanSquaredError::new().reduction(Reduction::None);
        refused(
            report,
            model(1, "linear").compile(Compile::new().loss(none)),
            "compile: training needs one number, but `MeanSquaredError` has the reduction `none`\n  help: use the reduction `sum_over_batch_size`",
        );
        Ok(())
    })
}

#[test]
fn labels_that_the_loss_cannot_take_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let fit = |units, activation, loss, y: &[i64]| compiled(units, activation, loss)?.fit(&features(), y, quiet());
        refused(
            report,
            fit(1, "sigmoid", "bce", &classes(2)[..9]),
            "`x` and `y` need the same number of rows, got 12 and 9\n  help: give `y` one label for each row of `x`",
        );
        refused(
            report,
            fit(3, "softmax", "sparse_categorical_crossentropy", &[1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]),
            "fit: `y` needs class numbers from 0 to 2, got 3 in row 2\n  help: the model has 3 outputs, and labels count from 0: take 1 off each label",
        );
        refused(
            report,
            fit(3, "softmax", "categorical_crossentropy", &classes(3)),
            "fit: `CategoricalCrossentropy` needs one-hot labels of the output's shape, got labels (None, 1) for an output (None, 3)\n  help: for class numbers use `sparse_categorical_crossentropy`, or `to_categorical` makes them one-hot",
        );
        refused(
            report,
            fit(3, "linear", "mse", &classes(3)),
            "fit: `MeanSquaredError` needs labels of the output's 3 values a row, got labels (None, 1) for an output (None, 3)\n  help: give the last layer 1 unit",
        );
        refused(
            report,
            fit(1, "sigmoid", "bce", &classes(3)),
            "fit: `binary_crossentropy` needs labels from 0 to 1, got 2 in row 1\n  help: for 3 classes use `sparse_categorical_crossentropy`, and a last layer of 3 units with a softmax",
        );
        Ok(())
    })
}

#[test]
fn numbers_that_teach_nothing_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let x = features();
        let mut holed = features();
        holed[[5, 2]] = f64::NAN;
        refused(
            report,
            compiled(1, "sigmoid", "bce")?.fit(&holed, &classes(2), quiet()),
            "`x` needs finite numbers, got NaN in row 5, column 2\n  help: drop such rows, or fill the gaps with the mean of their column",
        );
        refused(
            report,
            compiled(1, "sigmoid", "bce")?.fit(&x, &classes(2), quiet().validation_data(&holed, &classes(2))),
            "fit: `validation_data`: `x` needs finite numbers, got NaN in row 5, column 2\n  help: drop such rows, or fill the gaps with the mean of their column",
        );
        let mut y = vec![0.5; ROWS];
        y[7] = f64::INFINITY;
        refused(
            report,
            compiled(1, "linear", "mse")?.fit(&x, &y, quiet()),
            "`y` needs finite numbers, got inf in row 7\n  help: drop such rows, or scale the numbers: above 3.4e38 they are infinite in `f32`",
        );
        refused(
            report,
            compiled(1, "linear", "mse")?.fit(&Array2::<f64>::zeros((0, 4)), &Vec::<f64>::new(), quiet()),
            "`x` needs at least one row, got none",
        );
        Ok(())
    })
}

#[test]
fn settings_of_a_fit_that_cannot_be_right_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let with = |settings: Fit| compiled(1, "sigmoid", "bce")?.fit(&features(), &classes(2), settings);
        refused(report, with(quiet().batch_size(0)), "fit: `batch_size` needs a whole number above 0, got 0");
        refused(
            report,
            with(quiet().validation_split(1.0)),
            "fit: `validation_split` needs a part from 0 to 1, got 1\n  help: 0.2 keeps the last fifth of the rows for validation",
        );
        refused(
            report,
            with(quiet().validation_split(0.99)),
            "fit: a `validation_split` of 0.99 of 12 rows leaves none to train on\n  help: give `validation_data` instead",
        );
        refused(
            report,
            with(quiet().sample_weight(&[1.0, 2.0])),
            "`sample_weight` needs one weight for each of 12 rows, got [2]",
        );
        refused(
            report,
            with(quiet().sample_weight(&[-0.5; ROWS])),
            "`sample_weight` needs weights of 0 or more, got -0.5 in row 0",
        );
        refused(
            report,
            compiled(1, "linear", "mse")?.fit(&features(), &[0.5; ROWS], quiet().class_weight([(0, 1.0)])),
            "`class_weight` needs labels that are classes, got fractions in `y`\n  help: to weigh the rows of a regression use `sample_weight`",
        );
        Ok(())
    })
}

#[test]
fn shapes_and_names_that_cannot_be_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let first = |layer: Dense| sequential![layer.name("a")].compile(Compile::new().loss("mse"));
        refused(
            report,
            first(Dense::new(1).input_shape([0])),
            "layer `a`: an input needs sizes of at least 1, got (None, 0)",
        );
        refused(
            report,
            sequential![Dense::new(1).name("a\nb")].compile(Compile::new().loss("mse")),
            "layer `a\nb`: a layer needs a name without `/` and line breaks, got \"a\\nb\"",
        );
        let none = sequential![Dense::new(1)].predict(&Array2::<f64>::zeros((2, 0)));
        refused(report, none, "an input needs sizes of at least 1, got (None, 0)");
        for units in [usize::MAX, 1 << 50] {
            let error = first(Dense::new(units).input_shape([4])).expect_err("no machine has room for it").to_string();
            let fits = error.starts_with("a: weight `kernel`: a weight of shape [4,");
            report.case("a wide layer", if fits { Ok(()) } else { Err(error) });
        }
        let narrow = compiled(1, "sigmoid", "bce")?.fit(&Array2::<f64>::zeros((ROWS, 3)), &classes(2), quiet());
        let message = narrow.err().map(|error| error.to_string()).unwrap_or_default();
        report.case(
            "features",
            if message.contains("dense") && message.contains('4') && message.contains('3') {
                Ok(())
            } else {
                Err(message)
            },
        );
        Ok(())
    })
}

#[test]
fn settings_of_optimizers_that_cannot_be_right_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let by = |optimizer: Choice<dyn Optimizer>| {
            model(1, "linear").compile(Compile { optimizer, ..Compile::new().loss("mse") })
        };
        for (optimizer, want) in [
            (SGD::new().momentum(2.0).into(), "compile: `SGD.momentum` needs a number from 0 to 1, got 2"),
            (RMSprop::new().rho(1.5).into(), "compile: `RMSprop.rho` needs a number from 0 to 1, got 1.5"),
            (RMSprop::new().rho(f64::NAN).into(), "compile: RMSprop.rho: needs a finite number, got NaN"),
            (Adam::new().beta_2(-0.5).into(), "compile: `Adam.beta_2` needs a number from 0 to 1, got -0.5"),
            (Adam::new().weight_decay(-1.0).into(), "compile: `Adam.weight_decay` needs a number of 0 or more, got -1"),
            (SGD::new().learning_rate(f64::NAN).into(), "compile: SGD.learning_rate: needs a finite number, got NaN"),
        ] {
            refused(report, by(optimizer), want);
        }
        // Infinite in single precision.
        assert_eq!(by(SGD::new().learning_rate(1e40).into()).expect_err("too large").kind(), ErrorKind::Usage);

        Ok(())
    })
}

#[test]
fn settings_of_layers_that_do_not_fit_their_input_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let trained = |mut layers: Sequential| {
            layers.add(Dense::new(1));
            layers.compile(Compile::new().loss("mse"))?;
            layers.fit(&features(), &classes(2), quiet())
        };
        let noise = |shape: Vec<Option<usize>>| trained(sequential![Dropout::new(0.5).name("d").noise_shape(shape)]);
        let needed = "d: `noise_shape` needs 1, or the size of the input, along each axis";
        refused(report, noise(vec![None, Some(3)]), &format!("{needed}, got [4,3] for [4,4]"));
        refused(
            report,
            noise(vec![Some(1), None, Some(usize::MAX)]),
            &format!("{needed}, got [1,4,18446744073709551615] for [4,4]"),
        );
        let scaled = trained(sequential![Rescaling::new([1.0, 2.0]).name("r")]);
        refused(report, scaled, "r: `scale` needs 1 number, or 4 for the last axis, got 2");
        Ok(())
    })
}

#[test]
fn rows_of_another_width_than_the_first_are_refused() -> cornu::Result<()> {
    refusals(|report| {
        let wide = quiet().validation_data(&Array2::<f64>::zeros((3, 5)), &[0, 1, 0]);
        clear_session();
        refused(
            report,
            compiled(1, "sigmoid", "bce")?.fit(&features(), &classes(2), wide),
            "fit: `validation_data`: layer `dense` was built for inputs of 4 features, got 5",
        );
        refused(
            report,
            sequential![Dense::new(1).name("a").input_shape([4])].predict(&[0.5, 1.0, 1.5, 2.0]),
            "layer `a` was built for inputs of 4 features, got 1\n  help: a single row has two brackets, as in `[[1.0, 2.0]]`",
        );
        Ok(())
    })
}

cornu::config! {
    /// Adds up each row, or all of them.
    "tests" pub layer Total {
        /// Whether all rows are added up.
        all: bool,
    }
}

impl Layer for Total {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        if self.all { x.sum_all() } else { x.sum([-1]) }
    }
}

/// Layers of one's own may give fewer axes than those of Keras.
#[test]
fn outputs_without_axes_are_explained() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (x, mut report) = (features(), Report::default());
    let losses = ["mse", "bce", "categorical_crossentropy", "sparse_categorical_crossentropy"];
    for loss in losses {
        let total = |all: bool| {
            let mut model = Sequential::named("m");
            model.add(Total::new(all));
            model.compile(Compile::new().loss(loss).metrics(["accuracy"]))?;
            model.fit(&x, &classes(1), quiet())
        };
        let needed = "fit: model `m` needs an output of one row for each row of input, got [] for 1";
        refused(&mut report, total(true), &format!("{needed}\n  help: a layer must keep the first axis"));
        let of_rows = total(false).map_or_else(|error| error.kind() == ErrorKind::Data, |history| history.epoch == [0]);
        report.case(loss, if of_rows { Ok(()) } else { Err("neither trained nor refused".into()) });
    }
    let all = || sequential![Total::new(true)];
    assert!(all().predict(&x).is_err());
    assert!(all().predict_with(&x, Predict::new().batch_size(5).verbose(0)).is_err());
    report.finish();
    Ok(())
}

/// Cases of a fit and the warnings that it gives.
#[derive(Default)]
struct Warned(Report);

impl Warned {
    fn case(&mut self, name: &str, mut model: Sequential, fit: (&[i64], Fit), want: &[Code]) -> cornu::Result<()> {
        let (y, settings) = fit;
        let history = model.fit(&features(), y, settings)?;
        let got: Vec<Code> = history.warnings.iter().map(|warning| warning.code).collect();
        self.0.case(name, if got == want { Ok(()) } else { Err(format!("got {got:?}, want {want:?}")) });
        Ok(())
    }
}

#[test]
fn a_last_layer_or_loss_that_is_probably_a_mistake_is_a_warning() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (two, three, mut warned) = (classes(2), classes(3), Warned::default());
    let (two, three) = (|| (&two[..], quiet()), || (&three[..], quiet()));
    let (one, sparse) = ("categorical_crossentropy", "sparse_categorical_crossentropy");
    let with = |units, activation: &str, settings: Compile| -> cornu::Result<Sequential> {
        let mut model = model(units, activation);
        model.compile(settings.optimizer("sgd"))?;
        Ok(model)
    };
    warned.case("nothing wrong", compiled(1, "sigmoid", "bce")?, two(), &[])?;
    warned.case("softmax of one", compiled(1, "softmax", "bce")?, two(), &[Code::SoftmaxOverOne])?;
    warned.case("linear, binary", compiled(1, "linear", "bce")?, two(), &[Code::BinaryOnLinear])?;
    warned.case("linear, classes", compiled(3, "linear", sparse)?, three(), &[Code::CategoricalOnLinear])?;
    let logits = Compile::new().loss(SparseCategoricalCrossentropy::new().from_logits(true));
    warned.case("logits", with(3, "linear", logits.clone())?, three(), &[])?;
    warned.case("logits twice", with(3, "softmax", logits)?, three(), &[Code::LogitsOfProbabilities])?;
    warned.case("one class", compiled(1, "sigmoid", one)?, two(), &[Code::CategoricalOverOne])?;
    let exact = Compile::new().loss("bce").metrics([metrics::Accuracy::new()]);
    warned.case("exact", with(1, "sigmoid", exact)?, two(), &[Code::AccuracyOfProbabilities])?;
    warned.0.finish();
    Ok(())
}

#[test]
fn a_setting_of_a_fit_that_is_probably_a_mistake_is_a_warning() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let (y, mut warned) = (classes(2), Warned::default());
    let binary = || compiled(1, "sigmoid", "bce");
    let some = quiet().class_weight([(0, 0.5)]);
    warned.case("class weight", binary()?, (&y, some), &[Code::ClassWithoutWeight])?;
    let more = quiet().class_weight([(0, 0.5), (1, 0.5), (7, 2.0)]);
    warned.case("a class too many", binary()?, (&y, more), &[Code::WeightWithoutClass])?;
    let mut exploding = model(1, "linear");
    exploding.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(1e30)))?;
    warned.case("not a number", exploding, (&y, quiet().epochs(3)), &[Code::LossNotFinite])?;
    let sorted: Vec<i64> = (0..ROWS as i64).map(|row| row / 6).collect();
    warned.case("sorted", binary()?, (&sorted, quiet().validation_split(0.25)), &[Code::SortedLabels])?;
    warned.0.finish();
    Ok(())
}

/// What Keras allows stays allowed.
#[test]
fn odd_but_good_arguments_work() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let x = features();
    let mut model = compiled(1, "sigmoid", "bce")?;
    let none = model.fit(&x, &classes(2), quiet().epochs(0))?;
    assert_eq!((none.epoch.len(), none.keys().len()), (0, 0));
    let once = model.fit(&x, &classes(2), quiet().epochs(3).initial_epoch(2))?;
    assert_eq!(once.epoch, [2]);
    let every_other = quiet().epochs(4).validation_data(&x, &classes(2)).validation_freq(2);
    assert_eq!(model.fit(&x, &classes(2), every_other)?["val_loss"].len(), 2);
    assert_eq!(model.predict(&x)?.shape(), [ROWS, 1]);
    assert_eq!(model.predict_with(&x, Predict::new().batch_size(5))?, model.predict(&x)?);
    let error = model.predict_with(&x, Predict::new().batch_size(0)).expect_err("no rows in a batch");
    assert_eq!(error.kind(), ErrorKind::Usage);
    let before = model.test_on_batch(&x, &classes(2))?["loss"];
    let same = model.evaluate_with(&x, &classes(2), Evaluate::new().verbose(0).batch_size(ROWS))?["loss"];
    assert_eq!(model.train_on_batch(&x, &classes(2))?["loss"], before);
    assert_eq!(before, same);
    assert!(model.test_on_batch(&x, &classes(2))?["loss"] < before);
    Ok(())
}

#[test]
fn a_loss_of_ones_own_is_differentiated() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(1).input_shape([1]).use_bias(false)];
    let quartic = loss("quartic", |y, p| (y - p).square().square().mean([-1]));
    model.compile(Compile::new().loss(quartic).optimizer(SGD::new().learning_rate(0.5)))?;
    model.set_weights(&[ndarray::array![[2.0f32]].into_dyn()])?;
    model.train_on_batch(&[[1.0]], &[1.0])?;
    // d/dw (1 - w)^4 = 4 (w - 1)^3
    assert_eq!(model.weights()[0][[0, 0]], 2.0 - 0.5 * 4.0);
    assert_eq!(model.learning_rate()?, 0.5);
    model.set_learning_rate(0.0)?;
    model.train_on_batch(&[[1.0]], &[1.0])?;
    assert_eq!(model.weights()[0][[0, 0]], 0.0);
    Ok(())
}
