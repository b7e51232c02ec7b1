//! What a beginner gets wrong, what is said, and that doing what the help says is the end of it.

use cornu::data::{Csv, ToArray};
use cornu::model_selection::{KFold, StratifiedKFold};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu_testkit::golden::Report;
use ndarray::{Array1, Array2, Array3};

use crate::seeds::seeded;

const ROWS: usize = 12;

fn features() -> Array2<f64> {
    Array2::from_shape_fn((ROWS, 4), |(row, column)| ((row * 5 + column * 3) % 7) as f64 / 7.0)
}

/// Sequences of three rows with four features.
fn sequences() -> Array3<f64> {
    Array3::from_shape_fn((ROWS, 3, 4), |(row, y, x)| ((row * 5 + y * 3 + x) % 7) as f64 / 7.0)
}

fn classes(count: i64) -> Array1<i64> {
    (0..ROWS as i64).map(|row| (row * 7 + 1) % count).collect()
}

/// A fit of layers with a last one of that many units and that activation.
fn fit(units: usize, activation: &str, loss: &str, x: impl ToArray, y: impl ToArray) -> cornu::Result<()> {
    trained(sequential![Dense::new(3), Dense::new(units).activation(activation)], loss, x, y)
}

fn trained(mut model: Sequential, loss: &str, x: impl ToArray, y: impl ToArray) -> cornu::Result<()> {
    model.compile(Compile::new().loss(loss).metrics(["accuracy"]))?;
    model.fit(x, y, Fit::new().verbose(0)).map(drop)
}

/// Slips: their error ends with that message and help, and the step that the help says works.
#[derive(Default)]
struct Slips(Report);

impl Slips {
    fn slip<T, U>(&mut self, outcome: cornu::Result<T>, want: &str, help: &str, mended: cornu::Result<U>) {
        let got = outcome.err().map_or_else(|| "no error".into(), |error| error.to_string());
        let want = format!("{want}\n  help: {help}");
        let outcome = match mended {
            _ if !got.ends_with(&want) => Err(format!("got\n{got}")),
            Err(error) => Err(format!("the help leads to\n{error}")),
            Ok(_) => Ok(()),
        };
        self.0.case(&want, outcome);
    }
}

fn slips(check: impl FnOnce(&mut Slips) -> cornu::Result<()>) -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut slips = Slips::default();
    check(&mut slips)?;
    slips.0.finish();
    Ok(())
}

/// Sequences need no more than a last layer, behind a `Flatten` where that is what is missing.
fn last(units: usize, activation: &str, flatten: bool) -> Sequential {
    let last = Dense::new(units).activation(activation);
    if flatten { sequential![Flatten::new(), last] } else { sequential![last] }
}

/// An output with more axes than the labels speak of is at fault, for every loss that looks at labels.
#[test]
fn an_output_of_too_many_axes_is_shown() -> cornu::Result<()> {
    slips(|slips| {
        let help = "put a `Flatten` before the last `Dense`, so that the output has one row for each sample";
        let (x, hot) = (sequences(), to_categorical(classes(2))?);
        slips.slip(
            trained(last(2, "softmax", false), "sparse_categorical_crossentropy", &x, classes(2)),
            "fit: `SparseCategoricalCrossentropy` needs one class number for each row of the output, got labels (None, 1) for \
             an output (None, 3, 2)",
            help,
            trained(last(2, "softmax", true), "sparse_categorical_crossentropy", &x, classes(2)),
        );
        slips.slip(
            trained(last(2, "softmax", false), "categorical_crossentropy", &x, &hot),
            "fit: `CategoricalCrossentropy` needs one-hot labels of the output's shape, got labels (None, 2) for an output \
             (None, 3, 2)",
            help,
            trained(last(2, "softmax", true), "categorical_crossentropy", &x, &hot),
        );
        for (loss, class) in [("bce", "BinaryCrossentropy"), ("mse", "MeanSquaredError"), ("mae", "MeanAbsoluteError")]
        {
            slips.slip(
                trained(last(1, "sigmoid", false), loss, &x, classes(2)),
                &format!(
                    "fit: `{class}` needs labels of the output's 1 values a row, got labels (None, 1) for an output (None, 3, 1)"
                ),
                help,
                trained(last(1, "sigmoid", true), loss, &x, classes(2)),
            );
        }
        Ok(())
    })
}

