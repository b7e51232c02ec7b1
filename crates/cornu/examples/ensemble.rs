//! Thirty-two networks of 8-12-8-1 that differ in their first weights, trained together, and what they say as one.
//! `cargo run --release --example ensemble`

#[path = "common/synthetic.rs"]
mod synthetic;

use cornu::prelude::*;
use cornu::random::{Flavor, Seeds};
use cornu::train::fit_together;

/// One of the networks.
fn network(seed: u32) -> cornu::Result<Sequential> {
    let mut model = Sequential::seeded(Flavor::Keras2, Seeds::new(seed));
    model.add(Dense::new(12).input_shape([8]).activation("relu"));
    model.add(Dense::new(8).activation("relu"));
    model.add(Dense::new(1).activation("sigmoid"));
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    Ok(model)
}

fn main() -> cornu::Result<()> {
    let data = Table::read_csv(datasets::pima::URL).unwrap_or_else(|error| {
        eprintln!("{error}\nno data: going on with made-up rows of the same shape, so the numbers will be others\n");
        synthetic::pima()
    });
    let (x, y) = (data.drop("8")?, &data["8"]);
    let split = Split::test_size(0.2).random_state(42);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;

    let mut models = (0..32).map(network).collect::<cornu::Result<Vec<_>>>()?;
    fit_together(&mut models, &x_train, &y_train, Fit::new().epochs(150).batch_size(10))?;

    let predict = |model: &Sequential| model.predict_with(&x_test, Predict::new().verbose(0));
    let mut mean = predict(&models[0])? * 0.0;
    for (number, model) in models.iter().enumerate() {
        let y_pred = predict(model)?;
        println!("network {number:2}: test accuracy {:.4}", accuracy_score(&y_test, &y_pred.round())?);
        mean += &(y_pred / models.len() as f32);
    }
    println!("their mean: test accuracy {:.4}", accuracy_score(&y_test, &mean.round())?);
    Ok(())
}
