//! Ten steps of every optimizer against Keras's own weights and slots.

use cornu_graph::{Array, Trace, evaluate};
use cornu_testkit::golden::{self, Report, close, tolerance};
use serde_json::Value;

use super::*;
use crate::choice::Family;

/// Weights, slots `[role][weight]` and the number of steps, as arrays.
struct State {
    weights: Vec<Array>,
    slots: Vec<Vec<Array>>,
    iterations: Array,
}

impl State {
    fn new(optimizer: &dyn Optimizer, weights: Vec<Array>) -> State {
        let zeros = || weights.iter().map(|weight| Array::zeros(&weight.ty())).collect();
        State { slots: optimizer.slots().iter().map(|_| zeros()).collect(), weights, iterations: Array::scalar(0i64) }
    }

    fn step(&mut self, optimizer: &dyn Optimizer, gradients: &[Array]) {
        let trace = Trace::new();
        let mut values = Vec::new();
        let mut input = |array: &Array| {
            values.push(array.clone());
            trace.input(array.ty())
        };
        let weights: Vec<Tensor> = self.weights.iter().map(&mut input).collect();
        let gradients: Vec<Tensor> = gradients.iter().map(&mut input).collect();
        let slots: Vec<Vec<Tensor>> = self.slots.iter().map(|role| role.iter().map(&mut input).collect()).collect();
        let iterations = input(&self.iterations);
        let lr = input(&Array::scalar(optimizer.base().learning_rate as f32));
        let new = apply(optimizer, &weights, gradients, &slots, (&iterations, &lr));
        let outputs: Vec<Tensor> = new.weights.into_iter().chain(new.slots.concat()).chain([new.iterations]).collect();
        let graph = trace.finish(&outputs, &[]).unwrap_or_else(|error| panic!("{error}"));
        let mut results = evaluate(&graph, &[], &values).0.into_iter();
        let mut next = || results.next().expect("as many as before");
        self.weights.iter_mut().for_each(|weight| *weight = next());
        self.slots.iter_mut().flatten().for_each(|slot| *slot = next());
        self.iterations = next();
    }
}

fn row(stacked: &Array, at: usize) -> Array {
    let rest = stacked.shape().without(0);
    stacked.rows(&[at]).reshape(rest).expect("one row")
}

fn supported(optimizer: &dyn Optimizer) -> bool {
    optimizer.base().check("").is_ok()
}

fn check(case: &Value, optimizer: &dyn Optimizer, report: &mut Report) {
    let arrays = golden::arrays("optimizers", "arrays.npz");
    let get = |json: &Value| golden::value(json, &arrays).expect("an array");
    let all = |json: &Value| -> Vec<Array> { json.as_array().expect("a list").iter().map(get).collect() };
    let (rtol, atol) = tolerance(case, "outputs");
    let (grads, wanted, states) =
        (all(&case["grads"]), all(&case["variables_after_step"]), all(&case["state_after_step"]));
    let paths: Vec<&str> = case["state_paths"].as_array().expect("paths").iter().filter_map(Value::as_str).collect();
    let mut state = State::new(optimizer, all(&case["init"]));
    for step in 0..10 {
        state.step(optimizer, &grads.iter().map(|stacked| row(stacked, step)).collect::<Vec<_>>());
        for (name, (got, want)) in ["kernel", "bias"].iter().zip(state.weights.iter().zip(&wanted)) {
            report.case(&format!("{} {name} after step {step}", case["id"]), close(got, &row(want, step), rtol, atol));
        }
        for (role, slots) in optimizer.slots().iter().zip(&state.slots) {
            for (name, got) in ["kernel", "bias"].iter().zip(slots) {
                let place = paths.iter().position(|path| path.ends_with(&format!("/{name}_{role}")));
                let want = row(&states[place.expect("a slot of that name")], step);
                report.case(&format!("{} {name} {role} after step {step}", case["id"]), close(got, &want, rtol, atol));
            }
        }
    }
}

#[test]
fn ten_steps_are_those_of_keras() {
    let mut report = Report::default();
    for case in &golden::cases("optimizers") {
        let class = case["class"].as_str().expect("a class");
        let (settings, plain) = (&case["config"]["config"], case.get("setup").is_none_or(Value::is_null));
        if !<dyn Optimizer>::NAMES.contains(&class) || settings["learning_rate"].is_object() || !plain {
            continue;
        }
        let optimizer =
            <dyn Optimizer>::of_class(class, settings.as_object().expect("settings")).expect("known settings");
        if supported(&*optimizer) {
            check(case, &*optimizer, &mut report);
        }
    }
    report.finish();
}

/// The arithmetic of `Adam` in single precision, each operation rounded by itself.
#[test]
fn adam_rounds_each_operation_as_tensorflow_does() {
    let adam = Adam::new();
    let mut state = State::new(&adam, vec![Array::vector(vec![0.25f32, -1.5, 3e-3])]);
    let (mut w, mut m, mut v) = ([0.25f32, -1.5, 3e-3], [0.0f32; 3], [0.0f32; 3]);
    for step in 1..=50 {
        let g: Vec<f32> = (0..3).map(|i| ((step * 7 + i * 3) % 11) as f32 * 0.013 - 0.06).collect();
        state.step(&adam, &[Array::vector(g.clone())]);
        let power = |beta: f32| f64::from(beta).powf(f64::from(step)) as f32;
        let alpha = (0.001f32 * (1.0 - power(0.999)).sqrt()) / (1.0 - power(0.9));
        for i in 0..3 {
            m[i] += (g[i] - m[i]) * f32::from_bits(0x3DCC_CCCD);
            v[i] += (g[i] * g[i] - v[i]) * f32::from_bits(0x3A83_126F);
            w[i] -= (m[i] * alpha) / (v[i].sqrt() + 1e-7);
        }
        assert_eq!(state.weights[0].to_vec::<f32>(), w, "after step {step}");
    }
}

#[test]
fn what_is_not_supported_is_refused() {
    let refused = |base: Base| base.check("Adam").expect_err("refused").message().to_owned();
    assert_eq!(refused(Adam::new().use_ema(true).base()), "`Adam.use_ema` is not supported yet");
    assert_eq!(refused(Adam::new().clipnorm(-1.0).base()), "`Adam.clipnorm` needs a number above 0, got -1");
    let both = refused(Adam::new().clipnorm(1.0).clipvalue(1.0).base());
    assert_eq!(both, "`Adam` takes one of `clipnorm`, `clipvalue` and `global_clipnorm`, got several");
    assert!(Adam::new().base().check("Adam").is_ok());
}