#[test]
fn an_output_of_other_axes_than_the_labels_is_shown() -> cornu::Result<()> {
    slips(|slips| {
        let x = sequences();
        let flat = Array2::from_shape_fn((ROWS, 6), |(row, column)| ((row + column) % 2) as f64);
        slips.slip(
            trained(last(2, "sigmoid", false), "mse", &x, &flat),
            "got labels (None, 6) for an output (None, 3, 2)",
            "put a `Flatten` after the last layer, so that the output has one row for each sample",
            trained(sequential![Dense::new(2).activation("sigmoid"), Flatten::new()], "mse", &x, &flat),
        );
        let images = Array3::from_shape_fn((ROWS, 3, 2), |(row, y, x)| ((row + y + x) % 2) as f64);
        let rows = images.to_shape((ROWS, 6)).expect("as many numbers");
        slips.slip(
            fit(6, "sigmoid", "mse", features(), &images),
            "got labels (None, 3, 2) for an output (None, 6)",
            "reshape `y` to rows of 6 numbers",
            fit(6, "sigmoid", "mse", features(), rows),
        );
        // As many labels as outputs are right, with as many axes.
        let each = Array2::from_shape_fn((ROWS, 3), |(row, y)| ((row + y) % 2) as i64);
        trained(last(2, "softmax", false), "sparse_categorical_crossentropy", &x, &each)?;
        trained(last(2, "softmax", false), "mse", &x, &images)
    })
}

#[test]
fn labels_of_another_form_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (x, sparse, hot) = (features(), "sparse_categorical_crossentropy", to_categorical(classes(3))?);
        slips.slip(
            fit(3, "softmax", sparse, &x, &hot),
            "got labels (None, 3) for an output (None, 3)",
            "for one-hot labels use `categorical_crossentropy`",
            fit(3, "softmax", "categorical_crossentropy", &x, &hot),
        );
        slips.slip(
            fit(2, "softmax", sparse, &x, &hot),
            "got labels (None, 3) for an output (None, 2)",
            "for one-hot labels use `categorical_crossentropy`, and give the last layer 3 units",
            fit(3, "softmax", "categorical_crossentropy", &x, &hot),
        );
        slips.slip(
            fit(2, "softmax", "categorical_crossentropy", &x, &hot),
            "got labels (None, 3) for an output (None, 2)",
            "give the last layer 3 units, one for each class",
            fit(3, "softmax", "categorical_crossentropy", &x, &hot),
        );
        slips.slip(
            fit(3, "softmax", "categorical_crossentropy", &x, classes(3)),
            "got labels (None, 1) for an output (None, 3)",
            "for class numbers use `sparse_categorical_crossentropy`, or `to_categorical` makes them one-hot",
            fit(3, "softmax", sparse, &x, classes(3)),
        );
        slips.slip(
            fit(3, "linear", "mse", &x, classes(2)),
            "got labels (None, 1) for an output (None, 3)",
            "give the last layer 1 unit",
            fit(1, "linear", "mse", &x, classes(2)),
        );
        Ok(())
    })
}

#[test]
fn class_numbers_beyond_the_outputs_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (x, sparse) = (features(), "sparse_categorical_crossentropy");
        slips.slip(
            fit(2, "softmax", sparse, &x, classes(3)),
            "`y` needs class numbers from 0 to 1, got 2 in row 1",
            "give the last layer 3 units, one for each class from 0",
            fit(3, "softmax", sparse, &x, classes(3)),
        );
        slips.slip(
            fit(3, "softmax", sparse, &x, classes(3) + 1),
            "`y` needs class numbers from 0 to 2, got 3 in row 1",
            "the model has 3 outputs, and labels count from 0: take 1 off each label",
            fit(3, "softmax", sparse, &x, classes(3)),
        );
        slips.slip(
            fit(1, "sigmoid", sparse, &x, classes(2)),
            "`y` needs class numbers from 0 to 0, got 1 in row 0",
            "the model has one output: for two classes use `binary_crossentropy`",
            fit(1, "sigmoid", "binary_crossentropy", &x, classes(2)),
        );
        slips.slip(
            fit(3, "softmax", sparse, &x, [0.5; ROWS]),
            "`y` needs class numbers from 0 to 2, got 0.5 in row 0",
            "class numbers are whole; for a regression use the loss `mse`",
            fit(1, "linear", "mse", &x, [0.5; ROWS]),
        );
        let regression = "numbers so large are hardly classes: for a regression use the loss `mse`";
        for (units, activation, loss) in [(3, "softmax", sparse), (1, "sigmoid", "bce")] {
            slips.slip(
                fit(units, activation, loss, &x, classes(2) * 2_000_000_000),
                "got 2000000000 in row 0",
                regression,
                fit(1, "linear", "mse", &x, classes(2) * 2_000_000_000),
            );
        }
        Ok(())
    })
}

