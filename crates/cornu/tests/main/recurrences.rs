//! Recurrences: what seeds, dropout and states make of them in both Kerases (`testdata/recurrences` is written by
//! `scripts/golden_recurrences.py`), loops against steps one by one, states that go on, and mistakes.

use std::path::{Path, PathBuf};

use cornu::layers::{Cell, Child, LSTMCell, RNN, Steps};
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cpu, Result};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report};
use ndarray::{Array2, Array3, Axis, s};
use serde_json::Value;

use crate::flavor_differences::{FLAVORS, flat, near, numbers};
use crate::seeds::seeded;

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/recurrences").join(name)
}

/// The data of the script.
fn data() -> (Array3<f32>, Array2<f32>) {
    let number = |i: usize, t: usize, j: usize| (((i * 7 + t * 5 + j * 3) % 11) as f64 * 0.1 - 0.5) as f32;
    let x = Array3::from_shape_fn((6, 4, 2), |(i, t, j)| number(i, t, j));
    (x, Array2::from_shape_fn((6, 1), |(i, _)| ((i * 3) % 5) as f32 * 0.25))
}

/// A line of the input, a layer and one unit.
fn model_of(layer: impl Layer, batch: Option<usize>) -> Result<Sequential> {
    let mut model = Sequential::new();
    model.add(Input::batch_shape(vec![batch, Some(4), Some(2)])).add(layer).add(Dense::new(1));
    model.compile(Compile::new().loss("mse").optimizer("sgd"))?;
    Ok(model)
}

fn quiet() -> Fit {
    Fit::new().batch_size(3).epochs(2).shuffle(false).verbose(0)
}

/// What the script did with a layer.
fn runs_as_in_keras(layer: impl Layer, batch: Option<usize>, want: &Value, weights_alone: bool) -> Result<(), String> {
    let text = |error: cornu::Error| error.to_string();
    let same = |what: &str, got: &[f64], want: &Value| {
        let want = flat(want);
        let close = |(a, b): (&f64, &f64)| (a - b).abs() <= 2e-6 * b.abs().max(1.0);
        let all = got.len() == want.len() && got.iter().zip(&want).all(close);
        if all { Ok(()) } else { Err(format!("{what}: got {got:?}, want {want:?}")) }
    };
    let (x, y) = data();
    let mut model = model_of(layer, batch).map_err(text)?;
    same("first weights", &numbers(&model.weights()), &want["weights"])?;
    if weights_alone {
        return Ok(());
    }
    let fit = |model: &mut Model| Ok::<_, String>(model.fit(&x, &y, quiet()).map_err(text)?["loss"].clone());
    same("history", &fit(&mut model)?, &want["history"])?;
    let score = model.evaluate_with(&x, &y, Evaluate::new().batch_size(3).verbose(0)).map_err(text)?["loss"];
    same("evaluate", &[score], &want["evaluate"])?;
    same("again", &fit(&mut model)?, &want["again"])?;
    want["predictions"].as_array().into_iter().flatten().try_for_each(|predicted| {
        let got = model.predict_with(&x, Predict::new().batch_size(3).verbose(0)).map_err(text)?;
        same("predictions", &got.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), predicted)
    })
}

/// Where Keras 2 has no kernel of its own it draws noise anew in each step of its loop, from seeds of the loop: here noise is
/// that of Keras 3, the same in all steps, and the first weights alone are compared.
const NOISE_IN_LOOPS: [&str; 5] =
    ["lstm_recurrent_dropout", "lstm_relu_dropout", "gru_recurrent_dropout", "gru_reset_before", "rnn_dropout"];

