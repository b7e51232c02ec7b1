//! Classes of one's own that are not as they should be: an error that names the class, never a panic or a wrong figure.

use cornu::constraints::UnitNorm;
use cornu::layers::{Keywords, Layer};
use cornu::losses::{Loss, Reduction};
use cornu::metrics::{Metric, Total};
use cornu::optimizers::{Common, Optimizer};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_graph::{Shape, Trace};

use crate::seeds::seeded;

fn message<T>(result: Result<T>) -> String {
    result.err().map(|error| error.message().to_owned()).unwrap_or_default()
}

fn fit(compile: Compile) -> String {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(1).input_shape([1])];
    message(
        model.compile(compile).and_then(|()| model.fit(&[[1.0], [2.0]], &[1.0, 2.0], Fit::new().verbose(0)).map(drop)),
    )
}

cornu::config! {
    /// A metric that gives so many new values for two old ones.
    "own.tests" pub struct Forgetful {
        /// The name.
        name: String = "forgetful".into(),
        /// How many values.
        values: usize = 2,
        /// How many axes each has.
        axes: usize = 0,
        /// How many variables it keeps.
        kept: usize = 2,
    }
}

impl Metric for Forgetful {
    fn key(&self) -> &str {
        &self.name
    }
    fn state(&self, _: &Type, _: &Type) -> Vec<Total> {
        vec![Total::zeros("value", Shape::scalar()); self.kept]
    }
    fn update(&self, state: &[Tensor], _: &Tensor, y_pred: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
        if self.values == 0 {
            return cornu::metrics::mean_of(state, y_pred, weights);
        }
        vec![state[0].reshape(&vec![1; self.axes][..]); self.values]
    }
}

#[test]
fn a_metric_gives_a_new_value_for_each_variable() {
    let with = |metric: Forgetful| fit(Compile::new().loss("mse").metrics([metric]));
    assert_eq!(with(Forgetful::new()), "");
    assert_eq!(with(Forgetful::new().values(1usize)), "metric `Forgetful`: `update` needs 2 new values, got 1");
    assert_eq!(with(Forgetful::new().values(3usize)), "metric `Forgetful`: `update` needs 2 new values, got 3");
    assert_eq!(with(Forgetful::new().axes(1usize)), "metric `Forgetful`: `update` needs f32[] for `value`, got f32[1]");
    assert_eq!(
        with(Forgetful::new().values(0usize).kept(1usize)),
        "a mean needs the variables `total` and `count`, got 1"
    );
}

cornu::config! {
    /// Calls a layer of one input with so many.
    "own.tests" pub layer Many {
        /// How many.
        inputs: usize,
    }
}

impl Layer for Many {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let relu = Activation::new("relu");
        let called = Inputs::of(&relu, vec![x.clone().into(); self.inputs], &Keywords::default())
            .and_then(|inputs| relu.call_all(cx, &inputs));
        called.map(|outputs| outputs[0].tensor.clone()).unwrap_or_else(|error| {
            cx.fail(error);
            x
        })
    }
}

#[test]
fn a_layer_of_one_input_refuses_others() {
    let _turn = seeded(Flavor::Keras2, 1);
    let text = |inputs: usize| message(sequential![Many::new(inputs).input_shape([2]).name("many")].check());
    assert_eq!(text(1), "");
    assert_eq!(text(2), "many: `Activation` takes one input, got 2");
    assert_eq!(text(0), "many: `Activation` takes one input, got 0");
}

cornu::config! {
    /// An optimizer that asks for slots it has not got.
    "own.tests" pub struct Mistaken {
        /// What it asks for.
        asks: String,
        /// What it sets.
        sets: String,
    }
}

impl Optimizer for Mistaken {
    fn common(&self) -> Common {
        Common { learning_rate: 0.1.into(), ..Common::default() }
    }
    fn slots(&self) -> Vec<Slot> {
        let second = if self.asks == "twice" { "momentum" } else { "velocity" };
        ["momentum", second].map(Slot::from).to_vec()
    }
    fn update(&self, slots: &mut Update, w: &Tensor, _: &Tensor) -> Tensor {
        match self.sets.as_str() {
            "a sum" => return w.sum_all(),
            "another type" => return w.cast(DType::I64),
            "another trace" => return Trace::new().input(w.ty()),
            _ => {}
        }
        let m = slots.get(&self.asks);
        w + slots.set(&self.sets, m)
    }
}

#[test]
fn an_optimizer_that_asks_for_no_slot_of_its_own_is_told() {
    let with = |asks: &str, sets: &str| fit(Compile::new().loss("mse").optimizer(Mistaken::new(asks, sets)));
    assert_eq!(with("momentum", "velocity"), "");
    let wanted = "optimizer `Mistaken` has no slot `velocitty`, only `momentum`, `velocity`";
    assert_eq!(with("velocitty", "velocity"), wanted);
    assert_eq!(with("velocity", "velocitty"), wanted);
    assert_eq!(with("twice", "momentum"), "compile: optimizer `Mistaken` has two slots called `momentum`");
    for odd in ["a sum", "another type"] {
        assert!(
            with("momentum", odd).contains("optimizer `Mistaken`: `update` needs f32[1"),
            "{}",
            with("momentum", odd)
        );
    }
    let stray = with("momentum", "another trace");
    assert!(stray.starts_with("optimizer `Mistaken` needs tensors of one trace, got f32["), "{stray}");
}

