//! The tutorial's next step: the same digits, seen through windows. Two convolutions, 3 epochs.
//! `cargo run --release --example mnist_convnet`

#[path = "common/synthetic.rs"]
mod synthetic;

use cornu::prelude::*;

fn main() -> cornu::Result<()> {
    let ((x_train, y_train), (x_test, y_test)) = datasets::mnist::load_data().unwrap_or_else(|error| {
        eprintln!("{error}\nno data: going on with made-up digits of the same shape, so the numbers will be others\n");
        synthetic::mnist(20_000, 2_000)
    });
    let (x_train, x_test) = (x_train.mapv(|ink| f32::from(ink) / 255.0), x_test.mapv(|ink| f32::from(ink) / 255.0));

    set_random_seed(42);
    let mut model = sequential![
        Reshape::new([28, 28, 1]).input_shape([28, 28]),
        Conv2D::new(32, 3).activation("relu"),
        MaxPooling2D::new(),
        Conv2D::new(64, 3).activation("relu"),
        MaxPooling2D::new(),
        Flatten::new(),
        Dropout::new(0.5),
        Dense::new(10),
    ];
    let loss = SparseCategoricalCrossentropy::new().from_logits(true);
    model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
    model.print_summary()?;

    model.fit(&x_train, &y_train, Fit::new().epochs(3).batch_size(128).validation_split(0.1))?;
    let scores = model.evaluate_with(&x_test, &y_test, Evaluate::new().verbose(2))?;
    println!("Test accuracy: {:?}", scores["accuracy"]);

    model.save("keras_convnet_42.keras")?;
    println!("saved as keras_convnet_42.keras");
    Ok(())
}
