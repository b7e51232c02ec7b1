//! Two inputs, two outputs: what will a bicycle ride take, and will there be rain? A place, as a number that an embedding
//! turns into a few, and measurements. Made-up data, 15 epochs.
//! `cargo run --release --example two_inputs`

use cornu::prelude::*;
use ndarray::{Array1, Array2};

const PLACES: usize = 5;
/// Metres to climb on the way to each.
const CLIMB: [f32; PLACES] = [0.0, 40.0, 120.0, 200.0, 300.0];

/// Places; kilometres, wind and clouds, each from 0 to 1; minutes, in hundreds; and whether it rains.
fn rides(count: usize) -> (Array1<i32>, Array2<f32>, Array1<f32>, Array1<f32>) {
    // Steps of an irrational length look random, and fill every stretch evenly.
    let part = |i: usize, step: f64| ((i as f64 * step).fract()) as f32;
    let steps = [0.618_033_988_75, 0.754_877_666_25, 0.569_840_290_99];
    let places = Array1::from_shape_fn(count, |i| (part(i, 0.414_213_562_37) * PLACES as f32) as i32);
    let measured = Array2::from_shape_fn((count, 3), |(i, j)| part(i + 1, steps[j]));
    let minutes = measured
        .outer_iter()
        .zip(&places)
        .map(|(row, &place)| 0.1 + row[0] * (0.8 + 0.6 * row[1]) + CLIMB[place as usize] / 400.0);
    let rain =
        measured.outer_iter().zip(&places).map(|(row, &place)| f32::from(u8::from(row[2] + 0.1 * place as f32 > 0.8)));
    let (minutes, rain) = (minutes.collect(), rain.collect());
    (places, measured, minutes, rain)
}

fn main() -> cornu::Result<()> {
    let (places, measured, minutes, rain) = rides(4_000);
    set_random_seed(42);

    let place = Input::new(()).dtype("int32").name("place").symbol()?;
    let weather = Input::new([3]).name("weather").symbol()?;
    let known = Embedding::new(PLACES, 3).apply(&place)?;
    let hidden = Dense::new(32).activation("relu").apply(&Concatenate::new().apply([&known, &weather])?)?;
    let hidden = Dense::new(32).activation("relu").apply(&hidden)?;
    let time = Dense::new(1).name("minutes").apply(&hidden)?;
    let wet = Dense::new(1).activation("sigmoid").name("rain").apply(&hidden)?;
    let mut model = Model::new([place, weather], [time, wet])?;
    model.compile(
        Compile::new()
            .optimizer(Adam::from(0.003))
            .loss([("minutes", "mean_squared_error"), ("rain", "binary_crossentropy")])
            .metrics_of("minutes", ["mae"])
            .metrics_of("rain", ["accuracy"]),
    )?;
    model.print_summary()?;

    let fit = Fit::new().epochs(15).validation_split(0.2).verbose(2);
    model.fit((&places, &measured), (&minutes, &rain), fit)?;

    let (places, measured, minutes, rain) = rides(3);
    let outputs = model.predict_all((&places, &measured))?;
    let (times, wet) = (outputs[0].to_vec::<f32>(), outputs[1].to_vec::<f32>());
    for ride in 0..places.len() {
        println!(
            "to place {}: {:.0} minutes (really {:.0}), rain {:.2} (really {})",
            places[ride],
            times[ride] * 100.0,
            minutes[ride] * 100.0,
            wet[ride],
            rain[ride]
        );
    }
    Ok(())
}
