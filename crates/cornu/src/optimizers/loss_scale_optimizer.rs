//! A scale of the loss that finds itself, around another optimizer.

use std::sync::Arc;

use cornu_graph::{Error, Result, Tensor};
use serde_json::Value;

use super::{Common, Optimizer, Slot, SlotStart, Stepped, Update, check};
use crate::config::{Config, Field, IntoField, Kind, expected, object};
use crate::flavor::Flavor;
use crate::registry::Family;

crate::config! {
    /// Multiplies the loss by a scale while gradients are computed, so that those of 16 bits do not become zero, and
    /// divides them by it before another optimizer makes new weights of them.
    ///
    /// A step with a gradient that is not finite changes no weight and nothing that the other optimizer keeps, and halves
    /// the scale; after `dynamic_growth_steps` steps in a row without one the scale doubles. The `loss_scale_factor` of
    /// the other optimizer does not count.
    ///
    /// A model that is made while `mixed_float16` is the policy has it around the optimizer that it is compiled with.
    ///
    /// ```
    /// use cornu::optimizers::LossScaleOptimizer;
    /// use cornu::prelude::*;
    ///
    /// let mut model = sequential![Dense::new(1).dtype("mixed_float16").input_shape([2])];
    /// let optimizer = LossScaleOptimizer::new(Adam::from(0.01)).initial_scale(1024);
    /// model.compile(Compile::new().loss("mse").optimizer(optimizer))?;
    /// model.fit([[0.5, 1.0], [1.0, 0.0]], [1.0, 0.5], Fit::new().verbose(0))?;
    /// # Ok::<(), cornu::Error>(())
    /// ```
    "keras.optimizers" pub struct LossScaleOptimizer {
        /// What makes new weights of the gradients.
        inner_optimizer: InnerOptimizer,
        /// The scale before the first step.
        initial_scale: f64 = 32768.0,
        /// After how many steps in a row with finite gradients the scale doubles.
        dynamic_growth_steps: i64 = 2000,
        /// The name in logs and files.
        name: String = "loss_scale_optimizer".into(),
    }
}

/// An optimizer within another.
#[derive(Clone, Debug)]
pub struct InnerOptimizer(pub Arc<dyn Optimizer>);

impl PartialEq for InnerOptimizer {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl<O: Optimizer> IntoField<InnerOptimizer> for O {
    fn into_field(self) -> InnerOptimizer {
        InnerOptimizer(Arc::new(self))
    }
}

impl Field for InnerOptimizer {
    fn to_json(&self) -> Value {
        object(self.0.module(), self.0.class_name(), self.0.to_json())
    }

    fn from_json(json: &Value) -> Result<Self> {
        match json {
            Value::Object(_) => <dyn Optimizer>::registry().read_object(json).map(InnerOptimizer),
            other => Err(expected("the object of an optimizer", other)),
        }
    }

    fn kind() -> Kind {
        Kind::Object("optimizer")
    }

    fn check(&self) -> Result<()> {
        self.0.check()
    }

    fn objects(&self) -> Vec<&dyn Config> {
        vec![self.0.as_config()]
    }
}

impl LossScaleOptimizer {
    /// How many numbers it keeps itself, behind those of the other optimizer: `step_counter` and `dynamic_scale`.
    pub(crate) const SCALARS: usize = 2;

    /// The optimizer that it is around.
    pub(crate) fn inner(&self) -> &dyn Optimizer {
        &*self.inner_optimizer.0
    }

    /// Looks for settings that cannot be right, of its own and of the other optimizer.
    ///
    /// # Errors
    /// The first of them.
    pub(super) fn check_all(&self) -> Result<()> {
        let Self { initial_scale, dynamic_growth_steps, .. } = self;
        let wrong = |what: String| Err(Error::usage(format!("`LossScaleOptimizer.{what}")));
        if self.inner().loss_scale().is_some() {
            return wrong("inner_optimizer` needs an optimizer that does not scale the loss itself".into());
        }
        if *initial_scale <= 0.0 {
            return wrong(format!("initial_scale` needs a number above 0, got {initial_scale}"));
        }
        if *dynamic_growth_steps < 1 {
            return wrong(format!("dynamic_growth_steps` needs a whole number from 1 on, got {dynamic_growth_steps}"));
        }
        check(self.inner())
    }

    /// A step by gradients of the scaled loss; `step` makes it by those of the loss, and where not all of these are finite,
    /// nothing is left of it.
    pub(super) fn around(
        &self,
        before: &Stepped,
        scaled: &[Tensor],
        step: impl FnOnce(Vec<Tensor>) -> Stepped,
    ) -> Stepped {
        let [others @ .., counter, scale] = &before.scalars[..] else { return step(scaled.to_vec()) };
        let flavor = Flavor::of(scale);
        let unscaled = |g: &Tensor| match flavor.unscales_by_product() {
            true => g * (1.0 / scale).cast(g.dtype()),
            false => (g / scale).cast(g.dtype()),
        };
        let gradients: Vec<Tensor> = scaled.iter().map(unscaled).collect();
        let Some(finite) = all_finite(&gradients) else { return step(gradients) };
        let kept = |new: &[Tensor], old: &[Tensor]| -> Vec<Tensor> {
            new.iter().zip(old).map(|(new, old)| finite.select(new, old)).collect()
        };
        let new = step(gradients);
        let (next, larger, smaller) = (counter + 1, scale * 2.0, (scale * 0.5).maximum(flavor.least_loss_scale()));
        let (grows, none) = (next.ge(self.dynamic_growth_steps as f64), counter.number(0.0));
        let larger = larger.lt(f64::INFINITY).select(&larger, scale);
        let mut scalars = kept(&new.scalars, others);
        scalars.push(finite.select(grows.select(&none, &next), &none));
        scalars.push(finite.select(grows.select(larger, scale), smaller));
        Stepped {
            weights: kept(&new.weights, &before.weights),
            slots: new.slots.iter().zip(&before.slots).map(|(new, old)| kept(new, old)).collect(),
            scalars,
            iterations: match flavor.counts_skipped_steps() {
                true => new.iterations,
                false => finite.select(new.iterations, &before.iterations),
            },
        }
    }
}

/// Whether all numbers are finite: each times 0 is 0 then, else not-a-number.
fn all_finite(gradients: &[Tensor]) -> Option<Tensor> {
    let zeros = gradients.iter().map(|g| (g * 0.0).sum_all());
    zeros.reduce(|a, b| &a + b.cast(a.dtype())).map(|zero| zero.eq(0.0))
}

/// The other optimizer, with two more scalars.
impl Optimizer for LossScaleOptimizer {
    fn common(&self) -> Common {
        Common { loss_scale_factor: None, ..self.inner().common() }
    }

    fn slots(&self) -> Vec<Slot> {
        self.inner().slots()
    }

    fn scalars(&self) -> Vec<Slot> {
        let counter = Slot { start: SlotStart::Count, ..Slot::from("step_counter") };
        let mut scalars = self.inner().scalars();
        scalars.extend([counter, Slot::from("dynamic_scale").full(self.initial_scale)]);
        scalars
    }

    fn begin(&self, step: &mut Update) {
        self.inner().begin(step);
    }

    fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
        self.inner().update(step, w, g)
    }
}
