//! Losses, metrics and layers of one's own: mixed element types as in Keras, and mistakes at the line of whoever made
//! them, never a panic.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};

use cornu::losses::{Custom, Loss, Reduction, SparseCategoricalCrossentropy};
use cornu::metrics::{self, Metric};
use cornu::prelude::*;
use cornu::{Cx, DType, Error, Tensor};
use cornu_graph::{Trace, Type, gradients};
use cornu_testkit::bits::Bits;
use cornu_testkit::golden::Report;

use crate::seeds::seeded;

fn features(rows: usize) -> Vec<[f64; 2]> {
    (0..rows).map(|row| [(row % 3) as f64 - 0.5, (row % 2) as f64]).collect()
}

/// Keras 3.15: `keras.losses` of `y * 0.9 + 0.05` is the same number for whole labels and for floats.
#[test]
fn fractions_beside_whole_labels_are_kept() -> cornu::Result<()> {
    let x = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]];
    let loss_of = |whole: bool, loss: Custom| -> cornu::Result<f64> {
        let _turn = seeded(cornu::random::Flavor::Keras2, 1);
        let mut model = sequential![Dense::new(1).activation("sigmoid").input_shape([2])];
        model.compile(Compile::new().optimizer("sgd").loss(loss))?;
        let floats = [[1.0], [0.0], [1.0], [0.0]];
        let logs = if whole {
            model.test_on_batch(&x, &floats.map(|[y]| [y as i64]))
        } else {
            model.test_on_batch(&x, &floats)
        };
        Ok(logs?["loss"])
    };
    let losses: [fn(&Tensor, &Tensor) -> Tensor; 5] = [
        |y, p| ((y * 0.9 + 0.05).cast(p.dtype()) - p).square().mean([-1]),
        |y, p| (0.5 - y - p).square().mean([-1]),
        |y, p| (y - p).square().square().mean([-1]),
        |y, p| y.mean([-1]) / 2.0 + p.mean([-1]),
        |y, p| y.gt(0.5).select(p, 0.25).mean([-1]) + y.maximum(0.5).mean([-1]),
    ];
    for (number, each) in losses.into_iter().enumerate() {
        let (whole, float) = (loss_of(true, loss("own", each))?, loss_of(false, loss("own", each))?);
        assert_eq!(whole, float, "loss {number}");
    }
    let smooth = loss_of(true, loss("smooth", losses[0]))?;
    assert!((smooth - 0.1158).abs() < 5e-5, "{smooth}");
    Ok(())
}

/// What a closure gives: a model is trained and evaluated with it on labels of each kind.
fn run(loss: &Custom, labels: usize) -> cornu::Result<f64> {
    let _turn = seeded(cornu::random::Flavor::Keras3, 3);
    let (rows, units) = (5, if labels == 2 { 3 } else { 1 });
    let mut model = sequential![Dense::new(4).input_shape([2]), Dense::new(units).activation("sigmoid")];
    model.compile(Compile::new().optimizer("adam").loss(loss.clone()))?;
    let (x, fit) = (features(rows), Fit::new().verbose(0).batch_size(2).epochs(2));
    let quiet = Evaluate::new().verbose(0);
    let weights: Vec<f64> = (0..rows).map(|row| row as f64 / 4.0).collect();
    match labels {
        0 => {
            let y: Vec<[i64; 1]> = (0..rows as i64).map(|row| [row % 2]).collect();
            model.fit(&x, &y, fit.sample_weight(&weights))?;
            Ok(model.evaluate_with(&x, &y, quiet)?["loss"])
        }
        1 => {
            let y: Vec<[f64; 1]> = (0..rows).map(|row| [row as f64 / 4.0]).collect();
            model.fit(&x, &y, fit)?;
            Ok(model.evaluate_with(&x, &y, quiet)?["loss"])
        }
        _ => {
            let y: Vec<i64> = (0..rows as i64).map(|row| row % 3).collect();
            model.fit(&x, &y, fit)?;
            Ok(model.evaluate_with(&x, &y, quiet)?["loss"])
        }
    }
}

/// A loss, made where it is called.
#[track_caller]
fn own(each: impl Fn(&Tensor, &Tensor) -> Tensor + Send + Sync + 'static) -> Custom {
    loss("own", each)
}

