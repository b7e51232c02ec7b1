//! Dropout's masks, step by step, bit for bit.

use cornu::Cx;
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu_graph::{Array, Feed, ProgramId, Tensor, Type};
use cornu_testkit::golden::{Report, json};
use serde_json::Value;

use crate::seeds::seeded;

/// The batches of three epochs of ten rows, four at a time.
const BATCHES: [usize; 9] = [4, 4, 2, 4, 4, 2, 4, 4, 2];

/// A program that gives the outputs of both dropouts for a batch of ones.
fn program(model: &mut Sequential, rows: usize) -> ProgramId {
    let (net, variables) = model.parts();
    let mut cx = Cx::new(variables, true).expect("a built model");
    let mut x = cx.input(Type::f32([rows, 5]));
    let mut outputs: Vec<Tensor> = Vec::new();
    for entry in &net.layers[..2] {
        // Each dropout is given ones, so that its output shows its mask.
        let alone = cornu::Net {
            layers: vec![entry.clone()],
            calls: vec![cornu::Call { layer: 0, inputs: vec![cornu::Wire::Input(0)] }],
            outputs: vec![cornu::Wire::Output { call: 0, output: 0 }],
            ..cornu::Net::default()
        };
        outputs.extend(alone.call(&mut cx, "model", &[x.clone()]).expect("a sound layer"));
        x = x.clone();
    }
    let graph = cx.finish(&outputs, &[]).expect("a sound graph");
    variables.session().and_then(|session| session.compile(&graph)).expect("a program")
}

fn mask(array: &Array) -> String {
    (0..array.len()).map(|i| if array.get(i) == 0.0 { '0' } else { '1' }).collect()
}

fn masks_of(rates: [f64; 2], golden: &Value) -> Result<(), String> {
    set_random_seed(42);
    let mut model = Sequential::named("model");
    model.add(Dropout::new(rates[0]).input_shape([5])).add(Dropout::new(rates[1])).add(Dense::new(1));
    let programs = [4, 2].map(|rows| (rows, program(&mut model, rows)));
    for (step, rows) in BATCHES.into_iter().enumerate() {
        let ones = Array::from_fn(&Type::f32([rows, 5]), |_| 1.0);
        let (_, program) = programs[usize::from(rows == 2)];
        let session = model.parts().1.session().map_err(|error| error.to_string())?;
        session.run(program, &[Feed::Whole(&ones)]).map_err(|error| error.to_string())?;
        for (layer, key) in ["dropout1", "dropout2"].into_iter().enumerate() {
            let got = session.output(program, layer).map_err(|error| error.to_string())?;
            let (got_mask, want) = (mask(&got), golden[key][step].as_str().unwrap_or_default());
            if got_mask != want {
                return Err(format!("step {step}, {key}: got {got_mask}, want {want}"));
            }
            let scale = golden[format!("kept_scale_{}", layer + 1)].as_f64().unwrap_or_default() as f32;
            if got.to_vec::<f32>().iter().any(|&value| value != 0.0 && value != scale) {
                return Err(format!("step {step}, {key}: kept elements are not {scale}"));
            }
        }
    }
    Ok(())
}

fn check(flavor: Flavor, file: &str) {
    let _turn = seeded(flavor, 42);
    let golden = json("random", file);
    let mut report = Report::default();
    for rates in [[0.5, 0.2], [0.3, 0.75]] {
        let name = format!("p1={} p2={}", rates[0], rates[1]);
        report.case(&name, masks_of(rates, &golden[&name]));
    }
    report.finish();
    set_flavor(Flavor::Keras2);
}

#[test]
fn masks_are_those_of_keras_2() {
    check(Flavor::Keras2, "keras213_dropout.json");
}

#[test]
fn masks_are_those_of_keras_3() {
    check(Flavor::Keras3, "keras3_dropout.json");
}
