//! Closures that keep a tensor of one trace and meet it again in another.

use std::cell::RefCell;

use cornu::losses::loss;
use cornu::prelude::*;
use cornu::random::Flavor;
use ndarray::Array2;

use crate::seeds::seeded;

thread_local! {
    static KEPT: RefCell<Option<Tensor>> = const { RefCell::new(None) };
}

/// The first batch of seven rows fits; the last, of two, is traced anew, and the loss still has the tensor of before.
#[test]
fn a_loss_that_keeps_a_tensor_is_told_so() -> cornu::Result<()> {
    let _turn = seeded(Flavor::Keras2, 1);
    let mut model = sequential![Dense::new(1)];
    let kept = loss("kept", |y, p| {
        let mean = KEPT.with_borrow_mut(|kept| kept.get_or_insert_with(|| p.mean([0])).clone());
        (y - p + mean).square().mean([-1])
    });
    model.compile(Compile::new().loss(kept).optimizer("sgd"))?;
    let (x, y) = (Array2::<f32>::ones((9, 2)), Array2::<f32>::ones((9, 1)));
    let error = model.fit(&x, &y, Fit::new().batch_size(7).verbose(0)).expect_err("a tensor of another trace");
    let text = error.to_string();
    assert!(text.contains("needs tensors of one trace, got f32[1] of another trace"), "{text}");
    assert!(text.contains("kept_tensors.rs:") && text.contains("help: "), "{text}");
    Ok(())
}
