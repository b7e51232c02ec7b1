//! One model, many threads.

use std::sync::atomic::{AtomicBool, Ordering};

use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Array, Model, Result};
use cornu_graph::Type;
use ndarray::{Array2, ArrayD};

use crate::seeds::seeded;

/// A model may be used from any thread.
const _: () = {
    const fn is_shared<T: Send + Sync>() {}
    is_shared::<Model>();
    is_shared::<Sequential>();
};

fn rows(count: usize) -> Array {
    Array::from_fn(&Type::f32([count, 20]), |i| ((i * 37 + 11) as f64 * 0.618).fract() - 0.5)
}

fn bits(array: &ArrayD<f32>) -> Vec<u32> {
    array.iter().map(|x| x.to_bits()).collect()
}

#[test]
fn threads_that_predict_and_evaluate_at_once_get_the_same_bits() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(64).activation("relu"), Dense::new(10).activation("softmax")];
    model.compile(Compile::new().loss("sparse_categorical_crossentropy").metrics(["accuracy"]))?;
    let (x, y) = (rows(70), Array::from_fn(&Type::f32([70]), |row| (row % 10) as f64));
    // Built by the first that come.
    let (model, quiet) = (&model, Predict::new().batch_size(16).verbose(0));
    let work = |thread: usize| -> Result<_> {
        let scores = model.evaluate_with(&x, &y, Evaluate::new().batch_size(9).verbose(0))?;
        let all = bits(&model.predict_with(&x, quiet)?);
        let of_row = |i: usize| model.predict(&x.rows(&[(i * (thread + 1)) % 70]));
        let single = (0..40).map(|i| Ok(((i * (thread + 1)) % 70, bits(&of_row(i)?)))).collect::<Result<Vec<_>>>()?;
        Ok((scores["loss"].to_bits(), all, single))
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|thread| scope.spawn(move || work(thread))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Result<_>>()
    })?;
    let (loss, all) = (answers[0].0, &answers[0].1);
    for (own, predictions, single) in &answers {
        assert_eq!((own, predictions), (&loss, all));
        single.iter().for_each(|(row, got)| assert_eq!(got[..], all[row * 10..][..10], "row {row}"));
    }
    assert!(model.is_built() && model.weights().len() == 4);
    Ok(())
}

/// All weights are equal before and after each step, so that their alternating sum tells whether some are of another step.
#[test]
fn predictions_beside_a_fit_are_of_one_step() -> Result<()> {
    const WIDTH: usize = 20_000;
    let _turn = seeded(Flavor::Keras2, 1);
    let shared = Dense::new(1).use_bias(false).kernel_initializer("zeros").shared();
    let mut learner = sequential![Input::new([WIDTH]), &shared];
    let server = sequential![Input::new([WIDTH]), &shared];
    learner.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(1e-6)))?;
    let (ones, y) = (Array2::<f32>::ones((64, WIDTH)), Array2::<f32>::ones((64, 1)));
    let probe = Array::from_fn(&Type::f32([1, WIDTH]), |i| if i % 2 == 0 { 1.0 } else { -1.0 });
    let done = AtomicBool::new(false);
    let answers = std::thread::scope(|scope| -> Result<_> {
        let serving = scope.spawn(|| -> Result<usize> {
            let mut count = 0;
            while !done.load(Ordering::Relaxed) || count < 10 {
                assert_eq!(server.predict(&probe)?[[0, 0]], 0.0, "after {count} answers");
                count += 1;
            }
            Ok(count)
        });
        let fitted = learner.fit(&ones, &y, Fit::new().batch_size(1).epochs(3).shuffle(false).verbose(0));
        done.store(true, Ordering::Relaxed);
        fitted?;
        serving.join().expect("no panic")
    })?;
    assert!(answers >= 10 && learner.weights()[0][[0, 0]] > 0.0);
    Ok(())
}

#[test]
fn a_model_built_by_a_prediction_learns_on() -> Result<()> {
    let _turn = seeded(Flavor::Keras3, 1);
    let mut model = sequential![Dense::new(4), Dense::new(1)];
    let x = rows(8);
    let before = model.predict(&x)?;
    let weights = model.weights();
    assert_eq!((model.count_params(), model.output_shape()), (20 * 4 + 4 + 5, Some(vec![None, Some(1)])));
    model.add(Dense::new(2));
    assert_eq!(model.predict(&x)?.shape(), [8, 2]);
    model.pop();
    assert_eq!((model.predict(&x)?, model.weights()), (before, weights));
    let error = model.predict(&[[1.0f32, 2.0]]).expect_err("two features").to_string();
    assert!(error.contains("was built for inputs of 20 features, got 2"), "{error}");
    model.compile(Compile::new().loss("mse"))?;
    let weights = model.weights();
    model.fit(&x, &[0.5f32; 8], Fit::new().verbose(0))?;
    assert!(model.weights().iter().zip(&weights).all(|(new, old)| new != old));
    Ok(())
}
