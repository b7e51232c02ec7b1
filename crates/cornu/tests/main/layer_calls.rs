//! A call of one layer as a golden case has it: tensors and flags by position and name, and all that comes of it.

use cornu::layers::{LayerRef, Wire};
use cornu::{Apply, Cx, Keyword, Model, Named, Symbol};
use cornu_graph::{Array, DType, Tensor, gradients};
use cornu_testkit::golden::Case;
use serde_json::{Value, json};

/// A case, and a model of its layer alone.
pub(crate) struct LayerCall<'a> {
    case: Case<'a>,
    model: Model,
    outputs: Vec<Symbol>,
    /// What is given, in order, and where it stands in the call: `args.0.1`, `kwargs.mask`.
    inputs: Vec<(String, Array)>,
}

/// What comes of one call.
struct Outcome {
    outputs: Vec<Array>,
    /// The masks of the outputs that have one.
    masks: Vec<Option<Array>>,
    penalty: Array,
    slopes_of_inputs: Vec<Array>,
    slopes_of_weights: Vec<Array>,
}

#[allow(clippy::needless_pass_by_value)]
fn text(error: cornu::Error) -> String {
    error.to_string()
}

/// All that is no list, with its path.
fn leaves(json: &Value, path: &str) -> Vec<(String, Value)> {
    match json {
        Value::Array(list) => {
            list.iter().enumerate().flat_map(|(at, json)| leaves(json, &format!("{path}.{at}"))).collect()
        }
        other => vec![(path.to_owned(), other.clone())],
    }
}

/// What is given, in order: name, if it is by name; path; value.
fn given(call: &Value) -> Vec<(Option<String>, String, Value)> {
    let by_position = leaves(&call["args"], "args").into_iter().map(|(path, json)| (None, path, json));
    let by_name = call["kwargs"].as_object().into_iter().flatten().flat_map(|(name, json)| {
        let leaves = leaves(json, &format!("kwargs.{name}"));
        leaves.into_iter().map(|(path, json)| (Some(name.clone()), path, json))
    });
    by_position.chain(by_name).filter(|(.., json)| !json.is_null()).collect()
}