#[test]
fn seeds_noise_and_states_are_those_of_keras() {
    let mut report = Report::default();
    for (flavor, name) in FLAVORS {
        let want = golden::read(&file(name));
        macro_rules! run {
            ($($case:literal $batch:expr => $layer:expr;)*) => {$(
                let _turn = seeded(flavor, 7);
                report.case(&format!("{flavor:?}, {}", $case), runs_as_in_keras($layer, $batch, &want[$case], flavor == Flavor::Keras2 && NOISE_IN_LOOPS.contains(&$case)));
                drop(_turn);
            )*};
        }
        run! {
            "lstm" None => LSTM::new(3);
            "lstm_random_bias" None => LSTM::new(3).bias_initializer("random_normal");
            "lstm_dropout" None => LSTM::new(3).dropout(0.5);
            "lstm_recurrent_dropout" None => LSTM::new(3).dropout(0.25).recurrent_dropout(0.5);
            "lstm_relu_dropout" None => LSTM::new(3).activation("relu").dropout(0.5);
            "lstm_by_gate" None => LSTM::new(3).dropout(0.5).implementation(1_usize);
            "gru" None => GRU::new(3);
            "gru_dropout" None => GRU::new(3).dropout(0.5);
            "gru_recurrent_dropout" None => GRU::new(3).recurrent_dropout(0.5);
            "gru_reset_before" None => GRU::new(3).dropout(0.25).recurrent_dropout(0.5).reset_after(false);
            "bidirectional" None => Bidirectional::new(LSTM::new(3));
            "bidirectional_dropout" None => Bidirectional::new(GRU::new(3).dropout(0.5));
            "rnn_dropout" None => RNN::new(LSTMCell::new(3).dropout(0.5));
            "stateful" Some(3) => LSTM::new(3).stateful(true);
            "stateful_backwards" Some(3) => GRU::new(3).stateful(true).go_backwards(true);
        }
    }
    report.finish();
}

/// Each Keras's file of a model whose decoder begins with the states of its encoder predicts the same here, and so does
/// what is written of it.
#[test]
fn files_of_both_kerases_predict_the_same() -> Result<()> {
    let (x, _) = data();
    let target = x.slice(s![.., ..3, ..]).to_owned();
    let folder = Folder::new("recurrences");
    for (flavor, name) in FLAVORS {
        let _turn = seeded(flavor, 1);
        let want = &golden::read(&file(name))["translator"]["predictions"];
        let model = load_model(file(&name.replace("json", "keras")))?;
        let own = folder.join("m.keras");
        model.save(&own)?;
        for model in [model, load_model(&own)?] {
            let got = model.predict((&x, &target))?;
            near(name, &got.iter().map(|&x| f64::from(x)).collect::<Vec<_>>(), want);
        }
    }
    Ok(())
}

cornu::config! {
    /// `tanh(x · W + h · U)`, of which a share is dropped in each step; its output is twice that.
    "recurrences.tests" pub layer NoisyCell {
        /// Units.
        units: usize,
        /// What drops a share.
        noise: LayerRef,
    }
}

impl Layer for NoisyCell {
    fn cell(&self) -> Option<&dyn Cell> {
        Some(self)
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        vec![("noise", (&self.noise).into())]
    }
}

impl Cell for NoisyCell {
    fn state_size(&self) -> Vec<usize> {
        vec![self.units]
    }

    fn steps(&self, cx: &mut Cx, x: &Tensor) -> Steps<'_> {
        let w = cx.weight("kernel", [x.dim(-1), self.units], "ones");
        let u = cx.weight("recurrent_kernel", [self.units, self.units], "identity");
        Steps::new([x.dot(&w)], move |cx, x, states| {
            let h = self.noise.call(cx, (&x[0] + states[0].dot(&u)).tanh());
            vec![&h * 2.0, h]
        })
    }
}

/// Outputs of `NoisyCell` over ones, traced as in training, twice in one step.
fn noisy(flavor: Flavor, unroll: bool) -> Result<[Vec<f32>; 2]> {
    let _turn = seeded(flavor, 5);
    let mut model = sequential![
        Input::new([6, 2]),
        RNN::new(NoisyCell::new(8, Dropout::new(0.5))).return_sequences(true).unroll(unroll).activity_regularizer("l2")
    ];
    model.build([6, 2])?;
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true)?;
    let x = cx.input(Type::f32([3, 6, 2]));
    let mut outputs = net.call(&mut cx, std::slice::from_ref(&x))?;
    outputs.extend(net.call(&mut cx, &[x])?);
    let graph = cx.finish(&outputs, &[])?;
    let ones = Array::new([3, 6, 2], vec![1.0f32; 36])?;
    let results = variables.session()?.once(&graph, &[ones])?;
    Ok([results[0].to_vec(), results[1].to_vec()])
}

