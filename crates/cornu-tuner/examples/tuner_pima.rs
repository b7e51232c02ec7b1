//! Which network fits the tutorial's table best? Widths, rate and activation are searched for, by the accuracy on rows that
//! training does not see; the rows of the test are looked at once, at the end.
//! `cargo run --release --package cornu-tuner --example tuner_pima`

#[path = "../../cornu/examples/common/synthetic.rs"]
mod synthetic;

use cornu::prelude::*;
use cornu_tuner::prelude::*;

fn main() -> cornu::Result<()> {
    let data = synthetic::pima();
    let (x, y) = (data.drop("8")?, &data["8"]);
    let (x_train, x_test, y_train, y_test) = train_test_split(&x, y, Split::test_size(0.2).random_state(42))?;

    let mut tuner = RandomSearch::new(|hp: &mut HyperParameters| {
        let activation = hp.choice("activation", ["relu", "tanh"]).get();
        let mut model = Sequential::new();
        model.add(Dense::new(hp.int("units", 4..=64).step(4)).activation(activation).input_shape([8]));
        if hp.boolean("second").get() {
            model.add(Dense::new(hp.int("units_2", 4..=32).step(4)).activation(activation));
        }
        model.add(Dense::new(1).activation("sigmoid"));
        let adam = Adam::new().learning_rate(hp.float("lr", 1e-4..=1e-1).log());
        model.compile(Compile::new().loss("binary_crossentropy").optimizer(adam).metrics(["accuracy"]))?;
        Ok(model)
    })
    .objective("val_accuracy")
    .max_trials(100)
    .seed(42);
    println!("{}", tuner.search_space_summary()?);

    tuner.search(&x_train, &y_train, Fit::new().epochs(50).batch_size(10).validation_split(0.2))?;
    println!("\n{}", tuner.results_summary(3));

    let best = tuner.get_best_models(1)?;
    let seen = tuner.get_best_trials(1)[0].score.unwrap_or_default();
    let scores = best[0].evaluate_with(&x_test, &y_test, Evaluate::new().verbose(0))?;
    println!("Accuracy of the best of {} on the rows it was chosen by: {seen:.4}", tuner.trials().len());
    println!("on rows that nobody has looked at: {:.4}", scores["accuracy"]);
    Ok(())
}
