//! Optimizers: how gradients become new weights.
//!
//! An optimizer is its settings and one function, [`Optimizer::update`], that traces the new value of one weight. What
//! it remembers between steps are *slots*: variables as large as the weight, zeros at first.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use cornu_graph::list;
use cornu_graph::{Array, Error, Result, Tensor, Trace};

use crate::choice::family;
use crate::config::Config;

/// A way to train: its settings, and how it extends the graph of a training step.
///
/// ```
/// use cornu::optimizers::Base;
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
///     fn base(&self) -> Base {
///         Base { learning_rate: self.learning_rate, ..Base::default() }
///     }
///
///     fn slots(&self) -> Vec<Slot> {
///         vec!["mean".into()]
///     }
///
///     fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, _: &Tensor) -> Tensor {
///         let mean = slots.set("mean", slots.get("mean") * 0.9 + g * 0.1);
///         w - lr * mean.ge(0.0).select(1.0, mean.number(-1.0))
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
    fn base(&self) -> Base;

    /// What it keeps of each weight, as `momentum`. In files those that go weight by weight come first.
    fn slots(&self) -> Vec<Slot>;

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

    /// The new value of the weight `w` with the gradient `g`, at the learning rate `lr` in step `t` = 1, 2, … (scalars).
    fn update(&self, slots: &mut Slots, w: &Tensor, g: &Tensor, lr: &Tensor, t: &Tensor) -> Tensor;
}

/// What an optimizer keeps of each weight: a variable as large as the weight, zeros at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Its role: `momentum`.
    pub name: &'static str,
    /// Where it stands in Keras's files.
    pub order: FileOrder,
}

/// How the slots of several roles follow each other in files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileOrder {
    /// All of those of a weight, then of the next: `m v m v`.
    WeightByWeight,
    /// This one of all weights, then the next: `m m v v`.
    RoleByRole,
    /// No step has it; files of Keras 2 do.
    Idle,
}

/// Role by role.
impl From<&'static str> for Slot {
    fn from(name: &'static str) -> Self {
        Slot { name, order: FileOrder::RoleByRole }
    }
}

impl Slot {
    /// The same slot, weight by weight.
    #[must_use]
    pub const fn weight_by_weight(name: &'static str) -> Slot {
        Slot { name, order: FileOrder::WeightByWeight }
    }
}

impl dyn Optimizer {
    /// The roles of the slots that its steps have.
    pub fn roles(&self) -> Vec<&'static str> {
        let used = self.slots().into_iter().filter(|slot| slot.order != FileOrder::Idle);
        used.map(|slot| slot.name).collect()
    }

    /// How many slots of each weight have that order.
    pub(crate) fn count(&self, order: FileOrder) -> usize {
        self.slots().iter().filter(|slot| slot.order == order).count()
    }
}

family! {
    "optimizer" in optimizers: dyn Optimizer { const KEEPS_NAMES: bool = true; } = [
        sgd { SGD = "sgd"; }
        rmsprop { RMSprop = "rmsprop"; }
        adam { Adam = "adam"; }
    ]
}

/// Looks for settings of an optimizer that cannot be right.
///
/// # Errors
/// The first of them.
pub(crate) fn check(optimizer: &dyn Optimizer) -> Result<()> {
    let class = optimizer.class_name();
    optimizer.base().check(class)?;
    let slots = optimizer.roles();
    if let Some(twice) = slots.iter().enumerate().find_map(|(i, slot)| slots[..i].contains(slot).then_some(slot)) {
        return Err(Error::usage(format!("optimizer `{class}` has two slots called `{twice}`")));
    }
    match optimizer.parts().iter().find(|(_, part)| !(0.0..=1.0).contains(part)) {
        Some((name, got)) => Err(Error::usage(format!("`{class}.{name}` needs a number from 0 to 1, got {got}"))),
        None => optimizer.check_settings(),
    }
}

/// The settings that every optimizer has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Base {
    /// How far to go along the gradient.
    pub learning_rate: f64,
    /// The part of each weight that is taken off at each step, times the learning rate.
    pub weight_decay: Option<f64>,
    /// The largest norm of each gradient.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest distance from zero of each element of the gradients.
    pub clipvalue: Option<f64>,
    /// Settings of Keras that are given but not known here yet: training refuses them.
    pub unsupported: Vec<&'static str>,
}

