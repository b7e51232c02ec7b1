//! Whole numbers become rows of a table that learns.

use cornu_graph::{DType, Result};

use super::{Inputs, Layer, Wire};
use crate::choice::Choice;
use crate::constraints::Constraint;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

crate::config! {
    /// The row of a table for each whole number from 0 below `input_dim`: `[batch, …]` becomes `[batch, …, output_dim]`.
    /// A step that is given another number fails, and changes nothing. Floats lose what is behind the point.
    "keras.layers" pub layer Embedding {
        /// The number of rows.
        input_dim: usize => POSITIVE,
        /// The size of a row.
        output_dim: usize => POSITIVE,
        /// How the table starts, `[input_dim, output_dim]`.
        embeddings_initializer: Choice<dyn Initializer> = "uniform".into(),
        /// A penalty on the table.
        embeddings_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on what comes out.
        activity_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// What the table is held to.
        embeddings_constraint: Option<Choice<dyn Constraint>> = None,
        /// Whether 0 is no number but a place that does not count: the mask of what comes out.
        mask_zero: bool = false,
        /// Of Keras 2: the number of places, which means nothing here.
        input_length: Option<i64> = None => HIDE_NULL,
    }
}

impl Layer for Embedding {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let x = &inputs.one()?.tensor;
        let (start, penalty) = (&self.embeddings_initializer, &self.embeddings_regularizer);
        let shape = [self.input_dim, self.output_dim];
        let table = cx.parameter("embeddings", shape, start, penalty, &self.embeddings_constraint);
        let is_number = matches!(x.dtype(), DType::I32 | DType::I64);
        let rows = if is_number { x.clone() } else { x.cast(DType::I32) };
        cx.trace().require_rows(&rows, &table);
        Ok(vec![Wire::from(table.gather(&rows)).masked(self.mask_zero.then(|| x.ne(0)))])
    }

    fn autocast(&self) -> bool {
        false
    }

    fn supports_masking(&self) -> bool {
        self.mask_zero
    }

    fn activity_regularizer(&self) -> Option<&Choice<dyn Regularizer>> {
        self.activity_regularizer.as_ref()
    }
}
