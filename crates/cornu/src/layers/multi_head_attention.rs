//! Each place of a query becomes a mean of the places of a value, by how alike it is to those of a key.

use cornu_graph::{DType, Error, Result, Shape, Tensor, Type};
use serde_json::{Map, Value};

use super::attention::Axes;
use super::{Argument, BatchShape, Dropout, Inputs, Layer, Wire};
use crate::choice::Choice;
use crate::config::{Field, OneOrMany};
use crate::constraints::Constraint;
use crate::flavor::Flavor;
use crate::initializers::Initializer;
use crate::regularizers::Regularizer;
use crate::trace::Cx;

crate::config! {
    /// Attention of several heads (Vaswani et al., 2017): `softmax(q · kᵀ / sqrt(key_dim)) · v` for each, with `q`, `k` and
    /// `v` products of query, key and value, and a product of all heads.
    ///
    /// `[batch, places, features]` and a value `[batch, others, …]` become `[batch, places, features]`, and where
    /// `return_attention_scores` is given `[batch, heads, places, others]` as well. Places that masks hide are not looked
    /// at: `attention_mask`, `[batch, places, others]`; those of query, value and key; `use_causal_mask`, which hides what
    /// is behind a place.
    "keras.layers" pub layer MultiHeadAttention {
        /// The number of heads.
        num_heads: usize => POSITIVE,
        /// The size of each head of query and key.
        key_dim: usize => POSITIVE,
        /// The size of each head of the value; of nothing that of the key.
        value_dim: Option<usize> = None => POSITIVE,
        /// The share of scores dropped in training.
        dropout: f64 = 0.0 => PART,
        /// Whether all products get biases.
        use_bias: bool = true,
        /// Whether what the heads give is multiplied by a sigmoid of the query.
        use_gate: bool = false => KERAS3,
        /// The sizes of what comes out behind the places; of nothing those of the query.
        output_shape: Option<OneOrMany<usize>> = None,
        /// The axes of places; of nothing all but the first and the last.
        attention_axes: Option<OneOrMany<i64>> = None,
        /// How far places look, each way, beside themselves: less than this.
        sliding_window: Option<usize> = None => KERAS3,
        /// How the kernels start.
        kernel_initializer: Choice<dyn Initializer> = "glorot_uniform".into(),
        /// How the biases start.
        bias_initializer: Choice<dyn Initializer> = "zeros".into(),
        /// A penalty on the kernels.
        kernel_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on the biases.
        bias_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// A penalty on what each of the products puts out.
        activity_regularizer: Option<Choice<dyn Regularizer>> = None,
        /// What the kernels are held to.
        kernel_constraint: Option<Choice<dyn Constraint>> = None,
        /// What the biases are held to.
        bias_constraint: Option<Choice<dyn Constraint>> = None,
        /// For noise independent of all other layers.
        seed: Option<i64> = None => KERAS3,
        /// Of Keras 3: whether a kernel that stores no scores is asked for. The numbers are the same.
        flash_attention: Option<bool> = None => UNSAVED,
        /// Of Keras 2: the shape that the query had.
        query_shape: Option<BatchShape> = None => UNSAVED,
        /// Of Keras 2: the shape that the value had.
        value_shape: Option<BatchShape> = None => UNSAVED,
        /// Of Keras 2: the shape that the key had.
        key_shape: Option<BatchShape> = None => UNSAVED,
    }
}