macro_rules! closures {
    ($($name:ident: $outcome:ident $loss:expr;)*) => {
        /// Odd losses and what becomes of them, each on a line that begins with its name.
        #[allow(unused_variables)]
        fn closures() -> Vec<(&'static str, &'static str, Custom)> {
            vec![$((stringify!($name), stringify!($outcome), $loss),)*]
        }
    };
}

closures! {
    squares: works own(|y, p| (y - p).square().mean([-1]));
    mean_axis_five: fails own(|y, p| p.mean([5]));
    mean_axis_minus_five: fails own(|y, p| (y - p).square().mean([-5]));
    mean_many_axes: works own(|y, p| (y - p).mean([0, 1, -1, -2, 0]));
    mean_of_scalar: fails own(|y, p| (y - p).sum_all().mean([-1]));
    sum_of_scalar: fails own(|y, p| (y - p).sum_all().sum([0]));
    max_axis: fails own(|y, p| p.argmax(3).cast(DType::F32));
    argmax_of_scalar: fails own(|y, p| p.sum_all().argmax(-1));
    the_truth: works own(|y, p| y.clone());
    the_prediction: works own(|y, p| p.clone());
    scalar: works own(|y, p| (y.sum_all() - p.sum_all()).square());
    constant: works own(|y, p| p.number(1.0));
    without_prediction: works own(|y, p| y.cast(DType::F32).square().mean([-1]));
    without_truth: works own(|y, p| p.square().mean([-1]));
    whole_result: works own(|y, p| y.cast(DType::I64).sum([-1]));
    whole_scalar: works own(|y, p| (p * 100.0).cast(DType::I32).sum_all());
    small_whole_result: works own(|y, p| (p * 100.0).cast(DType::U8));
    truth_value_result: works own(|y, p| p.gt(0.5));
    truth_value_scalar: works own(|y, p| p.sum_all().gt(0.5));
    double_result: works own(|y, p| (y.cast(DType::F64) - p).square().mean([-1]));
    mean_of_whole: works own(|y, p| y.mean([0]) + p.mean([0]));
    sum_of_whole: works own(|y, p| y.sum_all() + p.sum_all());
    mean_of_truth_values: works own(|y, p| p.gt(0.5).mean([-1]) + p.mean([-1]));
    sum_of_truth_values: works own(|y, p| p.gt(0.5).sum([-1]) * p.mean([-1]));
    max_of_truth_values: fails own(|y, p| p.gt(0.5).maximum(p.lt(0.1)).mean([-1]));
    exp_of_whole: works own(|y, p| y.exp().mean([-1]));
    softmax_of_whole: works own(|y, p| y.cast(DType::I64).softmax(-1).mean([-1]));
    softmax_of_scalar: fails own(|y, p| p.sum_all().softmax(-1));
    softmax_axis: fails own(|y, p| p.softmax(4).mean([-1]));
    softmax_twice: works own(|y, p| (p.softmax(-1).softmax(0) - y).square().mean([-1]));
    log_of_negative: works own(|y, p| (p - 5.0).log().mean([-1]));
    sqrt_of_zero: works own(|y, p| (p * 0.0).sqrt().mean([-1]));
    half_power: works own(|y, p| y.pow(0.5).mean([-1]) * p.mean([-1]));
    power_of_whole: works own(|y, p| y.cast(DType::I64).pow(2).mean([-1]));
    transposed: works own(|y, p| (y - p).transpose(&[1, 0]));
    transposed_wrongly: fails own(|y, p| (y - p).transpose(&[0, 0]));
    transposed_too_far: fails own(|y, p| p.transpose(&[0, 1, 2, 3]));
    transposed_by_nothing: fails own(|y, p| p.transpose(&[]));
    dot: fails own(|y, p| y.dot(p));
    dot_of_transposes: works own(|y, p| (y - p).dot_as(&(y - p), false, true).mean([-1]));
    dot_of_scalars: fails own(|y, p| y.sum_all().dot(&p.sum_all()));
    dot_of_rows: fails own(|y, p| p.sum([-1]).dot(&p.sum([-1])));
    dot_of_mixed: works own(|y, p| y.cast(DType::I32).dot_as(p, true, false).mean([-1]));
    reshape_flat: works own(|y, p| (y - p).reshape([(y - p).shape().size()]));
    reshape_wrong: fails own(|y, p| p.reshape([7, 13]));
    reshape_huge: fails own(|y, p| p.reshape([usize::MAX, usize::MAX]));
    reshape_to_nothing: fails own(|y, p| p.reshape([0]));
    new_axis: either own(|y, p| (y - p).reshape([p.dim(0), 1, 1, 1]).mean([-1]));
    broadcast_wrong: fails own(|y, p| p.broadcast([3, 3, 3], &[9]));
    broadcast_huge: fails own(|y, p| p.sum_all().broadcast([1 << 40, 1 << 40], &[]));
    broadcast_down: fails own(|y, p| p.broadcast_to([1]));
    broadcast_up: either own(|y, p| (y - p).sum_all().broadcast_to([4, 4, 4]));
    shapes_that_do_not_fit: fails own(|y, p| p + p.reshape([p.dim(0), 1]).broadcast_to([p.dim(0), 7]).transpose(&[1, 0]));
    one_hot_of_floats: works own(|y, p| (p.one_hot(3).cast(DType::F32) - 0.5).sum([-1]));
    one_hot_of_labels: works own(|y, p| y.one_hot(3).select(1.0, 0.0).sum_all() + p.sum_all());
    one_hot_of_nothing: works own(|y, p| y.one_hot(0).cast(DType::F32).sum([-1]));
    one_hot_huge: fails own(|y, p| y.one_hot(usize::MAX).cast(DType::F32).sum([-1]));
    select_of_mixed: works own(|y, p| y.gt(0.5).select(p, y).mean([-1]));
    select_of_numbers: works own(|y, p| p.gt(0.5).select(1.0, 0).mean([-1]));
    select_without_condition: fails own(|y, p| p.select(y, p).mean([-1]));
    select_of_other_shapes: works own(|y, p| p.gt(0.5).select(p.reshape([p.shape().size(), 1, 1]), y));
    not_of_numbers: fails own(|y, p| p.not().cast(DType::F32));
    and_of_numbers: fails own(|y, p| p.and(y).cast(DType::F32));
    and_of_both: works own(|y, p| p.gt(0.5).and(y.gt(0.5)).select(p, 0.0).mean([-1]));
    number_nan: works own(|y, p| p * f64::NAN);
    number_infinite: works own(|y, p| (p + f64::INFINITY).mean([-1]));
    number_huge_beside_whole: works own(|y, p| y * 1e300 + p);
    number_huge_whole: works own(|y, p| y * i64::MAX + p);
    number_too_large_for_u8: fails own(|y, p| p.cast(DType::U8) + 300);
    number_of_whole: fails own(|y, p| y.cast(DType::I64).number(0.5) + p);
    clip_of_whole: fails own(|y, p| y.cast(DType::I64).clip(0.1, 0.9) + p);
    clip_backwards: works own(|y, p| p.clip(0.9, 0.1).mean([-1]));
    division_by_zero: works own(|y, p| (y / 0.0 - p).mean([-1]));
    division_of_whole: works own(|y, p| (y.cast(DType::I64) / 2 - p).square().mean([-1]));
    without_nan: works own(|y, p| p.div_no_nan(&(p * 0.0)).mean([-1]));
    stopped: works own(|y, p| (y - p.stop_gradient()).square().mean([-1]));
    gradient_inside: works own(|y, p| gradients(&p.square().sum_all(), std::slice::from_ref(p)).remove(0).mean([-1]));
    gradient_of_rows: fails own(|y, p| gradients(p, std::slice::from_ref(p)).remove(0));
    gradient_of_whole: fails own(|y, p| gradients(&y.cast(DType::I64).sum_all(), std::slice::from_ref(p)).remove(0));
    gradient_by_truth: works own(|y, p| gradients(&(y - p).square().sum_all(), std::slice::from_ref(y)).remove(0).mean([-1]));
    nested_scopes: fails own(|y, p| p.trace().scope("a", || p.trace().scope("b", || p.mean([9]))));
    noted: fails own(|y, p| { p.trace().fail(Error::usage("no").at(Location::caller())); p.clone() });
    random_of_floats: fails own(|y, p| p.random_uniform([2]));
    random_of_words: fails own(|y, p| p.cast(DType::U32).random_advance(3).cast(DType::F32));
    iota: works own(|y, p| p.trace().iota(Type::f32(p.shape()), 1) - p);
    iota_axis: fails own(|y, p| p.trace().iota(Type::f32([2]), 3));
    another_loss: works own(|y, p| SparseCategoricalCrossentropy::new().call(y, p));
    another_loss_of_scalars: fails own(|y, p| SparseCategoricalCrossentropy::new().call(&y.sum_all(), &p.sum_all()));
    many_axes: works own(|y, p| p.reshape([p.dim(0), p.dim(1), 1, 1, 1, 1, 1, 1, 1, 1, 1]).mean([-1]));
    empty_rows: fails own(|y, p| p.reshape([0, 3]).mean([0]));
    unsigned_difference: works own(|y, p| (y.cast(DType::U8) - 1) * p);
    negative_of_unsigned: fails own(|y, p| -y.cast(DType::U32) + p);
}

