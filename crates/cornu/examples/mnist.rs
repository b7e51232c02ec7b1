//! The tutorial's second half: which digit is this? Images, a network of 28x28-128-10, 5 epochs.
//! `cargo run --release --example mnist`

#[path = "common/synthetic.rs"]
mod synthetic;

use cornu::prelude::*;

fn main() -> cornu::Result<()> {
    let ((x_train, y_train), (x_test, y_test)) = datasets::mnist::load_data().unwrap_or_else(|error| {
        eprintln!("{error}\nno data: going on with made-up digits of the same shape, so the numbers will be others\n");
        synthetic::mnist(60_000, 10_000)
    });
    let (x_train, x_test) = (x_train.mapv(|ink| f32::from(ink) / 255.0), x_test.mapv(|ink| f32::from(ink) / 255.0));

    set_random_seed(42);
    let mut model =
        sequential![Flatten::new().input_shape([28, 28]), Dense::new(128).activation("relu"), Dense::new(10),];
    let loss = SparseCategoricalCrossentropy::new().from_logits(true);
    model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
    model.print_summary()?;

    model.fit(&x_train, &y_train, Fit::new().epochs(5))?;
    let scores = model.evaluate(&x_train, &y_train)?;
    println!("Train accuracy: {:?}", scores["accuracy"]);
    let scores = model.evaluate_with(&x_test, &y_test, Evaluate::new().verbose(2))?;
    println!("Test accuracy: {:?}", scores["accuracy"]);

    model.save("keras_28x28-128-10_42.keras")?;
    println!("saved as keras_28x28-128-10_42.keras");
    Ok(())
}
