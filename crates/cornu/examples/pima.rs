//! The tutorial's first half: who has diabetes? A table, a network of 8-12-8-1, 150 epochs.
//! `cargo run --release --example pima`

#[path = "common/synthetic.rs"]
mod synthetic;

use cornu::display::numpy;
use cornu::prelude::*;

fn main() -> cornu::Result<()> {
    let data = Table::read_csv(datasets::pima::URL).unwrap_or_else(|error| {
        eprintln!("{error}\nno data: going on with made-up rows of the same shape, so the numbers will be others\n");
        synthetic::pima()
    });
    let (x, y) = (data.drop("8")?, &data["8"]);
    let split = Split::test_size(0.2).random_state(42);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, split)?;
    println!("{:#}\n", x_train.head(5));

    set_random_seed(42);
    let mut model = Sequential::new();
    model.add(Dense::new(12).input_shape([8]).activation("relu"));
    model.add(Dense::new(8).activation("relu"));
    model.add(Dense::new(1).activation("sigmoid"));
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    model.print_summary()?;

    let history = model.fit(&x_train, &y_train, Fit::new().epochs(150).batch_size(10))?;
    let last = history.epoch.len() - 1;
    println!("\nLoss of the first epoch {:.4}, of the last {:.4}", history["loss"][0], history["loss"][last]);

    let scores = model.evaluate(&x_train, &y_train)?;
    println!("Accuracy: {:?}", scores["accuracy"]);

    let y_pred = model.predict(&x_test)?;
    println!("\nThe first 15 predictions:\n{}", numpy(y_pred.slice(ndarray::s![..15, ..])));
    println!("rounded:\n{}", numpy(y_pred.round().slice(ndarray::s![..15, 0])));
    println!("Test accuracy: {:?}", accuracy_score(&y_test, &y_pred.round())?);
    println!("\n{}", classification_report(&y_test, &y_pred.round())?.target_names(["healthy", "diabetes"])?);

    model.save("keras_8-12-8-1_42.keras")?;
    println!("saved as keras_8-12-8-1_42.keras");
    Ok(())
}