#[test]
fn no_closure_can_panic() {
    let mut report = Report::default();
    for (name, expected, loss) in closures() {
        for labels in 0..3 {
            let outcome = catch_unwind(AssertUnwindSafe(|| run(&loss, labels)));
            let judged = match outcome {
                Err(_) => Err("a panic".into()),
                Ok(Ok(_)) if expected == "fails" => Err("no mistake was seen".into()),
                Ok(Ok(_)) => Ok(()),
                Ok(Err(error)) if expected == "works" => Err(error.to_string()),
                Ok(Err(error)) => at_row(&error, name),
            };
            report.case(&format!("{name} on labels {labels}"), judged);
        }
    }
    report.finish();
}

/// One step of a random closure: something odd that is done to what there is so far.
fn odd(kind: usize, a: &Tensor, b: &Tensor, number: usize) -> Tensor {
    if kind < 18 { of_elements(kind, a, b, number) } else { of_axes(kind - 18, a, b, number) }
}

/// What is done to each element.
fn of_elements(kind: usize, a: &Tensor, b: &Tensor, number: usize) -> Tensor {
    let dtypes = DType::ALL;
    let fraction = number as f64 * 0.37 - 1.0;
    match kind {
        0 => a + b,
        1 => a - b,
        2 => a * b,
        3 => a / b,
        4 => a.maximum(b),
        5 => a.pow(b),
        6 => a.gt(b),
        7 => a.gt(0.5).select(a, b),
        8 => a.select(b, fraction),
        9 => a.and(b),
        10 => a.cast(dtypes[number % dtypes.len()]),
        11 => a * fraction,
        12 => number as i64 - a,
        13 => a.clip(-fraction, fraction),
        14 => a.div_no_nan(b),
        15 => -a,
        16 => a.exp().log1p(),
        _ => a.not(),
    }
}