/// A dropout within a cell has random numbers of its own in each step and in each call, in a loop as in steps one by one.
#[test]
fn noise_within_a_loop_is_new_in_each_step() -> Result<()> {
    for flavor in [Flavor::Keras2, Flavor::Keras3] {
        let [first, second] = noisy(flavor, false)?;
        assert_eq!(noisy(flavor, true)?, [first.clone(), second.clone()], "{flavor:?}");
        assert_ne!(first, second);
        let dropped = |t: usize| (0..8).map(|unit| first[t * 8 + unit] == 0.0).collect::<Vec<bool>>();
        let steps: Vec<Vec<bool>> = (0..6).map(dropped).collect();
        assert!(steps.iter().any(|step| *step != steps[0]), "{flavor:?}: {steps:?}");
    }
    Ok(())
}

/// What a recurrence of any kind gives of sequences of length 5 with 3 features, with a mask that begins and ends with
/// nothing, and the slopes of a sum of it along input and weights.
fn outcome<L: Layer>(layer: impl FnOnce() -> L, masked: bool) -> Result<Vec<Vec<f64>>> {
    let _turn = seeded(Flavor::Keras3, 2);
    let mut model = sequential![Input::new([5, 3]), layer()];
    model.build([5, 3])?;
    let own: Vec<_> = model.variables().weights().cloned().collect();
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let inputs = [cx.input(Type::new(DType::F64, [2, 5, 3])), cx.input(Type::new(DType::Bool, [2, 5]))];
    let keywords = cornu::layers::Keywords { tensors: vec!["mask".into(); usize::from(masked)], flags: Vec::new() };
    let given = inputs[..1 + usize::from(masked)].iter().cloned().map(Wire::from).collect();
    let wires = net.layers[0].call_all(&mut cx, given, &keywords)?;
    let outputs: Vec<Tensor> = wires.into_iter().map(|wire| wire.tensor).collect();
    let total = outputs.iter().map(|y| (y * y + y).sum_all()).reduce(|a, b| a + b).expect("an output");
    let weights = own.iter().map(|weight| cx.trace().var(weight.id(), weight.ty.clone()));
    let slopes = gradients(&total, &[inputs[0].clone()].into_iter().chain(weights).collect::<Vec<_>>());
    let graph = cx.finish(&[outputs, slopes].concat(), &[])?;
    let x = Array::from_fn(&Type::new(DType::F64, [2, 5, 3]), |i| ((i * 7) % 11) as f64 * 0.2 - 1.0);
    let mask = Array::new([2, 5], vec![false, true, true, false, true, true, true, false, false, false])?;
    let results = variables.session()?.once(&graph, &[x, mask])?;
    Ok(results.iter().map(Array::to_vec).collect())
}

/// A loop and its steps one by one are the same, whatever the settings.
#[test]
fn loops_are_their_steps() -> Result<()> {
    macro_rules! same {
        ($($layer:expr;)*) => {$(for masked in [false, true] {
            let (one, other) = (outcome(|| $layer.dtype("float64"), masked)?, outcome(|| $layer.dtype("float64").unroll(true), masked)?);
            assert_eq!(one.len(), other.len());
            for (one, other) in one.iter().flatten().zip(other.iter().flatten()) {
                assert!((one - other).abs() <= 1e-12 * one.abs().max(1.0), "{}: {one}, {other}", stringify!($layer));
            }
        })*};
    }
    same! {
        LSTM::new(4);
        LSTM::new(4).return_sequences(true).return_state(true);
        LSTM::new(4).go_backwards(true).return_sequences(true);
        LSTM::new(4).zero_output_for_mask(true);
        LSTM::new(4).implementation(1_usize).use_bias(false);
        GRU::new(4).go_backwards(true).return_state(true);
        GRU::new(4).reset_after(false).return_sequences(true).zero_output_for_mask(true);
        RNN::new(NoisyCell::new(3, Dropout::new(0.5)).dtype("float64"));
    }
    Ok(())
}

