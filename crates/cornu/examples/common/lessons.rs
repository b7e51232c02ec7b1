//! The lessons' models, compiled, for programs that do not show how they are made.

use cornu::prelude::*;

/// The first half's.
pub(crate) fn pima() -> cornu::Result<Sequential> {
    set_random_seed(42);
    let mut model = sequential![
        Dense::new(12).input_shape([8]).activation("relu"),
        Dense::new(8).activation("relu"),
        Dense::new(1).activation("sigmoid"),
    ];
    model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    Ok(model)
}

/// The second half's.
pub(crate) fn mnist() -> cornu::Result<Sequential> {
    set_random_seed(42);
    let mut model =
        sequential![Flatten::new().input_shape([28, 28]), Dense::new(128).activation("relu"), Dense::new(10)];
    let loss = SparseCategoricalCrossentropy::new().from_logits(true);
    model.compile(Compile::new().optimizer("adam").loss(loss).metrics(["accuracy"]))?;
    Ok(model)
}