/// What is done along axes, to whole tensors and to gradients.
fn of_axes(kind: usize, a: &Tensor, b: &Tensor, number: usize) -> Tensor {
    let axis = number as isize % 5 - 2;
    match kind {
        0 => a.sum([axis]),
        1 => a.mean([axis, 0]),
        2 => a.softmax(axis),
        3 => a.argmax(axis),
        4 => a.transpose(&Vec::from_iter((0..a.rank()).rev())),
        5 => a.transpose(&[number % 3, number % 2]),
        6 => a.reshape([a.shape().size()]),
        7 => a.reshape([number, a.dim(0), 1]),
        8 => a.broadcast_to([number % 4, a.dim(-1)]),
        9 => a.one_hot(number),
        10 => a.dot(b),
        11 => a.dot_as(b, number.is_multiple_of(2), number.is_multiple_of(3)),
        12 => a.sum_all(),
        13 => gradients(&a.sum_all(), std::slice::from_ref(b)).remove(0),
        14 => a.reduce(cornu_graph::ops::Reduction::Max, &[number % 3]),
        15 => a.stop_gradient().square(),
        16 => a.abs().sqrt() + a.sign() * a.relu(),
        _ => a.broadcast([a.dim(0), number % 5], &[number % 2]),
    }
}

/// Closures made by chance: each gives a number or an error in this file, never a panic.
#[test]
fn no_random_closure_can_panic() {
    let mut report = Report::default();
    for seed in 0..400u64 {
        let each = own(move |y, p| {
            let mut bits = Bits(seed);
            let mut below = |end| bits.below(end);
            let mut made = vec![y.clone(), p.clone(), y - p];
            for _ in 0..1 + below(6) {
                let (a, b) = (below(made.len()), made.len() - 1 - below(2));
                let next = odd(below(36), &made[a], &made[b], below(9));
                made.push(next);
            }
            made.pop().unwrap_or_else(|| p.clone())
        });
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&each, seed as usize % 3)));
        let judged = match outcome {
            Err(_) => Err("a panic".into()),
            Ok(Err(error)) if shown(&error).starts_with("no line") => Err(shown(&error)),
            Ok(_) => Ok(()),
        };
        report.case(&format!("closure {seed}"), judged);
    }
    report.finish();
}

