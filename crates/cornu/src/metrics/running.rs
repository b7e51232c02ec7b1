//! A metric alone, without a model.

use std::sync::Arc;

use cornu_graph::{Array, DType, Error, Result, Tensor, ToArray, Trace};

use super::{ACCURACY, Metric, Total, by_shapes, host, result_graph};
use crate::choice::Choice;
use crate::flavor::flavor;

/// A metric and its variables: Keras's `update_state`, `result` and `reset_state`.
///
/// ```
/// use cornu::metrics::{Precision, Running};
/// let mut precision = Running::new(Precision::new());
/// precision.update_state(&[0, 1, 1, 1], &[0.75, 0.9, 0.25, 0.6])?;
/// assert_eq!(precision.result()?.to_vec::<f32>(), [2.0 / 3.0]);
/// # Ok::<(), cornu::Error>(())
/// ```
pub struct Running {
    choice: Choice<dyn Metric>,
    kept: Option<Kept>,
}

/// What is known from the first batch on.
struct Kept {
    metric: Arc<dyn Metric>,
    totals: Vec<Total>,
    state: Vec<Array>,
}

impl Running {
    /// A metric that has seen nothing: by name or as an object.
    pub fn new(metric: impl Into<Choice<dyn Metric>>) -> Running {
        Running { choice: metric.into(), kept: None }
    }

    /// Adds a batch.
    ///
    /// # Errors
    /// A name that is not known, and shapes that do not fit.
    pub fn update_state(&mut self, y_true: impl ToArray, y_pred: impl ToArray) -> Result<()> {
        self.update(single(y_true.to_array()?)?, single(y_pred.to_array()?)?, None)
    }

    /// [`Running::update_state`] with a weight for each row.
    ///
    /// # Errors
    /// Those of [`Running::update_state`].
    pub fn update_weighted(
        &mut self,
        y_true: impl ToArray,
        y_pred: impl ToArray,
        sample_weight: impl ToArray,
    ) -> Result<()> {
        let weights = sample_weight.to_array()?.cast(DType::F32);
        self.update(single(y_true.to_array()?)?, single(y_pred.to_array()?)?, Some(weights))
    }

    fn update(&mut self, y: Array, p: Array, weights: Option<Array>) -> Result<()> {
        if self.kept.is_none() {
            let metric = match &self.choice {
                Choice::Name(name) if ACCURACY.contains(&name.as_str()) => by_shapes(name, y.shape(), p.shape()),
                choice => choice.resolve()?,
            };
            let totals = metric.state(&y.ty(), &p.ty());
            let state = totals.iter().map(Total::value).collect();
            self.kept = Some(Kept { metric, totals, state });
        }
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let trace = Trace::in_context(flavor());
        let arrays: Vec<Array> = kept.state.iter().cloned().chain([y, p]).chain(weights).collect();
        let inputs: Vec<Tensor> = arrays.iter().map(|array| trace.input(array.ty())).collect();
        let (state, batch) = inputs.split_at(kept.totals.len());
        let new = kept.metric.update(state, &batch[0], &batch[1], batch.get(2));
        trace.check()?;
        if new.iter().map(Tensor::ty).ne(kept.totals.iter().map(|total| total.ty.clone())) {
            let class = kept.metric.class_name();
            return Err(Error::graph(format!("metric `{class}`: `update` needs a new value for each variable")));
        }
        kept.state = host()?.once(&trace.finish(&new, &[])?, &arrays)?;
        Ok(())
    }

    /// What the batches so far say.
    ///
    /// # Errors
    /// There was none.
    pub fn result(&self) -> Result<Array> {
        let kept =
            self.kept.as_ref().ok_or_else(|| Error::usage("`result` needs a batch first: call `update_state`"))?;
        Ok(host()?.once(&result_graph(&*kept.metric, &kept.totals)?, &kept.state)?.remove(0))
    }

    /// Forgets the batches.
    pub fn reset_state(&mut self) {
        self.kept = None;
    }
}

/// Numbers as `fit` takes them: a row as a column; fractions as singles, whole numbers as they are.
fn single(array: Array) -> Result<Array> {
    let array = if array.dtype() == DType::F64 { array.cast(DType::F32) } else { array };
    let rows = array.len();
    if array.shape().rank() == 1 { array.reshape([rows, 1]) } else { Ok(array) }
}