cornu::config! {
    /// A layer with a weight of so many axes, held to a constraint.
    "own.tests" pub layer Held {
        /// How many axes.
        axes: usize,
        /// The constraint.
        constraint: Choice<dyn Constraint>,
    }
}

impl Layer for Held {
    fn call(&self, cx: &mut Cx, x: Tensor) -> Tensor {
        let weight = cx.weight("w", vec![2; self.axes], "ones");
        cx.constrain("w", &Some(self.constraint.clone()));
        let scale = weight.sum_all();
        x * scale
    }
}

#[test]
fn a_constraint_along_an_axis_that_is_not_there_is_told() {
    let _turn = seeded(Flavor::Keras2, 1);
    let with = |axes: usize, axis: i64| {
        let constraint = UnitNorm::new().axis(axis);
        let mut model = sequential![Held::new(axes, constraint).input_shape([1])];
        model.compile(Compile::new().loss("mse"))?;
        model.fit(&[[1.0], [2.0]], &[1.0, 2.0], Fit::new().verbose(0)).map(drop)
    };
    assert_eq!(message(with(2, -2)), "");
    assert_eq!(message(with(2, 5)), "needs an axis of f32[2,2], got 5");
    assert_eq!(message(with(0, 0)), "needs an axis of f32[], got 0");
}

#[test]
fn a_net_is_given_as_many_inputs_as_it_takes() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(1).input_shape([2])];
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let x = cx.input(Type::f32([3, 2]));
    assert_eq!(message(net.call(&mut cx, &[x.clone(), x])), "the model takes 1 input, got 2");
    Ok(())
}

cornu::config! {
    /// A loss that gives what its setting says.
    "own.tests" pub struct Odd {
        /// What it gives.
        gives: String,
    }
}

impl Loss for Odd {
    fn reduction(&self) -> Reduction {
        Reduction::Sum
    }
    fn call(&self, y_true: &Tensor, y_pred: &Tensor) -> Tensor {
        match self.gives.as_str() {
            "a scalar" => y_pred.sum_all(),
            "whole numbers" => y_pred.cast(DType::I64),
            "no axis" => y_pred.mean([7]),
            _ => y_true.reshape([17]),
        }
    }
}

#[test]
fn an_odd_loss_is_an_error_or_a_number() {
    for gives in ["a scalar", "whole numbers"] {
        assert_eq!(fit(Compile::new().loss(Odd::new(gives))), "", "{gives}");
    }
    for gives in ["no axis", "another shape"] {
        assert_ne!(fit(Compile::new().loss(Odd::new(gives))), "", "{gives}");
    }
}

#[test]
fn whole_numbers_that_would_change_are_named() {
    use cornu::data::ToArray;
    let large = u64::MAX - 3;
    let text = format!("needs whole numbers up to 9223372036854775807, got {large}");
    assert_eq!(message(vec![1u64, large].to_array()), format!("row 1: {text}"));
    assert_eq!(message([[1u64, large]].to_array()), format!("row 0: row 1: {text}"));
    assert_eq!(message(ndarray::array![[1u64], [large]].to_array()), format!("index 1: {text}"));
    assert_eq!(
        message(ndarray::array![[1, usize::MAX], [2, 3]].t().to_array()),
        "index 2: needs whole numbers up to 9223372036854775807, got 18446744073709551615"
    );
    assert_eq!(vec![i64::MAX as u64].to_array().expect("it fits").to_vec::<i64>(), [i64::MAX]);
}

#[test]
fn numbers_that_single_precision_cannot_hold_are_named() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(1).input_shape([1])];
    model.compile(Compile::new().loss("mse"))?;
    let large = "`x` needs numbers within the range of `f32`, got 1e300 in row 1";
    assert_eq!(message(model.predict(&[[1.0], [1e300]])), large);
    assert_eq!(message(model.fit(&[[1.0], [1e300]], &[1.0, 2.0], Fit::new().verbose(0))), large);
    let labels = message(model.evaluate(&[[1.0], [2.0]], &[1.0, -1e39]));
    assert_eq!(labels, "`y` needs numbers within the range of `f32`, got -1e39 in row 1");
    let weights = Fit::new().sample_weight(&[1.0, 1e39]).verbose(0);
    let weights = message(model.fit(&[[1.0], [2.0]], &[1.0, 2.0], weights));
    assert_eq!(weights, "`sample_weight` needs numbers within the range of `f32`, got 1e39 in row 1");
    // Whole numbers beyond 2^24 that the loss would round.
    let odd = message(model.evaluate(&[[1.0], [2.0]], &[1i64, (1 << 24) + 1]));
    assert_eq!(odd, "evaluate: `y` needs whole numbers that `f32` can hold, got 16777217 in row 1");
    assert!(model.evaluate(&[[1.0], [2.0]], &[1i64, 20_000_000]).is_ok());
    // What is not a number is the user's own.
    assert!(model.predict(&[[f64::NAN], [f64::INFINITY]])?.iter().all(|p| !p.is_finite()));
    Ok(())
}