/// The slopes of a sum of the outputs against differences, for batches, lengths and features of several sizes.
#[test]
fn slopes_are_differences() -> Result<()> {
    macro_rules! check {
        ($($layer:expr;)*) => {$(for [batch, time, features] in [[2, 3, 4], [1, 5, 1], [3, 1, 2]] {
            slope_fits(stringify!($layer), || $layer.dtype("float64"), [batch, time, features])?;
        })*};
    }
    check! {
        LSTM::new(3).return_sequences(true);
        LSTM::new(1).go_backwards(true).recurrent_activation("relu");
        GRU::new(3);
        GRU::new(2).reset_after(false).return_sequences(true);
        Bidirectional::new(LSTM::new(2).dtype("float64").return_sequences(true)).merge_mode("mul");
        Bidirectional::new(GRU::new(2).dtype("float64")).merge_mode("ave");
    }
    Ok(())
}

fn slope_fits<L: Layer>(what: &str, layer: impl FnOnce() -> L, shape: [usize; 3]) -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 11);
    let mut model = sequential![Input::new(shape[1..].to_vec()), layer()];
    model.build(shape[1..].to_vec())?;
    let own: Vec<_> = model.variables().weights().cloned().collect();
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, false)?;
    let input = cx.input(Type::new(DType::F64, shape));
    let total = net.call(&mut cx, std::slice::from_ref(&input))?.remove(0);
    let total = (total.square() * &total + &total).sum_all();
    let weights = own.iter().map(|weight| cx.trace().var(weight.id(), weight.ty.clone()));
    let slopes = gradients(&total, &[input].into_iter().chain(weights).collect::<Vec<_>>());
    let graph = cx.finish(&[vec![total], slopes].concat(), &[])?;
    let session = variables.session()?;
    let direction = |ty: &Type, k: usize| Array::from_fn(ty, |i| ((i * 5 + k * 3) % 7) as f64 * 0.3 - 0.9);
    let x = direction(&Type::new(DType::F64, shape), 1);
    let first: Vec<Array> = std::iter::once(x).chain(own.iter().map(|weight| weight.read())).collect();
    let ways: Vec<Array> = first.iter().enumerate().map(|(k, at)| direction(&at.ty(), k + 2)).collect();
    let at = |step: f64| -> Result<Vec<Array>> {
        let moved = |(at, way): (&Array, &Array)| Array::from_fn(&at.ty(), |i| at.get(i) + step * way.get(i));
        let moved: Vec<Array> = first.iter().zip(&ways).map(moved).collect();
        own.iter().zip(&moved[1..]).try_for_each(|(weight, value)| weight.write(value))?;
        session.once(&graph, &moved[..1])
    };
    let (here, below, above) = (at(0.0)?, at(-1e-5)?, at(1e-5)?);
    let difference = (above[0].get(0) - below[0].get(0)) / 2e-5;
    let along = |(slope, way): (&Array, &Array)| (0..way.len()).map(|i| slope.get(i) * way.get(i)).sum::<f64>();
    let slope: f64 = here[1..].iter().zip(&ways).map(along).sum();
    assert!((slope - difference).abs() <= 1e-7 * difference.abs().max(1.0), "{what}: {slope}, {difference}");
    Ok(())
}