impl Layer for MultiHeadAttention {
    fn arguments(&self) -> Vec<Argument> {
        let tensors = ["query", "value"].map(Argument::needed).into_iter();
        let tensors = tensors.chain(["key", "query_mask", "key_mask", "attention_mask"].map(Argument::optional));
        let flags = ["return_attention_scores", "use_causal_mask"].map(Argument::flag);
        tensors.chain([Argument::mask("value_mask")]).chain(flags).collect()
    }

    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let (query, value) = (inputs.needed("query")?, inputs.needed("value")?);
        let key = inputs.get("key").unwrap_or(value);
        let own = self.attention_axes.as_ref().map(OneOrMany::as_slice);
        let axes = Axes::new("MultiHeadAttention", own, [&query.tensor, &key.tensor, &value.tensor])?;
        let mask = self.mask(cx, inputs)?;
        let heads = |size: usize| [self.num_heads, size];
        let of_value = self.value_dim.unwrap_or(self.key_dim);
        let q = self.project(cx, "query", &query.tensor, 1, &heads(self.key_dim));
        let k = self.project(cx, "key", &key.tensor, 1, &heads(self.key_dim));
        let gate = self.use_gate.then(|| self.project(cx, "gate", &query.tensor, 1, &heads(of_value)).sigmoid());
        let v = self.project(cx, "value", &value.tensor, 1, &heads(of_value));
        let drop = Dropout::new(self.dropout).seed(self.seed);
        let (y, scores, mask) = axes.attend(cx, &[q, k, v], mask, &drop)?;
        let y = gate.map_or(y.clone(), |gate| y * gate);
        let features = [query.tensor.dim(-1)];
        let outputs = self.output_shape.as_ref().map_or(&features[..], OneOrMany::as_slice);
        let y = Wire::from(self.project(cx, "attention_output", &y, 2, outputs)).masked(query.mask.clone());
        let scores = inputs.flag("return_attention_scores").then(|| Wire::from(scores).masked(mask));
        Ok(std::iter::once(y).chain(scores).collect())
    }

    fn supports_masking(&self) -> bool {
        true
    }

    /// Keras has it for the products, which are layers there.
    fn activity_regularizer(&self) -> Option<&Choice<dyn Regularizer>> {
        None
    }

    fn folder_of(&self, part: &str, flavor: Flavor) -> String {
        let field = if part == "attention_output" { "output_dense".into() } else { format!("{part}_dense") };
        if flavor == Flavor::Keras2 { format!("_{field}") } else { field }
    }

    fn settings_of_keras_2(&self, shape: &dyn Fn(&str) -> Option<BatchShape>) -> Map<String, Value> {
        let [query, value, key] = ["query", "value", "key"].map(shape);
        let shapes = [("query_shape", query), ("key_shape", key.or(value.clone())), ("value_shape", value)];
        shapes.into_iter().map(|(name, shape)| (name.into(), shape.to_json())).collect()
    }

    fn check_settings(&self) -> Result<()> {
        if self.sliding_window == Some(0) {
            return Err(Error::usage("`sliding_window` must be at least 1, got 0"));
        }
        if self.flash_attention == Some(true) && self.dropout > 0.0 {
            return Err(Error::usage("`flash_attention` drops nothing out: `dropout` must be 0 with it"));
        }
        Ok(())
    }
}

impl MultiHeadAttention {
    /// The product of the last `bound` axes with a kernel, and a bias.
    fn project(&self, cx: &mut Cx, name: &str, x: &Tensor, bound: usize, outputs: &[usize]) -> Tensor {
        cx.child(name, |cx| {
            let (shape, split) = (x.shape(), x.rank() - bound);
            let (outer, inner) = shape.split_at(split);
            let of_kernel = [inner, outputs].concat();
            let (start, penalty) = (&self.kernel_initializer, &self.kernel_regularizer);
            let kernel = cx.parameter("kernel", of_kernel, start, penalty, &self.kernel_constraint);
            let [rows, summed, columns] = [outer, inner, outputs].map(|sizes| Shape::from(sizes).size());
            let product = x.reshape([rows, summed]).cast(kernel.dtype()).dot(&kernel.reshape([summed, columns]));
            let mut y = product.reshape([outer, outputs].concat());
            if self.use_bias {
                let (start, penalty) = (&self.bias_initializer, &self.bias_regularizer);
                y = y + cx.parameter("bias", outputs, start, penalty, &self.bias_constraint);
            }
            if let Some(penalty) = self.activity_regularizer.as_ref().and_then(|penalty| cx.chosen(penalty)) {
                cx.add_loss(penalty.penalty(&y) / y.dim(0).max(1) as f64);
            }
            y
        })
    }

    /// Which places of the value each of the query may look at, `[batch, places, others]`, each perhaps 1.
    fn mask(&self, cx: &Cx, inputs: &Inputs) -> Result<Option<Tensor>> {
        let (query, value) = (inputs.needed("query")?, inputs.needed("value")?);
        let across = |mask: Option<&Tensor>, behind: usize| {
            let mut shape = mask?.shape().to_vec();
            shape.insert(shape.len() - behind.min(shape.len()), 1);
            Some(mask?.cast(DType::Bool).reshape(shape))
        };
        let given = |name: &str| inputs.get(name).map(|wire| &wire.tensor);
        let of_key = given("key_mask").or(inputs.get("key").and_then(|key| key.mask.as_ref()));
        let ty = Type::new(DType::I32, [1, query.tensor.dim(1), value.tensor.dim(1)]);
        let [row, column] = [1, 2].map(|axis| cx.trace().iota(ty.clone(), axis));
        let causal = inputs.flag("use_causal_mask").then(|| row.ge(&column));
        let near = self.sliding_window.map(|window| (row - column).abs().cast(DType::F32).lt(window as f64));
        // What is given as `query_mask` Keras does not look at, but at the mask that comes with the query.
        let all = [across(query.mask.as_ref(), 0), across(value.mask.as_ref(), 1), across(of_key, 1), causal, near];
        let all = all.into_iter().chain([given("attention_mask").map(|mask| mask.cast(DType::Bool))]).flatten();
        Ok(all.reduce(|one, other| one.and(other)))
    }
}
