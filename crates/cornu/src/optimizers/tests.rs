//! The steps of every optimizer against Keras's own weights and slots.

use cornu_graph::{Array, Trace, evaluate};
use cornu_testkit::golden::{self, Case, Report, close};
use serde_json::Value;

use super::*;
use crate::config::ClassId;
use crate::flavor::Flavor;
use crate::registry::Family;

/// Weights, slots `[role][weight]`, scalars and the number of steps, as arrays.
struct State {
    weights: Vec<Array>,
    slots: Vec<Vec<Array>>,
    scalars: Vec<Array>,
    iterations: Array,
}

impl State {
    fn new(optimizer: &dyn Optimizer, weights: Vec<Array>) -> State {
        let start = |slot: &Slot, like: &Array| slot.start(&like.ty(), || Ok(like.clone())).expect("a start");
        let slots = optimizer.kept().iter().map(|slot| weights.iter().map(|w| start(slot, w)).collect()).collect();
        let scalars = optimizer.scalars().iter().map(|slot| start(slot, &Array::zeros(&slot.scalar()))).collect();
        State { slots, scalars, weights, iterations: Array::scalar(0i64) }
    }

    fn step(&mut self, flavor: Flavor, optimizer: &dyn Optimizer, names: &[&str], gradients: &[Array]) {
        let trace = Trace::in_context(flavor);
        let mut values = Vec::new();
        let mut input = |array: &Array| {
            values.push(array.clone());
            trace.input(array.ty())
        };
        let before = Stepped {
            weights: self.weights.iter().map(&mut input).collect(),
            slots: self.slots.iter().map(|role| role.iter().map(&mut input).collect()).collect(),
            scalars: self.scalars.iter().map(&mut input).collect(),
            iterations: input(&self.iterations),
        };
        let gradients: Vec<Tensor> = gradients.iter().map(&mut input).collect();
        let with = With { paths: names, rate: None, held: &|_, new| new };
        let new = apply(optimizer, &before, gradients, &with);
        let outputs = new.weights.into_iter().chain(new.slots.concat()).chain(new.scalars).chain([new.iterations]);
        let graph = trace.finish(&outputs.collect::<Vec<_>>(), &[]).unwrap_or_else(|error| panic!("{error}"));
        let mut results = evaluate(&graph, &[], &values).0.into_iter();
        let mut next = || results.next().expect("as many as before");
        self.weights.iter_mut().for_each(|weight| *weight = next());
        self.slots.iter_mut().flatten().for_each(|slot| *slot = next());
        self.scalars.iter_mut().for_each(|scalar| *scalar = next());
        self.iterations = next();
    }
}

fn row(stacked: &Array, at: usize) -> Array {
    let rest = stacked.shape().without(0);
    stacked.rows(&[at]).reshape(rest).expect("one row")
}

/// The optimizer of a case.
fn made(json: &Value) -> Result<Arc<dyn Optimizer>, String> {
    let class = json["class"].as_str().ok_or("no class")?;
    let mut settings = json["config"]["config"].as_object().ok_or("no settings")?.clone();
    let excluded = &json["setup"]["exclude_from_weight_decay"];
    if !excluded.is_null() {
        settings.insert("exclude_from_weight_decay".into(), excluded.clone());
    }
    let optimizer =
        <dyn Optimizer>::registry().read(&ClassId::keras(class), &settings).map_err(|error| error.to_string())?;
    super::check(&*optimizer).map_err(|error| error.to_string())?;
    Ok(optimizer)
}

