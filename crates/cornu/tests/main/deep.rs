//! Deep models and long lists: the work grows with their length, not with its square.

use std::sync::atomic::{AtomicUsize, Ordering};

use cornu::layers::Layer;
use cornu::metrics::Mean;
use cornu::prelude::*;
use cornu::random::Flavor;
use cornu::{Cx, Result, Tensor};
use cornu_testkit::folder::Folder;
use serde_json::{Value, json};

use crate::seeds::seeded;

/// How often [`Counted`] was traced.
static CALLS: AtomicUsize = AtomicUsize::new(0);

cornu::config! {
    /// Counts how often it is traced.
    "deep.tests" pub layer Counted {}
}

impl Layer for Counted {
    fn call(&self, _: &mut Cx, x: Tensor) -> Tensor {
        CALLS.fetch_add(1, Ordering::Relaxed);
        x
    }
}

#[test]
fn a_layer_is_traced_twice_while_it_is_added_and_once_for_each_program() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    const LAYERS: usize = 500;
    let since = |before: usize| CALLS.load(Ordering::Relaxed) - before;
    let start = CALLS.load(Ordering::Relaxed);
    let mut model = Sequential::new();
    model.add(Dense::new(1).input_shape([2]));
    for _ in 0..LAYERS {
        model.add(Counted::new());
    }
    assert_eq!(since(start), 2 * LAYERS);
    model.compile(Compile::new().loss("mse"))?;
    // What the model gives, the step for 2 rows, the step for 1.
    let before = CALLS.load(Ordering::Relaxed);
    model.fit(&[[1.0, 2.0]; 5], &[1.0; 5], Fit::new().epochs(3).batch_size(2).verbose(0))?;
    assert_eq!(since(before), 3 * LAYERS);
    let before = CALLS.load(Ordering::Relaxed);
    assert!(model.get_layer("counted_7").is_ok());
    (0..LAYERS).for_each(|_| drop(model.pop()));
    model.summary();
    assert_eq!((since(before), model.count_params()), (0, 3));
    Ok(())
}

/// A model of eighty thousand layers is a file of eleven kilobytes.
#[test]
fn eighty_thousand_layers_are_read() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    const LAYERS: usize = 80_000;
    let layer = |i: usize| {
        let config = json!({ "name": format!("a_{i}"), "activation": "linear" });
        json!({ "module": "keras.layers", "class_name": "Activation", "config": config, "registered_name": null })
    };
    let layers: Vec<Value> = (0..LAYERS).map(layer).collect();
    let config = json!({ "name": "m", "layers": layers, "build_input_shape": [null, 4] });
    let model = Sequential::from_json_value(&json!({ "class_name": "Sequential", "config": config }))?;
    assert_eq!((model.layers().len(), model.output_shape()), (LAYERS, Some(vec![None, Some(4)])));
    assert_eq!(model.get_layer("a_79999")?.name(), "a_79999");
    assert_eq!(model.predict(&[[1.0, 2.0, 3.0, 4.0]])?[[0, 3]], 4.0);
    Ok(())
}

#[test]
fn many_weights_and_streams_are_made_saved_and_read() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    const LAYERS: usize = 1500;
    let mut model = Sequential::new();
    model.add(Input::new([1]));
    for _ in 0..LAYERS {
        model.add(Dense::new(1)).add(Dropout::new(0.5));
    }
    assert_eq!(model.layers().iter().map(|layer| layer.count_params()).sum::<usize>(), 2 * LAYERS);
    let folder = Folder::new("deep");
    let path = folder.join("model.keras");
    model.save(&path)?;
    assert_eq!(load_model(&path)?.weights(), model.weights());
    Ok(())
}

#[test]
fn a_thousand_figures_are_followed() -> Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    const FIGURES: usize = 1000;
    let metric = |i: usize| Mean::new().name(format!("{}{i}", "m".repeat(200)));
    let mut model = sequential![Dense::new(1).input_shape([1])];
    model.compile(Compile::new().loss("mse").metrics((0..FIGURES).map(metric)))?;
    let history = model.fit(&[[1.0]; 4], &[1.0; 4], Fit::new().epochs(2).verbose(0))?;
    assert_eq!(history.keys().len(), FIGURES + 1);
    Ok(())
}
