//! The settings that every optimizer has: what is done before and after the new weights are found, in one place.

use std::sync::Arc;

use cornu_graph::{Array, DType, Error, Result, Tensor};
use serde_json::Value;

use super::schedules::Schedule;
use super::{FileOrder, Slot, SlotStart};
use crate::config::{Config, Field, IntoField, Kind, object};
use crate::flavor::Flavor;
use crate::registry::Family;

/// How far to go along the gradient: always as far, or as a schedule says.
#[derive(Clone, Debug)]
pub enum LearningRate {
    /// A number, which can be set while a model trains.
    Fixed(f64),
    /// By the number of steps taken.
    Schedule(Arc<dyn Schedule>),
}

impl LearningRate {
    /// The schedule, if it is one.
    pub fn schedule(&self) -> Option<&Arc<dyn Schedule>> {
        match self {
            LearningRate::Fixed(_) => None,
            LearningRate::Schedule(schedule) => Some(schedule),
        }
    }
}

impl Default for LearningRate {
    fn default() -> Self {
        LearningRate::Fixed(0.0)
    }
}

impl PartialEq for LearningRate {
    fn eq(&self, other: &Self) -> bool {
        self.to_json() == other.to_json()
    }
}

impl From<f64> for LearningRate {
    fn from(rate: f64) -> Self {
        LearningRate::Fixed(rate)
    }
}

impl<S: Schedule> From<S> for LearningRate {
    fn from(schedule: S) -> Self {
        LearningRate::Schedule(Arc::new(schedule))
    }
}

impl IntoField<LearningRate> for f64 {
    fn into_field(self) -> LearningRate {
        self.into()
    }
}

impl IntoField<LearningRate> for i32 {
    fn into_field(self) -> LearningRate {
        f64::from(self).into()
    }
}

impl IntoField<LearningRate> for f32 {
    fn into_field(self) -> LearningRate {
        f64::from(self).into()
    }
}

impl<S: Schedule> IntoField<LearningRate> for S {
    fn into_field(self) -> LearningRate {
        self.into()
    }
}

impl Field for LearningRate {
    fn to_json(&self) -> Value {
        match self {
            LearningRate::Fixed(rate) => rate.to_json(),
            LearningRate::Schedule(schedule) => object(schedule.module(), schedule.class_name(), schedule.to_json()),
        }
    }

    fn from_json(json: &Value) -> Result<Self> {
        if json.is_object() {
            let mut json = json.clone();
            // Keras 2 gives a schedule no name where Keras 3 wants one.
            if let Some(config) = json.get_mut("config").and_then(Value::as_object_mut) {
                config.retain(|key, value| !(key == "name" && value.is_null()));
            }
            return <dyn Schedule>::registry().read_object(&json).map(LearningRate::Schedule);
        }
        f64::from_json(json).map(LearningRate::Fixed)
    }

    fn kind() -> Kind {
        Kind::Number
    }

    fn check(&self) -> Result<()> {
        match self {
            LearningRate::Fixed(rate) => rate.check(),
            LearningRate::Schedule(schedule) => schedule.check(),
        }
    }

    fn objects(&self) -> Vec<&dyn Config> {
        self.schedule().map(|schedule| schedule.as_config()).into_iter().collect()
    }
}

/// The settings that every optimizer has.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Common {
    /// How far to go along the gradient.
    pub learning_rate: LearningRate,
    /// The part of each weight that is taken off at each step, times the learning rate.
    pub weight_decay: Option<f64>,
    /// Parts of the names of weights that are not decayed.
    pub exclude_from_weight_decay: Vec<String>,
    /// The largest norm of each gradient.
    pub clipnorm: Option<f64>,
    /// The largest norm of all gradients together.
    pub global_clipnorm: Option<f64>,
    /// The largest distance from zero of each element of the gradients.
    pub clipvalue: Option<f64>,
    /// How slowly running means of the weights follow, if there are any.
    pub ema_momentum: Option<f64>,
    /// After how many steps those means replace the weights, beside the end of each fit.
    pub ema_overwrite_frequency: Option<i64>,
    /// What the loss is multiplied by while gradients are computed.
    pub loss_scale_factor: Option<f64>,
    /// Over how many batches gradients are gathered.
    pub gradient_accumulation_steps: Option<i64>,
}