impl<'a> LayerCall<'a> {
    /// The layer, built for batches of any size; that of one that is called several times is fixed. With the floats of the
    /// case, or in doubles.
    pub(crate) fn new(case: Case<'a>, layer: &LayerRef, doubles: bool) -> Result<LayerCall<'a>, String> {
        let (mut symbols, mut keywords, mut inputs): (Vec<Symbol>, Vec<(String, Keyword)>, Vec<_>) = Default::default();
        let mut all = Vec::new();
        for (name, path, json) in given(&case.json["call"]) {
            if let (Some(name), Value::Bool(flag)) = (&name, &json) {
                keywords.push((name.clone(), Keyword::Flag(*flag)));
                continue;
            }
            let array = case.array(&json).ok_or_else(|| format!("`{path}` is no array: {json}"))?;
            let array = if doubles && array.dtype().is_float() { array.cast(DType::F64) } else { array };
            let is_open = case.json["calls"].is_null();
            let sizes = array.shape().iter().enumerate().map(|(axis, size)| (!is_open || axis > 0).then_some(*size));
            let input = cornu::layers::Input::batch_shape(sizes.collect::<Vec<_>>()).dtype(array.dtype().keras_name());
            let symbol = input.symbol().map_err(text)?;
            inputs.push((path, array));
            all.push(symbol.clone());
            match name {
                Some(name) => keywords.push((name, Keyword::Tensor(symbol))),
                None => symbols.push(symbol),
            }
        }
        let keywords = keywords.iter().map(|(name, keyword)| (&**name, keyword.clone()));
        let outputs = layer.apply_named(&symbols, keywords).map_err(text)?;
        let model = Model::named("model", &all, &outputs).map_err(text)?;
        Ok(LayerCall { case, model, outputs, inputs })
    }

    pub(crate) fn model(&self) -> &Model {
        &self.model
    }

    /// Whether it was built for batches of any size.
    pub(crate) fn is_open(&self) -> bool {
        self.case.json["calls"].is_null()
    }

    /// The shapes of the outputs, `null` where they are open.
    pub(crate) fn output_shapes(&self) -> Vec<Value> {
        self.outputs.iter().map(|output| json!(output.shape())).collect()
    }

    /// Keras's weights have the values of the case.
    fn set_weights(&self) -> Result<(), String> {
        let values = self.case.all(&self.case.json["weights"]);
        let own = self.weights();
        let mut pairs = own.iter().zip(values);
        pairs.try_for_each(|(variable, value)| variable.write(&value.cast(variable.ty.dtype))).map_err(text)
    }

    fn weights(&self) -> Vec<Named> {
        self.model.variables().weights().cloned().collect()
    }

    /// One call, and the slopes of the sum of all outputs times those cotangents. What it changes stays changed.
    fn run(&mut self, training: bool, grads: &Value) -> Result<Outcome, String> {
        let learning: Vec<Named> = self.model.variables().trainable().cloned().collect();
        let cotangents: Vec<Option<Array>> =
            grads["cotangents"].as_array().into_iter().flatten().map(|json| self.case.array(json)).collect();
        let (net, variables) = self.model.parts();
        let mut cx = Cx::new(variables, training).map_err(text)?;
        let inputs: Vec<Tensor> = self.inputs.iter().map(|(_, array)| cx.input(array.ty())).collect();
        let wires = inputs.iter().cloned().map(Wire::from).collect::<Vec<_>>();
        let wires = net.trace(&mut cx, &wires).map_err(text)?;
        let zero = cx.trace().constant(Array::scalar(0.0f32));
        let of = |(wire, cotangent): (&Wire, &Option<Array>)| {
            let cotangent = cotangent.clone()?.cast(wire.tensor.dtype());
            Some((&wire.tensor * cx.trace().constant(cotangent)).sum_all())
        };
        let total = wires.iter().zip(&cotangents).filter_map(of).fold(zero.clone(), |sum, part| sum + part);
        let weights = learning.iter().map(|variable| cx.trace().var(variable.id(), variable.ty.clone()));
        let floats = |x: &&Tensor| x.dtype().is_float();
        let wanted: Vec<Tensor> = inputs.iter().filter(floats).cloned().chain(weights).collect();
        let slopes = if total.value() == zero.value() { Vec::new() } else { gradients(&total, &wanted) };
        let penalty = cx.losses().iter().fold(zero, |sum, loss| sum + loss);
        let masks: Vec<&Tensor> = wires.iter().filter_map(|wire| wire.mask.as_ref()).collect();
        let outputs: Vec<Tensor> =
            wires.iter().map(|wire| &wire.tensor).chain([&penalty]).chain(masks).cloned().collect();
        let graph = cx.finish(&[outputs, slopes].concat(), &[]).map_err(text)?;
        let arrays: Vec<Array> = self.inputs.iter().map(|(_, array)| array.clone()).collect();
        let results = variables.session().and_then(|session| session.once(&graph, &arrays)).map_err(text)?;
        let mut results = results.into_iter();
        let mut take = |count: usize| results.by_ref().take(count).collect::<Vec<Array>>();
        Ok(Outcome {
            outputs: take(wires.len()),
            penalty: take(1).remove(0),
            masks: wires.iter().map(|wire| wire.mask.as_ref().map(|_| take(1).remove(0))).collect(),
            slopes_of_inputs: take(inputs.iter().filter(floats).count()),
            slopes_of_weights: take(learning.len()),
        })
    }

    fn near(&self, what: &str, part: &str, got: &Array, want: &Value) -> Result<(), String> {
        self.case.near(part, got, want).map_err(|problem| format!("{what}: {problem}"))
    }

    fn all_near(&self, what: &str, got: &[Array], want: &Value) -> Result<(), String> {
        let want = leaves(want, what);
        if got.len() != want.len() {
            return Err(format!("{what}: got {}, want {}", got.len(), want.len()));
        }
        want.iter().zip(got).try_for_each(|((path, want), got)| self.near(path, "outputs", got, want))
    }

    /// The slopes of inputs, by their paths, and of weights, in order.
    fn slopes_fit(&self, outcome: &Outcome, grads: &Value) -> Result<(), String> {
        let floats = self.inputs.iter().filter(|(_, array)| array.dtype().is_float());
        let of_inputs: Vec<(&String, &Array)> = floats.map(|(path, _)| path).zip(&outcome.slopes_of_inputs).collect();
        for (path, want) in grads["inputs"].as_object().into_iter().flatten() {
            let got = of_inputs.iter().find(|(known, _)| *known == path).ok_or(format!("no slope of `{path}`"))?;
            self.slope_fits(&format!("the slope of `{path}`"), got.1, want)?;
        }
        let want = grads["weights"].as_array().ok_or("no slopes of weights")?;
        if want.len() != outcome.slopes_of_weights.len() {
            return Err(format!("slopes of weights: got {}, want {}", outcome.slopes_of_weights.len(), want.len()));
        }
        let mut pairs = outcome.slopes_of_weights.iter().zip(want);
        pairs.try_for_each(|(got, want)| self.slope_fits(&format!("the slope of {}", want["path"]), got, &want["grad"]))
    }

    /// Nothing is written where the outputs do not depend on it.
    fn slope_fits(&self, what: &str, got: &Array, want: &Value) -> Result<(), String> {
        let none = |array: &Array| (0..array.len()).all(|at| array.get(at) == 0.0);
        match self.case.array(want) {
            None if none(got) => Ok(()),
            None => Err(format!("{what}: got some, want none")),
            Some(wanted) if none(got) && !none(&wanted) => Err(format!("{what}: none reaches it")),
            Some(_) => self.near(what, "grads", got, want),
        }
    }

    /// The masks of all outputs, by their paths: `""` where there is one.
    fn masks_fit(&self, outcome: &Outcome) -> Result<(), String> {
        let alone = self.case.json["outputs"].is_object();
        for ((path, _), got) in leaves(&self.case.json["outputs"], "").iter().zip(&outcome.masks) {
            let path = if alone { "" } else { &path[1..] };
            match (got, &self.case.json["output_mask"][path]) {
                (None, Value::Null) => {}
                (Some(got), want) if !want.is_null() => self.near("the mask", "outputs", got, want)?,
                (got, want) => return Err(format!("the mask of output `{path}`: got {got:?}, want {want}")),
            }
        }
        Ok(())
    }

    /// A step of training: outputs, slopes, and the weights after it.
    fn trains(&mut self) -> Result<(), String> {
        let train = &self.case.json["train"];
        let outcome = self.run(true, &train["grads"])?;
        self.all_near("training", &outcome.outputs, &train["outputs"])?;
        if train["grads"].is_object() {
            self.slopes_fit(&outcome, &train["grads"]).map_err(|problem| format!("training: {problem}"))?;
        }
        let after = self.weights().iter().map(|variable| variable.read()).collect::<Vec<_>>();
        self.all_near("weights after training", &after, &train["weights_after"])
    }

    /// Calls one after the other, each of which begins where the last has ended: states are what is no weight of Keras's.
    fn goes_on(&mut self, calls: &Value) -> Result<(), String> {
        for (at, want) in calls["outputs"].as_array().into_iter().flatten().enumerate() {
            let outcome = self.run(false, &Value::Null)?;
            self.all_near(&format!("call {at}"), &outcome.outputs, want)?;
            let weights: Vec<String> = self.weights().into_iter().map(|variable| variable.path).collect();
            let is_state = |variable: &&Named| variable.ty.dtype.is_float() && !weights.contains(&variable.path);
            let states: Vec<Array> =
                self.model.variables().all().iter().filter(is_state).map(|variable| variable.read()).collect();
            self.all_near(&format!("states after call {at}"), &states, &calls["states"][at])?;
        }
        Ok(())
    }
}

/// Weights, inputs and cotangents of the case give the outputs, masks, penalties and slopes of the case.
pub(crate) fn numbers_fit(call: &mut LayerCall) -> Result<(), String> {
    let json = call.case.json;
    call.set_weights()?;
    if json["calls"].is_object() {
        call.goes_on(&json["calls"])?;
        return Ok(());
    }
    let outcome = call.run(false, &json["grads"])?;
    call.all_near("outputs", &outcome.outputs, &json["outputs"])?;
    call.masks_fit(&outcome)?;
    if let Some(losses) = json["losses"].as_array() {
        let want: f64 = losses.iter().filter_map(|loss| loss["$scalar"].as_f64()).sum();
        call.near("penalties", "outputs", &outcome.penalty, &json!({ "$scalar": want, "dtype": "float32" }))?;
    }
    if json["grads"].is_object() {
        call.slopes_fit(&outcome, &json["grads"])?;
    }
    if json["train"].is_object() {
        call.set_weights()?;
        call.trains()?;
    }
    Ok(())
}

/// Along one direction, in which all that has a slope moves at once, the slopes of a call in doubles are differences.
pub(crate) fn slopes_are_differences(call: &mut LayerCall) -> Result<(), String> {
    const STEP: f64 = 1e-6;
    let grads = &call.case.json["grads"];
    call.set_weights()?;
    let outcome = call.run(false, grads)?;
    let direction = |at: usize, salt: usize| ((at * 7919 + salt * 104_729) % 13) as f64 / 6.0 - 1.0;
    let has_slope = |slope: &Array| (0..slope.len()).any(|at| slope.get(at) != 0.0);
    let moved = |array: &Array, slope: &Array, salt: usize, by: f64| {
        let by = if has_slope(slope) { by } else { 0.0 };
        Array::from_fn(&array.ty(), |at| array.get(at) + by * direction(at, salt))
    };
    let slopes = outcome.slopes_of_inputs.iter().chain(&outcome.slopes_of_weights).enumerate();
    let along =
        |(salt, slope): (usize, &Array)| (0..slope.len()).map(|at| slope.get(at) * direction(at, salt)).sum::<f64>();
    let slope: f64 = slopes.map(along).sum();
    let learning: Vec<Named> = call.model.variables().trainable().cloned().collect();
    let starts: Vec<Array> = learning.iter().map(|variable| variable.read()).collect();
    let (inputs, floats) = (call.inputs.clone(), outcome.slopes_of_inputs.len());
    let mut total = |by: f64| -> Result<f64, String> {
        let mut salts = 0..;
        for (own, (_, start)) in call.inputs.iter_mut().zip(&inputs).filter(|(_, (_, start))| start.dtype().is_float())
        {
            let salt = salts.next().unwrap_or_default();
            own.1 = moved(start, &outcome.slopes_of_inputs[salt], salt, by);
        }
        for (at, (variable, start)) in learning.iter().zip(&starts).enumerate() {
            variable.write(&moved(start, &outcome.slopes_of_weights[at], floats + at, by)).map_err(text)?;
        }
        let outputs = call.run(false, &Value::Null)?.outputs;
        let cotangents = grads["cotangents"].as_array().ok_or("no cotangents")?;
        let of = |(y, json): (&Array, &Value)| {
            let cotangent = call.case.array(json)?;
            Some((0..y.len()).map(|at| y.get(at) * cotangent.get(at)).sum::<f64>())
        };
        Ok(outputs.iter().zip(cotangents).filter_map(of).sum())
    };
    let difference = (total(STEP)? - total(-STEP)?) / (2.0 * STEP);
    if (slope - difference).abs() <= 1e-6 * difference.abs().max(1.0) {
        return Ok(());
    }
    Err(format!("the slope is {slope}, the difference {difference}"))
}
