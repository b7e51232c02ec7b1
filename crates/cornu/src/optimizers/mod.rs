//! Optimizers: how gradients become new weights.
//!
//! An optimizer is its settings and one function, [`Optimizer::update`], that traces the new value of one weight. What
//! it remembers between steps are *slots*, variables as large as the weight, and *scalars*. Decay, clipping, means of
//! weights and the like are done for all of them ([`Common`]); the learning rate may be a [schedule](schedules).

mod common;
pub mod schedules;
mod step;
#[cfg(test)]
mod tests;

use std::any::Any;
use std::sync::Arc;

pub(crate) use common::AVERAGE;
pub use common::{Common, LearningRate};
pub(crate) use common::{common, optimizer};
use cornu_graph::{Array, DType, Error, Result, Role, Tensor, Type, VarSpec};
pub use loss_scale_optimizer::InnerOptimizer;
pub use step::Update;
pub(crate) use step::{Stepped, With, apply, scaled};

use crate::choice::family;
use crate::config::Config;

/// A way to train: its settings, and how it extends the graph of a training step.
///
/// ```
/// use cornu::optimizers::Common;
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// Steps of one size along the sign of a running mean of the gradients.
///     "my.optimizers" pub struct Signs {
///         /// The size of a step.
///         learning_rate: f64 = 0.01,
///     }
/// }
///
/// impl Optimizer for Signs {
///     fn common(&self) -> Common {
///         Common { learning_rate: self.learning_rate.into(), ..Common::default() }
///     }
///
///     fn slots(&self) -> Vec<Slot> {
///         vec!["mean".into()]
///     }
///
///     fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor {
///         let mean = step.set("mean", step.get("mean") * 0.9 + g * 0.1);
///         w - step.rate() * mean.ge(0.0).select(1.0, mean.number(-1.0))
///     }
/// }
///
/// let mut model = sequential![Dense::new(1)];
/// model.compile(Compile::new().loss("mse").optimizer(Signs::new()))?;
/// let history = model.fit([[0.0], [1.0]], [0.5, 1.0], Fit::new().epochs(50).verbose(0))?;
/// assert!(history["loss"][49] < history["loss"][0]);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Optimizer: Config {
    /// The settings that every optimizer has.
    fn common(&self) -> Common;

    /// What it keeps of each weight, as `momentum`. In files those that go weight by weight come first.
    fn slots(&self) -> Vec<Slot>;

    /// What it keeps beside that: single numbers. Files of Keras 3 have them last, those of Keras 2 have not.
    fn scalars(&self) -> Vec<Slot> {
        Vec::new()
    }

    /// Settings that must be from 0 to 1, by name.
    fn parts(&self) -> Vec<(&'static str, f64)> {
        Vec::new()
    }

    /// Looks for settings that cannot be right, beside those.
    ///
    /// # Errors
    /// The first of them.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }

    /// Changes the scalars, as if they were slots, before the first weight is updated.
    fn begin(&self, _step: &mut Update) {}

    /// The new value of the weight `w` with the gradient `g`.
    fn update(&self, step: &mut Update, w: &Tensor, g: &Tensor) -> Tensor;
}

/// What an optimizer keeps: of each weight a variable as large as the weight, or a single number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Its role: `momentum`.
    pub name: &'static str,
    /// Where it stands in Keras's files.
    pub order: FileOrder,
    /// What it is at first.
    pub start: SlotStart,
}

/// How the slots of several roles follow each other in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOrder {
    /// This one of all weights, before those of other orders.
    First,
    /// All of those of a weight, then of the next: `m v m v`.
    WeightByWeight,
    /// This one of all weights, then the next: `m m v v`.
    RoleByRole,
    /// No step has it; files of Keras 2 do.
    Idle,
}

/// What a slot is at first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotStart {
    /// Zeros.
    Zeros,
    /// That number everywhere.
    Full(f64),
    /// As the weight.
    Weight,
    /// Zero, of a scalar that counts: a whole number, where others are of `f32`.
    Count,
}

/// Role by role, zeros at first.
impl From<&'static str> for Slot {
    fn from(name: &'static str) -> Self {
        Slot { name, order: FileOrder::RoleByRole, start: SlotStart::Zeros }
    }
}

