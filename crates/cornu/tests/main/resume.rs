//! Training that goes on from a file: what is restored, to the bit.

use crate::seeds::seeded;
use cornu::choice::Choice;
use cornu::optimizers::schedules::ExponentialDecay;
use cornu::optimizers::{Adagrad, LossScaleOptimizer, Nadam, Optimizer};
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu::{Result, Sequential};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::{self, Report, close};

const X: [[f64; 3]; 8] = [
    [0.1, 0.2, -0.3],
    [0.3, -0.7, 0.9],
    [1.1, 0.5, 0.4],
    [-0.9, 0.4, 0.0],
    [0.6, -0.2, 1.3],
    [-0.4, 0.8, 0.7],
    [0.2, 0.9, -1.1],
    [1.4, -1.0, 0.5],
];
const Y: [f64; 8] = [0.3, 0.9, 0.1, 0.7, 0.2, 0.4, 1.0, 0.0];

/// Makes an optimizer.
type Make = fn() -> Choice<dyn Optimizer>;

fn model(optimizer: Choice<dyn Optimizer>) -> Result<Sequential> {
    let hidden =
        Dense::new(4).input_shape([3]).activation("tanh").kernel_regularizer("l2").kernel_constraint("max_norm");
    let mut model = sequential![hidden, Dense::new(1).activation("sigmoid")];
    model.compile(Compile::new().loss("binary_crossentropy").optimizer(optimizer))?;
    Ok(model)
}

fn epochs(model: &mut Model, from: usize, to: usize) -> Result<Vec<f64>> {
    let fit = Fit::new().initial_epoch(from).epochs(to).batch_size(3).shuffle(false).verbose(0);
    Ok(model.fit(&X, &Y, fit)?["loss"].clone())
}

const OPTIMIZERS: [(&str, Make); 13] = [
    ("SGD", || SGD::new().learning_rate(0.3).into()),
    ("SGD with momentum", || SGD::new().learning_rate(0.1).momentum(0.9).nesterov(true).clipnorm(0.5).into()),
    ("RMSprop", || RMSprop::new().into()),
    ("RMSprop, centered", || RMSprop::new().momentum(0.5).centered(true).weight_decay(0.01).into()),
    ("Adam", || Adam::new().learning_rate(0.01).into()),
    ("Adam with the largest mean", || Adam::new().amsgrad(true).global_clipnorm(0.7).into()),
    ("AdamW", || AdamW::from(0.02).weight_decay(0.1).into()),
    ("Adagrad", || Adagrad::from(0.2).initial_accumulator_value(0.5).into()),
    ("Adam with means of the weights", || Adam::new().use_ema(true).ema_momentum(0.8).into()),
    ("SGD by a schedule", || SGD::new().momentum(0.5).learning_rate(ExponentialDecay::new(0.3, 4, 0.5)).into()),
    ("SGD with gathered gradients", || SGD::from(0.3).gradient_accumulation_steps(3i64).into()),
    ("Nadam", || Nadam::from(0.03).into()),
    ("Adam with a scale of the loss", || LossScaleOptimizer::new(Adam::from(0.02)).dynamic_growth_steps(3i64).into()),
];

/// Six epochs are three, a file and three more: for what a file of Keras holds. Orders of shuffled rows and streams of
/// dropout it does not hold.
#[test]
fn six_epochs_are_three_and_three_more_after_a_file() -> Result<()> {
    let folder = Folder::new("resume");
    let path = folder.join("model.keras");
    let mut report = Report::default();
    for (flavor, save) in [Flavor::Keras2, Flavor::Keras3]
        .into_iter()
        .flat_map(|flavor| [Save::new(), Save::new().keras(2), Save::new().keras(3)].map(|save| (flavor, save)))
    {
        for (name, optimizer) in &OPTIMIZERS {
            let _turn = seeded(flavor, 3);
            // A fit ends with the means, which go into the file; Keras 2 has no product of Nadam's and gathers nothing.
            let only_keras_3 = ["Nadam", "SGD with gathered gradients"].contains(name);
            if name.ends_with("means of the weights") || only_keras_3 && format!("{save:?}").contains("Some(2)") {
                continue;
            }
            let (mut whole, mut first) = (model(optimizer())?, model(optimizer())?);
            first.set_weights(&whole.weights())?;
            let losses = epochs(&mut whole, 0, 6)?;
            let mut parts = epochs(&mut first, 0, 3)?;
            first.save_with(&path, save)?;
            let mut second = load_model(&path)?;
            set_flavor(Flavor::Keras2);
            parts.extend(epochs(&mut second, 3, 6)?);
            let same = parts == losses && second.weights() == whole.weights();
            let state = |model: &Model| model.optimizer_state().map(|state| (state.iterations, state.learning_rate));
            let same = same && state(&second) == state(&whole);
            report.case(
                &format!("{flavor:?} {save:?} {name}"),
                if same { Ok(()) } else { Err(format!("{parts:?}, want {losses:?}")) },
            );
        }
    }
    report.finish();
    Ok(())
}

/// What each Keras saved in the middle of a training goes on as it does there (`testdata/optimizers`).
#[test]
fn trainings_go_on_from_files_of_both_kerases() -> Result<()> {
    let (x, y) = ([[0.5, -1.0], [1.5, 0.25], [-0.75, 2.0], [0.125, 0.5]], [[1.0], [-0.5], [0.25], [2.0]]);
    let folder = Folder::new("optimizers");
    let mut report = Report::default();
    for (flavor, name) in [(Flavor::Keras2, "keras2"), (Flavor::Keras3, "keras3")] {
        let _turn = seeded(flavor, 3);
        let files = golden::own("../optimizers").join(name);
        for (case, wanted) in golden::read(&files.join("weights.json")).as_object().expect("cases") {
            let id = format!("{name} {case}");
            // Keras 2 multiplies the product of its Nadam once for each weight, which nobody follows.
            let follows = id != "keras2 nadam";
            let mut model = load_model(files.join(format!("{case}.keras")))?;
            let path = folder.join("again.keras");
            // What is written from it is as good as what was read.
            model.save(&path)?;
            let mut again = load_model(&path)?;
            for i in 3..6 {
                let rows = i % 2 * 2..i % 2 * 2 + 2;
                model.train_on_batch(&x[rows.clone()], &y[rows.clone()])?;
                again.train_on_batch(&x[rows.clone()], &y[rows])?;
            }
            assert_eq!(model.weights(), again.weights(), "{id}: written and read");
            assert_eq!(model.optimizer_state(), again.optimizer_state(), "{id}: written and read");
            for (got, want) in model.weights().iter().zip(wanted["after"].as_array().expect("weights")) {
                let flat: Vec<f64> = numbers(want);
                let got = Array::vector(got.iter().map(|&w| f64::from(w)).collect());
                report.case(&id, if follows { close(&got, &Array::vector(flat), 1e-6, 1e-7) } else { Ok(()) });
            }
        }
    }
    report.finish();
    Ok(())
}

/// All numbers in nested lists.
fn numbers(json: &serde_json::Value) -> Vec<f64> {
    json.as_array().map_or_else(|| json.as_f64().into_iter().collect(), |all| all.iter().flat_map(numbers).collect())
}