/// An error must name the line of this file that begins with `name`.
fn at_row(error: &Error, name: &str) -> Result<(), String> {
    let line = shown(error);
    if line.starts_with(&format!("{name}:")) { Ok(()) } else { Err(format!("shown at `{line}`: {error}")) }
}

cornu::config! {
    /// A layer with mistakes.
    "my.layers" pub layer Odd {
        /// Which mistake.
        mistake: i64 = 0,
    }
}

impl Layer for Odd {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        match self.mistake {
            0 => x.dot(&x),
            1 => x.mean([5]),
            2 => x.gt(0.5).maximum(x.lt(0.5)),
            3 => x.clone() + cx.weight("w", [3], "zeros"),
            4 => {
                cx.update(&x, x.clone());
                x
            }
            6 => stray([x.dim(0), 2]),
            7..=12 => {
                let count = cx.state("count", [], "zeros");
                match self.mistake {
                    7 => cx.add_loss(stray([])),
                    8 => cx.add_loss(x.clone()),
                    9 => cx.update(&count, stray([])),
                    10 => cx.update(&count, x.clone()),
                    11 => (0..2).for_each(|_| cx.update(&count, &count + 1.0)),
                    _ => {
                        let random = cx.random(None);
                        return cx.uniform(&random, [1 << 40, 1 << 40]);
                    }
                }
                x
            }
            _ => cx.child("inner", |cx| x.reshape([7]) + cx.weight("w", [3], "zeros")),
        }
    }
}

cornu::config! {
    /// A metric and a loss with a mistake.
    "my.metrics" pub struct OddFigure {
        /// The name in logs.
        name: String = "odd".into(),
        /// Whether what it gives is of another trace.
        strays: bool = false,
    }
}

impl Metric for OddFigure {
    fn key(&self) -> &str {
        &self.name
    }

    fn update(&self, state: &[Tensor], _: &Tensor, p: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
        if self.strays {
            return state.iter().map(|old| stray(old.shape())).collect();
        }
        metrics::mean_of(state, &p.mean([5]), weights)
    }
}

impl Loss for OddFigure {
    fn reduction(&self) -> Reduction {
        Reduction::SumOverBatchSize
    }

    fn call(&self, y: &Tensor, p: &Tensor) -> Tensor {
        if self.strays { stray(p.shape()) } else { y.mean([5]) + p }
    }
}

/// A tensor of a trace of its own.
fn stray(shape: impl Into<Shape>) -> Tensor {
    Trace::new().input(Type::f32(shape))
}

/// The source line that an error shows.
fn shown(error: &Error) -> String {
    let text = error.to_string();
    let place = text.lines().find_map(|line| line.trim().strip_prefix("at ")).unwrap_or_default();
    let own = place.rsplit_once(':').filter(|(file, _)| file.ends_with("tests/main/closures.rs"));
    let line: usize = own.and_then(|(_, line)| line.parse().ok()).unwrap_or_default();
    let source = include_str!("closures.rs").lines().nth(line.wrapping_sub(1));
    source.map_or_else(|| format!("no line of this file: {text}"), |source| source.trim().to_owned())
}