#[test]
fn labels_beyond_0_and_1_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let x = &features();
        let with = |y: &Array1<i64>| fit(1, "sigmoid", "bce", x, y);
        slips.slip(
            with(&classes(3)),
            "`binary_crossentropy` needs labels from 0 to 1, got 2 in row 1",
            "for 3 classes use `sparse_categorical_crossentropy`, and a last layer of 3 units with a softmax",
            fit(3, "softmax", "sparse_categorical_crossentropy", x, classes(3)),
        );
        slips.slip(
            with(&(classes(2) + 1)),
            "got 2 in row 0",
            "two classes are 0 and 1: take 1 off each label",
            with(&classes(2)),
        );
        slips.slip(
            with(&(classes(2) * 2 - 1)),
            "got -1 in row 1",
            "two classes are 0 and 1: write 0 for -1",
            with(&classes(2)),
        );
        let prices = classes(5).mapv(|x| x as f64 * 1.5);
        slips.slip(
            fit(1, "sigmoid", "bce", x, &prices),
            "got 1.5 in row 0",
            "for a regression use the loss `mse`",
            fit(1, "sigmoid", "mse", x, &prices),
        );
        let pixels = Array2::from_shape_fn((ROWS, 4), |(row, column)| ((row * 40 + column * 77) % 256) as f64);
        slips.slip(
            fit(4, "sigmoid", "bce", x, &pixels),
            "got 77 in row 0",
            "divide `y` by 255",
            fit(4, "sigmoid", "bce", x, pixels / 255.0),
        );
        Ok(())
    })
}

#[test]
fn tables_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let table = Table::from_csv_str("age,weight\n31,60\n58,81\n")?;
        slips.slip(
            table.column("Wieght"),
            "no column `Wieght`; the table has `age`, `weight`",
            "did you mean `weight`?",
            table.column("weight"),
        );
        slips.slip(
            Table::from_csv_str("a,b\n6,148\n1,2,3\n"),
            "line 3 needs 2 fields as the first line, got 3",
            "put a field with a separator in it in quotation marks, or leave such lines out by \
             `Csv::new().on_bad_lines(\"skip\")`",
            Csv::new().on_bad_lines("skip").from_str("a,b\n6,148\n1,2,3\n"),
        );
        slips.slip(
            Table::from_csv_reader(&b"a,b\n1,caf\xe9\n"[..]),
            "line 2, field 2 needs UTF-8 text, got other bytes",
            "say how the file is encoded, as by `Csv::new().encoding(\"cp1252\")`, or save it as UTF-8 text",
            Csv::new().encoding("cp1252").from_reader(&b"a,b\n1,caf\xe9\n"[..]),
        );
        slips.slip(
            Table::read_csv("htp://example.org/table.csv"),
            "no file `htp://example.org/table.csv`",
            "an address begins with `http://` or `https://`",
            Ok(()),
        );
        #[cfg(unix)]
        assert!(Table::read_csv("/dev/null").is_err_and(|error| error.message().contains("a device")));
        let unpack = "unpack it first, by `bunzip2` in a terminal, and read the file that comes out";
        let packed = Table::from_csv_reader(&b"BZh91AY"[..]);
        slips.slip(packed, "this is a bzip2 file, not a table of text", unpack, Ok(()));
        Ok(())
    })
}

#[test]
fn scalers_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let table = Table::from_csv_str("age,weight\n31,60\n58,81\n")?;
        let mut scaler = StandardScaler::new();
        slips.slip(
            scaler.clone().transform(&table),
            "this `StandardScaler` has learnt nothing yet",
            "call `fit` first",
            scaler.fit(&table).and_then(|()| scaler.transform(&table)),
        );
        slips.slip(
            scaler.transform([44.0, 70.0]),
            "`StandardScaler` needs 2 columns as it was fitted on, got 1",
            "a single row has two brackets, as in `[[1.0, 2.0]]`",
            scaler.transform([[44.0, 70.0]]),
        );
        slips.slip(
            MinMaxScaler::new().fit_transform(sequences()),
            "`MinMaxScaler` needs `[rows, columns]`, got f64[12,3,4]",
            "images are scaled by the first layer of the model: `Rescaling::new(1.0 / 255.0)`",
            sequential![Rescaling::new(1.0 / 255.0)].predict(sequences()),
        );
        Ok(())
    })
}

#[test]
fn scores_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (y, p) = ([0, 1], ndarray::array![[0.25f32], [0.75]]);
        slips.slip(
            accuracy_score(y, &p),
            "`y_pred` needs class labels, got the continuous value 0.25 in row 0",
            "round probabilities first: `y_pred.round()`",
            accuracy_score(y, p.round()),
        );
        let p = ndarray::array![[0.75, 0.25], [0.25, 0.75]];
        slips.slip(
            accuracy_score(y, &p),
            "`y_pred`: one label is needed in each row, got an array of shape [2, 2]",
            "of one score for each class, take the greatest: `argmax(&y_pred)?`",
            accuracy_score(y, argmax(&p)?),
        );
        Ok(())
    })
}