/// The first half of sequences and then the second are the whole, until states are reset.
#[test]
fn a_stateful_layer_goes_on_where_it_was() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let (x, _) = data();
    let whole = sequential![Input::new([4, 2]), LSTM::new(3).return_sequences(true)];
    let mut parts = sequential![
        Input::batch_shape(vec![Some(6), Some(2), Some(2)]),
        LSTM::new(3).return_sequences(true).stateful(true)
    ];
    parts.set_weights(&whole.weights())?;
    let want = whole.predict(&x)?;
    for _ in 0..2 {
        let (first, second) = (parts.predict(x.slice(s![.., ..2, ..]))?, parts.predict(x.slice(s![.., 2.., ..]))?);
        let got = ndarray::concatenate(Axis(1), &[first.view(), second.view()]).expect("two halves");
        assert_eq!(got, want);
        parts.reset_states()?;
    }
    let names = parts.variables().weights().map(|weight| weight.name.clone());
    assert_eq!(names.collect::<Vec<_>>(), ["kernel", "recurrent_kernel", "bias"]);
    Ok(())
}

/// Rows are computed as if they were alone, and on any number of threads alike.
#[test]
fn rows_and_threads_do_not_matter() -> Result<()> {
    let (x, y) = data();
    let made = |layer: fn() -> Sequential| {
        let _turn = seeded(Flavor::Keras3, 4);
        layer()
    };
    let kinds: [fn() -> Sequential; 3] = [
        || sequential![Input::new([4, 2]), LSTM::new(5).dropout(0.25), Dense::new(1)],
        || sequential![Input::new([4, 2]), GRU::new(5).recurrent_dropout(0.25), Dense::new(1)],
        || sequential![Input::new([4, 2]), Bidirectional::new(GRU::new(4).reset_after(false)), Dense::new(1)],
    ];
    for kind in kinds {
        let model = made(kind);
        let all = model.predict(&x)?;
        for i in 0..6 {
            assert_eq!(
                model.predict(x.slice(s![i..i + 1, .., ..]))?.index_axis(Axis(0), 0),
                all.index_axis(Axis(0), i)
            );
        }
        let trained = [1, 2, 3, 5].map(|threads| {
            let mut model = made(kind);
            model.run_on(Cpu::new().threads(threads))?;
            model.compile(Compile::new().loss("mse").optimizer("adam"))?;
            model.fit(&x, &y, quiet())?;
            Ok::<_, cornu::Error>(model.weights())
        });
        let [one, others @ ..] = trained;
        let one = one?;
        for other in others {
            assert_eq!(other?, one);
        }
    }
    Ok(())
}

/// A cell of one's own is saved with its package, and read once it is known.
#[test]
fn a_cell_of_ones_own_is_saved_and_read() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    cornu::layers::register::<NoisyCell>();
    let folder = Folder::new("own_cell");
    let both = Bidirectional::new(RNN::new(NoisyCell::new(3, Dropout::new(0.5))).return_state(true));
    let x = Input::new([4, 2]).symbol()?;
    let model = Model::new([&x], both.apply_all([&x])?)?;
    let path = folder.join("m.keras");
    model.save(&path)?;
    let read = load_model(&path)?;
    assert_eq!(read.to_json()?, model.to_json()?);
    assert_eq!(read.predict_all(&data().0)?, model.predict_all(&data().0)?);
    Ok(())
}

/// How many ops there are of that name in a graph, and in the bodies of its loops.
fn count(graph: &cornu_graph::Graph, name: &str) -> (usize, usize) {
    let has = |node: &cornu_graph::Node| usize::from(node.op.to_string().starts_with(name));
    let within = |node: &cornu_graph::Node| {
        let of = |body: &cornu_graph::Body| body.graph().nodes().map(|(_, node)| has(node)).sum::<usize>();
        node.op.bodies().iter().map(of).sum::<usize>()
    };
    graph.nodes().fold((0, 0), |(outside, inside), (_, node)| (outside + has(node), inside + within(node)))
}