/// Declares an optimizer by its name, its learning rate and the settings of its own, which come after those that all of
/// Keras's optimizers have.
macro_rules! optimizer {
    ($(#[$doc:meta])* pub struct $class:ident($name:literal, $learning_rate:literal) { $($own:tt)* }) => {
        $crate::config! {
            $(#[$doc])*
            "keras.optimizers" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// How far to go along the gradient.
                learning_rate: f64 = $learning_rate,
                /// The part of each weight that is taken off at each step, times the learning rate.
                weight_decay: Option<f64> = None,
                /// The largest norm of each gradient.
                clipnorm: Option<f64> = None,
                /// The largest norm of all gradients together.
                global_clipnorm: Option<f64> = None,
                /// The largest distance from zero of each element of the gradients.
                clipvalue: Option<f64> = None,
                /// Whether to keep running means of the weights. Not supported yet.
                use_ema: bool = false,
                /// How slowly those means follow. Of no meaning without `use_ema`.
                ema_momentum: f64 = 0.99 => PART,
                /// After how many steps those means replace the weights. Of no meaning without `use_ema`.
                ema_overwrite_frequency: Option<i64> = None,
                /// What the loss is multiplied by while gradients are computed. Not supported yet.
                loss_scale_factor: Option<f64> = None,
                /// Over how many batches gradients are gathered. Not supported yet.
                gradient_accumulation_steps: Option<i64> = None,
                $($own)*
            }
        }

        #[doc = concat!("That learning rate, all else at its defaults: Keras's `", stringify!($class), "(0.01)`.")]
        impl From<f64> for $class {
            fn from(learning_rate: f64) -> Self {
                Self::new().learning_rate(learning_rate)
            }
        }
    };
}
use optimizer;

/// Implements [`Optimizer::base`] for a struct with Keras's common settings.
macro_rules! base {
    () => {
        fn base(&self) -> Base {
            let given = [
                ("use_ema", self.use_ema),
                ("loss_scale_factor", self.loss_scale_factor.is_some()),
                ("gradient_accumulation_steps", self.gradient_accumulation_steps.is_some()),
            ];
            Base {
                learning_rate: self.learning_rate,
                weight_decay: self.weight_decay,
                clipnorm: self.clipnorm,
                global_clipnorm: self.global_clipnorm,
                clipvalue: self.clipvalue,
                unsupported: given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect(),
            }
        }
    };
}
use base;

impl Base {
    /// Looks for settings that cannot be right, or are not known here.
    ///
    /// # Errors
    /// The learning rate must not be negative, limits must be above zero, and only one kind of clipping may be chosen.
    fn check(&self, class: &str) -> Result<()> {
        if let Some(name) = self.unsupported.first() {
            return Err(
                Error::unsupported(format!("`{class}.{name}` is not supported yet")).help("leave it at its default")
            );
        }
        let (norm, global, value) = (self.clipnorm, self.global_clipnorm, self.clipvalue);
        let positive = [("clipnorm", norm), ("global_clipnorm", global), ("clipvalue", value)];
        if let Some((name, limit)) =
            positive.iter().find_map(|&(name, limit)| Some((name, limit.filter(|x| x.is_nan() || *x <= 0.0)?)))
        {
            return Err(Error::usage(format!("`{class}.{name}` needs a number above 0, got {limit}")));
        }
        if positive.iter().filter(|(_, limit)| limit.is_some()).count() > 1 {
            let message = format!("`{class}` takes one of `clipnorm`, `clipvalue` and `global_clipnorm`, got several");
            return Err(Error::usage(message));
        }
        // Too large for single precision is infinite.
        let rates = [("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay.unwrap_or(0.0))];
        let bad = rates.iter().find(|(_, rate)| !(*rate >= 0.0 && (*rate as f32).is_finite()));
        bad.map_or(Ok(()), |(name, got)| {
            Err(Error::usage(format!("`{class}.{name}` needs a number of 0 or more, got {got}")))
        })
    }

    /// The gradients as the settings bound them.
    fn clip(&self, mut gradients: Vec<Tensor>) -> Vec<Tensor> {
        if let Some(limit) = self.clipnorm {
            gradients.iter_mut().for_each(|g| {
                let squares = g.square().sum_all();
                let norm = squares.sqrt();
                *g = (&*g * limit) / norm.maximum(limit);
            });
        }
        if let (Some(limit), Some(norm)) = (self.global_clipnorm, global_norm(&gradients)) {
            let scale = (1.0 / norm).minimum(1.0 / limit) * limit;
            gradients.iter_mut().for_each(|g| *g = &*g * scale.cast(g.dtype()));
        }
        if let Some(limit) = self.clipvalue {
            gradients.iter_mut().for_each(|g| *g = g.clip(-limit, limit));
        }
        gradients
    }
}

/// The square root of the sum of all squares; nothing for no gradients.
fn global_norm(gradients: &[Tensor]) -> Option<Tensor> {
    let squares = gradients.iter().map(|g| g.square().sum_all());
    squares.reduce(|a, b| &a + b.cast(a.dtype())).map(|squares| squares.sqrt())
}

/// What an optimizer remembers of one weight, while its update is being traced. A role that [`Optimizer::slots`] does not
/// name is a mistake, which training reports.
pub struct Slots {
    class: String,
    trace: Trace,
    values: BTreeMap<&'static str, Tensor>,
}

impl Slots {
    /// The slot of that role, as it was before the step.
    pub fn get(&self, role: &str) -> Tensor {
        self.values.get(role).cloned().unwrap_or_else(|| {
            self.refuse(role);
            self.trace.constant(Array::scalar(0.0f32))
        })
    }

    /// Changes a slot, and hands back its new value. Numbers too small to matter become zero, see [`Tensor::flush`].
    pub fn set(&mut self, role: &str, value: Tensor) -> Tensor {
        let value = if value.dtype().is_float() { value.flush() } else { value };
        match self.values.get_mut(role) {
            Some(slot) => *slot = value.clone(),
            None => self.refuse(role),
        }
        value
    }

    /// A new value, which must be of this trace and of the type of its weight.
    fn checked(&self, new: Tensor, w: &Tensor) -> Tensor {
        if let Err(error) = self.trace.takes(&new, format_args!("optimizer `{}`", self.class)) {
            self.trace.fail(error);
        } else if new.ty() != w.ty() {
            let message = format!("optimizer `{}`: `update` needs {}, got {}", self.class, w.ty(), new.ty());
            self.trace.fail(Error::graph(message));
        }
        new
    }

    fn refuse(&self, role: &str) {
        let known = list(&Vec::from_iter(self.values.keys().copied()));
        let known = if self.values.is_empty() { known } else { format!("only {known}") };
        let message = format!("optimizer `{}` has no slot `{role}`, {known}", self.class);
        self.trace.fail(Error::graph(message).help("name it in `Optimizer::slots`"));
    }
}

/// What one step of an optimizer makes of weights and slots.
pub(crate) struct Applied {
    /// The new weights, in the order given.
    pub(crate) weights: Vec<Tensor>,
    /// The new slots, `[role][weight]`.
    pub(crate) slots: Vec<Vec<Tensor>>,
    /// The number of steps taken.
    pub(crate) iterations: Tensor,
}

/// Traces one step: `slots` are given as `[role][weight]`, `iterations` is a whole number and `lr` a float.
pub(crate) fn apply(
    optimizer: &dyn Optimizer,
    weights: &[Tensor],
    gradients: Vec<Tensor>,
    slots: &[Vec<Tensor>],
    (iterations, lr): (&Tensor, &Tensor),
) -> Applied {
    let (base, roles) = (optimizer.base(), optimizer.roles());
    let iterations = iterations + 1;
    let mut applied = Applied { weights: Vec::new(), slots: vec![Vec::new(); roles.len()], iterations };
    for (i, (w, g)) in weights.iter().zip(base.clip(gradients)).enumerate() {
        // Each weight is updated in its own precision.
        let (lr, t) = (&lr.cast(w.dtype()), &applied.iterations.cast(w.dtype()));
        let decayed = base.weight_decay.map_or_else(|| w.clone(), |decay| w - w * decay * lr);
        let values = roles.iter().zip(slots).map(|(&role, slots)| (role, slots[i].clone())).collect();
        let mut own = Slots { class: optimizer.class_name().into(), trace: w.trace().clone(), values };
        let new = optimizer.update(&mut own, &decayed, &g, lr, t);
        applied.weights.push(own.checked(new, w));
        roles.iter().zip(&mut applied.slots).for_each(|(role, slots)| slots.push(own.checked(own.get(role), w)));
    }
    applied
}
