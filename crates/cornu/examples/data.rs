//! A table from the net, looked at, scaled, and a guess judged: `cargo run --example data [FILE OR ADDRESS]`.

#[path = "common/synthetic.rs"]
mod synthetic;

use cornu::data::{MinMaxScaler, Table, accuracy_score, classification_report};
use cornu::datasets::pima;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let table = match std::env::args().nth(1) {
        Some(place) => Table::read_csv(place)?,
        None => pima::load_data().unwrap_or_else(|error| {
            eprintln!("{error}\nmade-up data of the same shape instead");
            synthetic::pima()
        }),
    };
    println!("{}\n\n{}\n", table.head(5), table.describe()?);

    let Some(label) = table.columns().last() else { return Ok(()) };
    let x = MinMaxScaler::new().fit_transform(&table.drop(label.name())?)?.to_ndarray::<f64>()?;
    println!("scaled to 0..1: {:.4}\n", x.row(0));

    if table.names() == ["0", "1", "2", "3", "4", "5", "6", "7", "8"] {
        let guess: Vec<bool> = x.column(1).iter().map(|&glucose| glucose > 0.7).collect();
        println!("{}", classification_report(label, &guess)?.target_names(["healthy", "diabetes"])?);
        println!("Accuracy: {}", accuracy_score(label, &guess)?);
    }
    Ok(())
}