/// A step of training is a loop forwards and one backwards. Each multiplies the state alone, all else is done for all steps
/// at once: `x · W`, and the slopes of the weights and of the input.
#[test]
fn a_loop_multiplies_the_state_alone() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    for (layer, weights) in [(LSTM::new(8).shared(), 3), (GRU::new(8).shared(), 3)] {
        let mut model = sequential![Input::new([50, 4]), &layer];
        model.build([50, 4])?;
        let own: Vec<_> = model.variables().weights().cloned().collect();
        let (net, variables) = model.parts();
        let mut cx = Cx::new(variables, true)?;
        let x = cx.input(Type::f32([16, 50, 4]));
        let total = net.call(&mut cx, std::slice::from_ref(&x))?.remove(0).square().sum_all();
        let own: Vec<Tensor> = own.iter().map(|weight| cx.trace().var(weight.id(), weight.ty.clone())).collect();
        assert_eq!(own.len(), weights);
        let slopes = gradients(&total, &[vec![x], own].concat());
        let graph =
            cornu_graph::passes::run(&cx.finish(&[vec![total], slopes].concat(), &[])?, cornu_graph::passes::ALL);
        let what = layer.name();
        assert_eq!(count(&graph, "scan"), (2, 0), "{what}: {graph}");
        assert_eq!(count(&graph, "dot"), (4, 2), "{what}: {graph}");
    }
    Ok(())
}

fn message<T>(result: Result<T>) -> String {
    result.err().map_or_else(|| "no error".into(), |error| error.to_string())
}

#[test]
fn mistakes_name_layer_argument_needed_and_got() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let built = |layer: &dyn Fn() -> Result<Symbol>| message(layer());
    let x = Input::new([4, 2]).symbol()?;
    let rnn = |cell: LayerRef| RNN::new(cell).name("rnn").apply(&x);
    assert_eq!(built(&|| LSTM::new(0).name("a").apply(&x)), "layer `a`: `units` must be at least 1, got 0");
    let error = built(&|| GRU::new(3).use_cudnn(true).name("a").apply(&x));
    assert!(error.starts_with("layer `a`: `use_cudnn` needs kernels of cuDNN, of which there are none"), "{error}");
    let error = built(&|| rnn(Dense::new(3).shared()));
    assert!(error.starts_with("layer `rnn`: `cell` needs a cell, got `Dense`"), "{error}");
    let error = built(&|| Bidirectional::new(Dense::new(3)).name("both").apply(&x));
    assert!(error.starts_with("layer `both`: `layer` needs a recurrence, got `Dense`"), "{error}");
    let error = built(&|| Bidirectional::new(GRU::new(3)).merge_mode("mean").name("both").apply(&x));
    assert!(error.contains("unknown merge mode `mean`; there are `sum`, `mul`, `concat`, `ave`"), "{error}");
    let other = GRU::new(3).return_state(true).go_backwards(true);
    let error = built(&|| Bidirectional::new(GRU::new(3)).backward_layer(other.clone().shared()).apply(&x));
    assert!(error.contains("`backward_layer` needs `return_state` false beside this `layer`, got true"), "{error}");
    let error = built(&|| GRU::new(3).name("gru").apply(&Input::new([4]).symbol()?));
    assert!(error.contains("gru: `sequences` needs [batch, time, ..], got f32["), "{error}");
    let (h, mask) = (Input::new([5]).symbol()?, Input::new([3]).dtype("bool").symbol()?);
    let given = |name: &'static str, what: &Symbol| LSTM::new(3).name("l").apply_named([&x], [(name, what)]).map(drop);
    let error = message(given("initial_state", &h));
    assert!(error.contains("l: `initial_state` needs states of shape ["), "{error}");
    let error = message(given("mask", &mask));
    assert!(
        error.contains("l: `mask` needs shape [") && error.contains(",4], as the sequences have, got ["),
        "{error}"
    );
    let error = built(&|| LSTM::new(3).stateful(true).name("l").apply(&x));
    assert!(error.contains("`rnn_state`") && error.contains("batch_shape"), "{error}");
    let mut model = model_of(LSTM::new(3).stateful(true).name("l"), Some(3))?;
    let (x, y) = data();
    model.fit(&x, &y, quiet())?;
    let error = message(model.fit(&x, &y, quiet().batch_size(4)));
    assert!(error.contains("l: a stateful layer needs batches of 3 rows, as it has states, got 4"), "{error}");
    Ok(())
}