#[test]
fn splits_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (x, y) = (features(), classes(2));
        for size in [20, 12, 0] {
            slips.slip(
                train_test_split(&x, &y, Split::test_size(size)),
                &format!("or a number of rows from 1 to less than all 12, got {size}"),
                "for a fifth of the rows write `test_size(0.2)`",
                train_test_split(&x, &y, Split::test_size(0.2)),
            );
        }
        slips.slip(
            train_test_split(&x, &y, Split::test_size(1).stratify(&y)),
            "a stratified split of 2 classes needs a row of each, got 1 row for testing",
            "make the part for testing 2 rows or more",
            train_test_split(&x, &y, Split::test_size(2).stratify(&y)),
        );
        slips.slip(
            StratifiedKFold::new(7).split(&y),
            "7 stratified folds need a class with 7 rows, got 6 at most",
            "use 6 folds or fewer",
            StratifiedKFold::new(6).split(&y),
        );
        slips.slip(
            StratifiedKFold::new(2).split(&[1, 2, 3]),
            "2 stratified folds need a class with 2 rows, got 1 at most",
            "no two rows are of one class: use `KFold`",
            KFold::new(2).split(3),
        );
        slips.slip(
            KFold::new(2).random_state(1).split(4),
            "`random_state` of folds needs `shuffle(true)`",
            "without shuffling nothing is random; leave `random_state` out",
            KFold::new(2).split(4),
        );
        Ok(())
    })
}

fn quiet() -> Fit {
    Fit::new().verbose(0)
}

fn compiled() -> cornu::Result<Sequential> {
    let mut model = sequential![Dense::new(1).activation("sigmoid")];
    model.compile(Compile::new().loss("bce"))?;
    Ok(model)
}

#[test]
fn calls_in_another_order_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (x, y) = (features(), classes(2));
        slips.slip(
            sequential![Dense::new(1)].fit(&x, &y, quiet()),
            "`fit` needs a compiled model",
            "call `compile` with a loss first",
            compiled()?.fit(&x, &y, quiet()),
        );
        slips.slip(
            sequential![Dense::new(1)].compile(Compile::new()),
            "`compile` needs a loss",
            "for example `.loss(\"binary_crossentropy\")`",
            compiled(),
        );
        slips.slip(
            compiled()?.fit(&x, &y, quiet().validation_split(20.0)),
            "`validation_split` needs a part from 0 to 1, got 20",
            "0.2 keeps the last fifth of the rows for validation",
            compiled()?.fit(&x, &y, quiet().validation_split(0.2)),
        );
        slips.slip(
            compiled()?.set_learning_rate(0.5),
            "the model has not been trained or evaluated yet",
            "give the learning rate to the optimizer: `Adam::new().learning_rate(0.01)`",
            compiled()?.compile(Compile::new().loss("bce").optimizer(Adam::new().learning_rate(0.01))),
        );
        Ok(())
    })
}

#[test]
fn rows_that_lie_otherwise_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let (x, y) = (features(), classes(2));
        let mut model = compiled()?;
        model.fit(&x, &y, quiet())?;
        let error = model.predict([1.0, 2.0, 3.0, 4.0]).err();
        slips.slip(
            error.map_or(Ok(()), Err),
            "was built for inputs of 4 features, got 1",
            "a single row has two brackets, as in `[[1.0, 2.0]]`",
            model.predict([[1.0, 2.0, 3.0, 4.0]]),
        );
        slips.slip(
            model.fit(x.t(), &y, quiet()),
            "`x` and `y` need the same number of rows, got 4 and 12",
            "each row of `x` is one sample: turn columns into rows by `x.t()`",
            model.fit(x.t().t(), &y, quiet()),
        );
        Ok(())
    })
}

#[test]
fn models_that_are_not_finished_are_mended() -> cornu::Result<()> {
    slips(|slips| {
        let named =
            |name: &str| sequential![Dense::new(1).name("a").input_shape([2]), Dense::new(1).name(name)].check();
        let two = "give one of them another name, by `.name(…)`";
        slips.slip(named("a"), "has two layers named `a`", two, named("b"));
        slips.slip(
            Sequential::new().predict(features()),
            "has no layers",
            "add a layer",
            sequential![Dense::new(1)].predict(features()),
        );
        let unbuilt = "give the first layer an `input_shape`, call `build([features])`, or fit the model to data";
        slips.slip(
            sequential![Dense::new(1)].set_weights(&[]),
            "is not built",
            unbuilt,
            sequential![Dense::new(1)].build([4]),
        );
        Ok(())
    })
}