#[test]
fn mistakes_of_own_layers_metrics_and_losses_are_shown_at_their_lines() -> cornu::Result<()> {
    let _turn = seeded(cornu::random::Flavor::Keras3, 3);
    let (x, y) = (features(4), [[0.0], [1.0], [0.0], [1.0]]);
    let of = |layer: Odd, compile: Compile| -> Error {
        let mut model = sequential![Dense::new(2).input_shape([2]), layer, Dense::new(1)];
        let trained = model.compile(compile).and_then(|()| model.fit(&x, &y, Fit::new().verbose(0)).map(|_| ()));
        trained.expect_err("a mistake")
    };
    let lines = [
        "0 => x.dot(&x),",
        "1 => x.mean([5]),",
        "2 => x.gt(0.5).maximum(x.lt(0.5)),",
        "3 => x.clone() + cx.weight(\"w\", [3], \"zeros\"),",
        "cx.update(&x, x.clone());",
        "_ => cx.child(\"inner\", |cx| x.reshape([7]) + cx.weight(\"w\", [3], \"zeros\")),",
    ];
    for (mistake, line) in (0i64..).zip(lines) {
        assert_eq!(shown(&of(Odd::new().mistake(mistake), Compile::new().loss("mse"))), line);
    }
    let fine = |compile: Compile| -> Error {
        let mut model = sequential![Dense::new(1).input_shape([2])];
        let trained = model.compile(compile).and_then(|()| model.fit(&x, &y, Fit::new().verbose(0)).map(|_| ()));
        trained.expect_err("a mistake")
    };
    let figure = fine(Compile::new().loss("mse").metrics([OddFigure::new()]));
    assert_eq!(shown(&figure), "metrics::mean_of(state, &p.mean([5]), weights)");
    assert_eq!(
        shown(&fine(Compile::new().loss(OddFigure::new()))),
        "if self.strays { stray(p.shape()) } else { y.mean([5]) + p }"
    );
    Ok(())
}

/// Whoever gives what cannot be taken is named; a line of the library's would blame the library.
#[test]
fn odd_tensors_are_refused_where_they_are_given() -> cornu::Result<()> {
    let _turn = seeded(cornu::random::Flavor::Keras2, 3);
    let fit = |layer: Option<Odd>, compile: Compile| -> Error {
        let mut model = sequential![Dense::new(2).input_shape([2])];
        if let Some(layer) = layer {
            model.add(layer);
        }
        model.add(Dense::new(1));
        let trained = model.compile(compile).and_then(|()| {
            let fit = Fit::new().verbose(0).sample_weight([1.0, 2.0, 1.0, 1.0]);
            model.fit(features(4), [[0.0], [1.0], [0.0], [1.0]], fit)
        });
        trained.expect_err("a mistake")
    };
    let given = |whose: &str, text: &str| {
        assert!(text.contains(&format!("{whose} needs tensors of one trace, got f32[")), "{text}");
        assert!(text.contains("of another trace") && text.contains("help: ") && !text.contains("src/"), "{text}");
    };
    for (mistake, line) in (7..).zip([
        "7 => cx.add_loss(stray([])),",
        "8 => cx.add_loss(x.clone()),",
        "9 => cx.update(&count, stray([])),",
        "10 => cx.update(&count, x.clone()),",
        "11 => (0..2).for_each(|_| cx.update(&count, &count + 1.0)),",
        "return cx.uniform(&random, [1 << 40, 1 << 40]);",
    ]) {
        let error = fit(Some(Odd::new().mistake(mistake)), Compile::new().loss("mse"));
        assert_eq!(shown(&error), line, "{error}");
    }
    let fit = |layer, compile| fit(layer, compile).to_string();
    given("odd: the layer", &fit(Some(Odd::new().mistake(6).name("odd")), Compile::new().loss("mse")));
    let figure = || OddFigure::new().strays(true);
    given("metric `OddFigure`", &fit(None, Compile::new().loss("mse").metrics([figure()])));
    given("loss `OddFigure`", &fit(None, Compile::new().loss(figure())));
    let text = fit(None, Compile::new().loss(own(|_, p| stray(p.shape()))));
    given("loss `own`", &text);
    assert!(text.contains("closures.rs:"), "{text}");
    Ok(())
}
