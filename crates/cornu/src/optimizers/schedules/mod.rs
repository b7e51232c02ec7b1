//! Learning rates that follow the number of steps taken.

#[cfg(test)]
mod tests;

use cornu_graph::{Array, DType, Result, Tensor, Trace, evaluate};

use crate::choice::family;
use crate::config::Config;

/// A learning rate by the number of steps.
///
/// ```
/// use cornu::optimizers::schedules::Schedule;
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// A rate that is divided by the number of steps.
///     "my.schedules" pub struct Harmonic {
///         /// The rate of the first step.
///         start: f64 = 0.1,
///     }
/// }
///
/// impl Schedule for Harmonic {
///     fn at(&self, step: &Tensor) -> Tensor {
///         self.start / (step + 1.0)
///     }
/// }
///
/// let mut model = sequential![Dense::new(1)];
/// model.compile(Compile::new().loss("mse").optimizer(SGD::new().learning_rate(Harmonic::new())))?;
/// model.fit([[0.0], [1.0]], [0.5, 1.0], Fit::new().epochs(3).verbose(0))?;
/// assert_eq!(model.learning_rate()?, f64::from(0.1_f32 / 4.0));
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Schedule: Config {
    /// The learning rate after `step` = 0, 1, … steps: both are scalars of `f32`.
    fn at(&self, step: &Tensor) -> Tensor;

    /// Looks for settings that cannot be right.
    ///
    /// # Errors
    /// The first of them.
    fn check_settings(&self) -> Result<()> {
        Ok(())
    }
}

impl dyn Schedule {
    /// The learning rate after so many steps.
    pub fn value(&self, step: i64) -> f64 {
        let trace = Trace::new();
        let rate = self.at(&trace.constant(Array::scalar(step as f32)));
        let graph = trace.finish(&[rate], &[]);
        graph.map_or(f64::NAN, |graph| evaluate(&graph, &[], &[]).0[0].get(0))
    }
}

family! {
    "schedule" in optimizers::schedules: dyn Schedule = [
        cosine_decay { CosineDecay = ; }
        exponential_decay { ExponentialDecay = ; }
        inverse_time_decay { InverseTimeDecay = ; }
        piecewise_constant_decay { PiecewiseConstantDecay = ; }
        polynomial_decay { PolynomialDecay = ; }
    ]
}

/// The whole part of a number of 0 or more.
fn floor(x: &Tensor) -> Tensor {
    x.cast(DType::I64).cast(x.dtype())
}

/// The cosine of a number from 0 to pi, rounded once: minus the sine of what is left without a right angle, as a series.
fn cosine(x: &Tensor) -> Tensor {
    let angle = x.cast(DType::F64) - std::f64::consts::FRAC_PI_2;
    let square = angle.square();
    let term = |sum: Tensor, n: i32| 1.0 - sum * &square / f64::from(2 * n * (2 * n + 1));
    let series = (1..=11).rev().fold(angle.number(1.0), term);
    (-(angle * series)).cast(x.dtype())
}