impl Slot {
    /// The same slot, weight by weight.
    #[must_use]
    pub const fn weight_by_weight(name: &'static str) -> Slot {
        Slot { name, order: FileOrder::WeightByWeight, start: SlotStart::Zeros }
    }

    /// What it is at first: of that type, of a weight with that value.
    ///
    /// # Errors
    /// Those of the value.
    pub(crate) fn start(&self, ty: &Type, weight: impl FnOnce() -> Result<Array>) -> Result<Array> {
        match self.start {
            SlotStart::Zeros | SlotStart::Count => Ok(Array::zeros(ty)),
            SlotStart::Full(value) => Ok(Array::from_fn(ty, |_| value)),
            SlotStart::Weight => weight(),
        }
    }

    /// The type of a scalar.
    pub(crate) fn scalar(&self) -> Type {
        Type::scalar(if self.start == SlotStart::Count { DType::I64 } else { DType::F32 })
    }

    /// It as a variable.
    ///
    /// # Errors
    /// Those of the value.
    pub(crate) fn variable(&self, name: String, ty: &Type, weight: impl FnOnce() -> Result<Array>) -> Result<VarSpec> {
        match self.start {
            SlotStart::Zeros | SlotStart::Count => Ok(VarSpec::zeros(name, Role::Slot, ty.clone())),
            _ => Ok(VarSpec::value(name, Role::Slot, self.start(ty, weight)?)),
        }
    }

    /// The same slot, with that number everywhere at first.
    #[must_use]
    pub const fn full(self, value: f64) -> Slot {
        Slot { start: SlotStart::Full(value), ..self }
    }
}

impl dyn Optimizer {
    /// What its steps keep of each weight: for the common settings, and for itself.
    pub(crate) fn kept(&self) -> Vec<Slot> {
        let own = self.slots().into_iter().filter(|slot| slot.order != FileOrder::Idle);
        self.common().slots().into_iter().chain(own).collect()
    }

    /// The roles of what its steps keep of each weight.
    pub fn roles(&self) -> Vec<&'static str> {
        self.kept().into_iter().map(|slot| slot.name).collect()
    }

    /// How many slots of each weight Keras 2 has that no step needs.
    pub(crate) fn idle(&self) -> usize {
        self.slots().iter().filter(|slot| slot.order == FileOrder::Idle).count()
    }

    /// It as one that scales the loss by what it finds, if it is.
    pub(crate) fn loss_scale(&self) -> Option<&LossScaleOptimizer> {
        let any: &dyn Any = self;
        any.downcast_ref()
    }

    /// It, scaling the loss by what it finds.
    pub(crate) fn scaling(self: Arc<Self>) -> Arc<Self> {
        if self.loss_scale().is_some() { self } else { Arc::new(LossScaleOptimizer::new(InnerOptimizer(self))) }
    }
}

family! {
    "optimizer" in optimizers: dyn Optimizer { const KEEPS_NAMES: bool = true; } = [
        sgd { SGD = "sgd"; }
        rmsprop { RMSprop = "rmsprop"; }
        adam { Adam = "adam"; }
        adamw { AdamW = "adamw"; }
        nadam { Nadam = "nadam"; }
        loss_scale_optimizer { LossScaleOptimizer = "loss_scale_optimizer" | "LossScaleOptimizerV3"; }
        adagrad { Adagrad = "adagrad"; }
    ]
}

/// Looks for settings of an optimizer that cannot be right.
///
/// # Errors
/// The first of them.
pub(crate) fn check(optimizer: &dyn Optimizer) -> Result<()> {
    if let Some(scaling) = optimizer.loss_scale() {
        return scaling.check_all();
    }
    let class = optimizer.class_name();
    optimizer.common().check(class)?;
    let mut slots = optimizer.roles();
    slots.extend(optimizer.scalars().iter().map(|slot| slot.name));
    if let Some(twice) = slots.iter().enumerate().find_map(|(i, slot)| slots[..i].contains(slot).then_some(slot)) {
        return Err(Error::usage(format!("optimizer `{class}` has two slots called `{twice}`")));
    }
    match optimizer.parts().iter().find(|(_, part)| !(0.0..=1.0).contains(part)) {
        Some((name, got)) => Err(Error::usage(format!("`{class}.{name}` needs a number from 0 to 1, got {got}"))),
        None => optimizer.check_settings(),
    }
}