/// Declares an optimizer by its name, its learning rate and the settings of its own, which come after those that all of
/// Keras's optimizers have.
macro_rules! optimizer {
    ($(#[$doc:meta])* pub struct $class:ident($name:literal, $learning_rate:literal) { $($own:tt)* }) => {
        $crate::optimizers::optimizer! {
            $(#[$doc])*
            pub struct $class($name, $learning_rate, None) { $($own)* }
        }
    };
    ($(#[$doc:meta])* pub struct $class:ident($name:literal, $learning_rate:literal, $decay:expr) { $($own:tt)* }) => {
        $crate::config! {
            $(#[$doc])*
            "keras.optimizers" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// How far to go along the gradient: a number, or a schedule.
                learning_rate: $crate::optimizers::LearningRate = $learning_rate.into(),
                /// The part of each weight that is taken off at each step, times the learning rate.
                weight_decay: Option<f64> = $decay,
                /// The largest norm of each gradient.
                clipnorm: Option<f64> = None,
                /// The largest norm of all gradients together.
                global_clipnorm: Option<f64> = None,
                /// The largest distance from zero of each element of the gradients.
                clipvalue: Option<f64> = None,
                /// Whether to keep running means of the weights, which replace them at the end of each fit.
                use_ema: bool = false,
                /// How slowly those means follow. Of no meaning without `use_ema`.
                ema_momentum: f64 = 0.99 => PART,
                /// After how many steps those means replace the weights. Of no meaning without `use_ema`.
                ema_overwrite_frequency: Option<i64> = None,
                /// What the loss is multiplied by while gradients are computed, and they are divided by.
                loss_scale_factor: Option<f64> = None,
                /// Over how many batches gradients are gathered: only so many make a step.
                gradient_accumulation_steps: Option<i64> = None,
                /// Parts of the names of weights that are not decayed, as `"bias"`: of their own names in Keras 3, of
                /// their paths in Keras 2. No file keeps them.
                exclude_from_weight_decay: Vec<String> = Vec::new() => UNSAVED,
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
pub(crate) use optimizer;

/// Implements [`Optimizer::common`](super::Optimizer::common) for a struct with Keras's common settings.
macro_rules! common {
    () => {
        fn common(&self) -> $crate::optimizers::Common {
            $crate::optimizers::Common {
                learning_rate: self.learning_rate.clone(),
                weight_decay: self.weight_decay,
                exclude_from_weight_decay: self.exclude_from_weight_decay.clone(),
                clipnorm: self.clipnorm,
                global_clipnorm: self.global_clipnorm,
                clipvalue: self.clipvalue,
                ema_momentum: self.use_ema.then_some(self.ema_momentum),
                ema_overwrite_frequency: self.ema_overwrite_frequency.filter(|_| self.use_ema),
                loss_scale_factor: self.loss_scale_factor,
                gradient_accumulation_steps: self.gradient_accumulation_steps,
            }
        }
    };
}
pub(crate) use common;

/// The running mean of a weight.
pub(crate) const AVERAGE: &str = "average";
/// The gradients of a weight that were gathered so far.
pub(super) const GATHERED: &str = "gradient_accumulator";

impl Common {
    /// What these settings keep of each weight, before what the optimizer keeps.
    pub(super) fn slots(&self) -> Vec<Slot> {
        let slot = |name, start| Slot { name, order: FileOrder::First, start };
        let average = self.ema_momentum.map(|_| slot(AVERAGE, SlotStart::Weight));
        let gathered = self.gradient_accumulation_steps.map(|_| slot(GATHERED, SlotStart::Zeros));
        average.into_iter().chain(gathered).collect()
    }

    /// Whether Keras 2 has no such settings.
    pub(crate) fn needs_keras_3(&self) -> bool {
        self.loss_scale_factor.is_some() || self.gradient_accumulation_steps.is_some()
    }

    /// Looks for settings that cannot be right.
    ///
    /// # Errors
    /// The learning rate must not be negative, limits must be above zero, and only one kind of clipping may be chosen.
    pub(super) fn check(&self, class: &str) -> Result<()> {
        let (norm, global, value) = (self.clipnorm, self.global_clipnorm, self.clipvalue);
        let clips = [("clipnorm", norm), ("global_clipnorm", global), ("clipvalue", value)];
        let positive = clips.iter().copied().chain([("loss_scale_factor", self.loss_scale_factor)]);
        let bad = |limit: &f64| limit.is_nan() || *limit <= 0.0;
        if let Some((name, limit)) = positive.into_iter().find_map(|(name, limit)| Some((name, limit.filter(bad)?))) {
            return Err(Error::usage(format!("`{class}.{name}` needs a number above 0, got {limit}")));
        }
        if clips.iter().filter(|(_, limit)| limit.is_some()).count() > 1 {
            let message = format!("`{class}` takes one of `clipnorm`, `clipvalue` and `global_clipnorm`, got several");
            return Err(Error::usage(message));
        }
        let counts = [
            ("ema_overwrite_frequency", self.ema_overwrite_frequency, 1),
            ("gradient_accumulation_steps", self.gradient_accumulation_steps, 2),
        ];
        if let Some((name, Some(got), least)) =
            counts.into_iter().find(|(_, got, least)| got.is_some_and(|n| n < *least))
        {
            return Err(Error::usage(format!("`{class}.{name}` needs a whole number from {least} on, got {got}")));
        }
        // Too large for single precision is infinite.
        let rate = match self.learning_rate {
            LearningRate::Fixed(rate) => rate,
            LearningRate::Schedule(_) => 0.0,
        };
        let rates = [("learning_rate", rate), ("weight_decay", self.weight_decay.unwrap_or(0.0))];
        let bad = rates.iter().find(|(_, rate)| !(*rate >= 0.0 && (*rate as f32).is_finite()));
        bad.map_or(Ok(()), |(name, got)| {
            Err(Error::usage(format!("`{class}.{name}` needs a number of 0 or more, got {got}")))
        })
    }

    /// The loss whose gradients are computed.
    pub(crate) fn scaled(&self, loss: &Tensor) -> Tensor {
        self.loss_scale_factor.map_or_else(|| loss.clone(), |factor| loss * factor)
    }

    /// The learning rate after so many batches: as the variable says, unless it follows a schedule.
    pub(super) fn rate(&self, iterations: &Tensor, variable: Option<&Tensor>) -> Tensor {
        match (&self.learning_rate, variable) {
            (LearningRate::Schedule(schedule), _) => schedule.at(&iterations.cast(DType::F32)),
            (LearningRate::Fixed(_), Some(rate)) => rate.clone(),
            (LearningRate::Fixed(rate), None) => iterations.trace().constant(Array::scalar(*rate as f32)),
        }
    }

    /// The gradients of the loss from those of the scaled one.
    pub(super) fn unscaled(&self, gradients: Vec<Tensor>) -> Vec<Tensor> {
        match self.loss_scale_factor {
            Some(factor) => gradients.into_iter().map(|g| g / factor).collect(),
            None => gradients,
        }
    }

    /// The gradients as the settings bound them.
    pub(super) fn clip(&self, mut gradients: Vec<Tensor>) -> Vec<Tensor> {
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

    /// The weight of that path without the part that decays.
    pub(super) fn decayed(&self, w: &Tensor, path: &str, lr: &Tensor) -> Tensor {
        let name = match Flavor::of(w).excludes_by_paths() {
            true => path.split_once('/').map_or(path, |(_, name)| name),
            false => path.rsplit('/').next().unwrap_or(path),
        };
        let excluded = self.exclude_from_weight_decay.iter().any(|part| name.contains(part.as_str()));
        self.weight_decay.filter(|_| !excluded).map_or_else(|| w.clone(), |decay| w - w * decay * lr)
    }

    /// The running mean and the weight after a step: `new` is the weight, `count` the number of steps before this one.
    pub(super) fn averaged(&self, average: &Tensor, new: &Tensor, count: &Tensor) -> (Tensor, Tensor) {
        let momentum = new.number(self.ema_momentum.unwrap_or_default());
        let momentum = match Flavor::of(new).averages_from_first_step() {
            true => count.ne(0.0).cast(new.dtype()) * momentum,
            false => momentum,
        };
        let average = &momentum * average + (1.0 - &momentum) * new;
        match self.ema_overwrite_frequency {
            Some(every) => (average.clone(), is_multiple(&(count + 1), every).select(&average, new)),
            None => (average, new.clone()),
        }
    }
}

/// Whether a whole number is a multiple of another.
pub(super) fn is_multiple(count: &Tensor, of: i64) -> Tensor {
    (quotient(count, of) * of as f64).eq(count)
}

/// How often a whole number above zero is in another.
pub(super) fn quotient(count: &Tensor, of: i64) -> Tensor {
    // Doubles hold whole numbers to 2^53, and their quotients are cut off.
    (count.cast(DType::F64) / of as f64).cast(DType::I64)
}

/// The square root of the sum of all squares; nothing for no gradients.
fn global_norm(gradients: &[Tensor]) -> Option<Tensor> {
    let squares = gradients.iter().map(|g| g.square().sum_all());
    squares.reduce(|a, b| &a + b.cast(a.dtype())).map(|squares| squares.sqrt())
}
