//! Training allocates nothing for a batch. In a program of its own, since it counts every allocation there is.

use cornu::Cpu;
use cornu::prelude::*;
use cornu::random::{Flavor, Seeds, set_flavor};
use cornu_graph::{Array, Type};
use cornu_testkit::alloc::{Counting, used};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const ROWS: usize = 4;
/// How many more allocations a long epoch may have than a short one: lists that grow.
const GROWTH: usize = 40;

/// Features, labels and weights of so many batches and one short one.
fn data(batches: usize) -> (Array, Array, Array) {
    let rows = batches * ROWS + 1;
    let x = Array::from_fn(&Type::f32([rows, 3]), |at| (at % 7) as f64 / 7.0 - 0.4);
    let y = Array::from_fn(&Type::f32([rows, 1]), |row| (row % 3) as f64);
    let weights = Array::from_fn(&Type::f32([rows]), |row| (row % 2) as f64 + 0.5);
    (x, y, weights)
}

fn model() -> cornu::Result<Sequential> {
    let mut model = sequential![Dense::new(5).input_shape([3]).activation("relu"), Dropout::new(0.25), Dense::new(1)];
    model.run_on(Cpu::new().threads(1))?;
    model.compile(Compile::new().loss("mse").optimizer("adam").metrics(["mae"]).weighted_metrics(["mse"]))?;
    Ok(model)
}

/// The allocations of some work over so many batches, once it was done before.
fn allocations(
    batches: usize,
    work: impl Fn(&mut Sequential, &(Array, Array, Array)) -> cornu::Result<()>,
) -> cornu::Result<usize> {
    let (mut model, data) = (model()?, data(batches));
    work(&mut model, &data)?;
    let before = Counting::count();
    work(&mut model, &data)?;
    Ok(Counting::count() - before)
}

#[test]
fn epochs_of_more_batches_allocate_no_more() -> cornu::Result<()> {
    for (flavor, shuffle) in [(Flavor::Keras2, true), (Flavor::Keras3, true), (Flavor::Keras3, false)] {
        set_flavor(flavor);
        let fit = |model: &mut Sequential, (x, y, weights): &(Array, Array, Array)| {
            let fit = Fit::new().batch_size(ROWS).shuffle(shuffle).seeds(Seeds::new(3)).verbose(0).epochs(2);
            model.fit(x, y, fit.sample_weight(weights).validation_data(x, y)).map(drop)
        };
        let (short, long) = (allocations(100, fit)?, allocations(1000, fit)?);
        assert!(long <= short + GROWTH, "{flavor:?}, shuffle {shuffle}: {short} in 100 batches, {long} in 1000");
    }
    let evaluate = |model: &mut Sequential, (x, y, _): &(Array, Array, Array)| {
        model.evaluate_with(x, y, Evaluate::new().batch_size(ROWS).verbose(0)).map(drop)
    };
    let (short, long) = (allocations(100, evaluate)?, allocations(1000, evaluate)?);
    assert!(long <= short + GROWTH, "evaluate: {short} in 100 batches, {long} in 1000");
    Ok(())
}

/// The input, its copy on the way, the names of inputs, the order of rows, the result: what is known of a model, its
/// program and the memory of a run is there from the call before.
#[test]
fn a_prediction_of_a_row_allocates_little_but_its_result() -> cornu::Result<()> {
    let (model, row) = (model()?, Array::from_fn(&Type::f32([1, 3]), |at| at as f64));
    let first = model.predict(&row)?;
    for _ in 0..3 {
        let (again, asked) = used(|| model.predict(&row));
        assert_eq!(again?, first);
        assert!(asked.count <= 10, "{asked:?}");
    }
    Ok(())
}
