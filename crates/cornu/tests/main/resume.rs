//! Training that goes on from a file: what is restored, to the bit.

use crate::seeds::seeded;
use cornu::choice::Choice;
use cornu::optimizers::Optimizer;
use cornu::prelude::*;
use cornu::random::{Flavor, set_flavor};
use cornu::{Result, Sequential};
use cornu_testkit::folder::Folder;
use cornu_testkit::golden::Report;

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

/// Six epochs are three, a file and three more: for what a file of Keras holds. Orders of shuffled rows and streams of
/// dropout it does not hold.
#[test]
fn six_epochs_are_three_and_three_more_after_a_file() -> Result<()> {
    let folder = Folder::new("resume");
    let path = folder.join("model.keras");
    let mut report = Report::default();
    let optimizers: [(&str, Make); 6] = [
        ("SGD", || SGD::new().learning_rate(0.3).into()),
        ("SGD with momentum", || SGD::new().learning_rate(0.1).momentum(0.9).nesterov(true).clipnorm(0.5).into()),
        ("RMSprop", || RMSprop::new().into()),
        ("RMSprop, centered", || RMSprop::new().momentum(0.5).centered(true).weight_decay(0.01).into()),
        ("Adam", || Adam::new().learning_rate(0.01).into()),
        ("Adam with the largest mean", || Adam::new().amsgrad(true).global_clipnorm(0.7).into()),
    ];
    for (flavor, save) in [Flavor::Keras2, Flavor::Keras3]
        .into_iter()
        .flat_map(|flavor| [Save::new(), Save::new().keras(2), Save::new().keras(3)].map(|save| (flavor, save)))
    {
        for (name, optimizer) in &optimizers {
            let _turn = seeded(flavor, 3);
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