fn check(case: &Case, optimizer: &dyn Optimizer, report: &mut Report) {
    let (json, (rtol, atol)) = (case.json, case.tolerance("outputs"));
    let (grads, wanted) = (case.all(&json["grads"]), case.all(&json["variables_after_step"]));
    let states = case.all(&json["state_after_step"]);
    let texts =
        |key: &str| -> Vec<&str> { json[key].as_array().expect("texts").iter().filter_map(Value::as_str).collect() };
    let (names, paths) = (texts("names"), texts("state_paths"));
    let mut state = State::new(optimizer, case.all(&json["init"]));
    for step in 0..grads[0].shape()[0] {
        let rows: Vec<Array> = grads.iter().map(|stacked| row(stacked, step)).collect();
        state.step(Flavor::Keras3, optimizer, &names, &rows);
        let near = |got: &Array, want: &Array| close(got, &row(want, step), rtol, atol);
        for (name, (got, want)) in names.iter().zip(state.weights.iter().zip(&wanted)) {
            report.case(&format!("{} {name} after step {step}", case.id), near(got, want));
        }
        for (role, slots) in optimizer.roles().iter().zip(&state.slots) {
            for (name, got) in names.iter().zip(slots) {
                let place = paths.iter().position(|path| path.ends_with(&format!("/{name}_{role}")));
                let want = &states[place.unwrap_or_else(|| panic!("{}: no slot `{name}_{role}`", case.id))];
                report.case(&format!("{} {name} {role} after step {step}", case.id), near(got, want));
            }
        }
        for (slot, got) in optimizer.scalars().iter().zip(&state.scalars) {
            let place = paths.iter().position(|path| path.ends_with(&format!("/{}", slot.name)));
            // Nadam's has no name.
            let want = place.map_or_else(|| states.last().expect("a scalar"), |place| &states[place]);
            report.case(&format!("{} {} after step {step}", case.id, slot.name), near(got, want));
        }
    }
    let average = optimizer.roles().iter().position(|role| *role == AVERAGE);
    if let Some((average, finalized)) = average.zip(json["finalized_variables"].as_array()) {
        for (got, want) in state.slots[average].iter().zip(finalized) {
            report.case(&format!("{} at the end", case.id), case.near("outputs", got, want));
        }
    }
}

#[test]
fn steps_are_those_of_keras() {
    let (mut report, cases) = (Report::default(), golden::cases("optimizers"));
    let classes = <dyn Optimizer>::classes();
    report.has_cases(&classes, "optimizers", "class");
    for json in cases.iter().filter(|case| classes.iter().any(|class| case["class"] == *class)) {
        let (case, optimizer) = (Case::open("optimizers", json), made(json));
        report.lacking(case.id, &[], optimizer.as_ref().map(drop).map_err(Clone::clone));
        if let Ok(optimizer) = optimizer {
            check(&case, &*optimizer, &mut report);
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
        state.step(Flavor::Keras2, &adam, &["w"], &[Array::vector(g.clone())]);
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
fn settings_that_cannot_be_right_are_refused() {
    let refused = |common: Common| common.check("Adam").expect_err("refused").message().to_owned();
    assert_eq!(refused(Adam::new().clipnorm(-1.0).common()), "`Adam.clipnorm` needs a number above 0, got -1");
    assert_eq!(
        refused(Adam::new().loss_scale_factor(0.0).common()),
        "`Adam.loss_scale_factor` needs a number above 0, got 0"
    );
    let both = refused(Adam::new().clipnorm(1.0).clipvalue(1.0).common());
    assert_eq!(both, "`Adam` takes one of `clipnorm`, `clipvalue` and `global_clipnorm`, got several");
    assert_eq!(
        refused(Adam::new().gradient_accumulation_steps(1i64).common()),
        "`Adam.gradient_accumulation_steps` needs a whole number from 2 on, got 1"
    );
    assert_eq!(
        refused(Adam::new().use_ema(true).ema_overwrite_frequency(0i64).common()),
        "`Adam.ema_overwrite_frequency` needs a whole number from 1 on, got 0"
    );
    assert!(Adam::new().common().check("Adam").is_ok());
}

/// Keras 2 begins means of weights with the weights before the first step.
#[test]
fn means_of_weights_begin_as_in_each_keras() {
    let sgd = SGD::from(1.0).use_ema(true).ema_momentum(0.75);
    for (flavor, wanted) in [(Flavor::Keras2, 1.75), (Flavor::Keras3, 1.0)] {
        let mut state = State::new(&sgd, vec![Array::vector(vec![2.0f32])]);
        state.step(flavor, &sgd, &["w"], &[Array::vector(vec![1.0f32])]);
        assert_eq!((state.weights[0].get(0), state.slots[0][0].get(0)), (1.0, wanted), "{flavor:?}");
    }
}
