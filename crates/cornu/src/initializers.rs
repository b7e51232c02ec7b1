//! How weights start: `keras.initializers`.

mod draw;
mod forget_bias;
mod root;

use cornu_graph::random::Stream;
use cornu_graph::room::room;
use cornu_graph::{Array, Bf16, DType, Error, F16, Result, Shape, Type};

use crate::choice::family;
use crate::config::{Config, Mark};
use crate::flavor::Flavor;
use draw::{Float, rounded};
pub(crate) use forget_bias::ForgetBias;
pub(crate) use root::root;

/// The standard deviation of a standard normal distribution cut off at two deviations.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

crate::names! {
    /// Which number of units the spread of a [`VarianceScaling`] shrinks with.
    "a fan mode" pub enum FanMode {
        /// The inputs of a unit.
        FanIn = "fan_in",
        /// The units an input feeds.
        FanOut = "fan_out",
        /// The mean of the two.
        FanAvg = "fan_avg",
    }
}

crate::names! {
    /// What a [`VarianceScaling`] draws from.
    "a distribution" pub enum Distribution {
        /// Widened so that its deviation is right after truncation.
        TruncatedNormal = "truncated_normal",
        /// Without truncation.
        UntruncatedNormal = "untruncated_normal",
        /// Around zero.
        Uniform = "uniform",
    }
}

/// Axes of a weight; negative ones count from the end.
type Axes = Option<Vec<i64>>;

/// How a weight starts. The fields are those of Keras's configurations.
///
/// A random initializer without `seed` takes one [`keras_seed`](crate::random::keras_seed) for good. Where the number of
/// inputs and outputs matters, it is counted from the shape (the last axis is outputs, the one before it inputs, all
/// earlier ones a receptive field), unless both `input_axes` and `output_axes` say which axes to multiply; negative axes
/// count from the end.
///
/// ```
/// use cornu::prelude::*;
///
/// cornu::config! {
///     /// Ones, one row up and one down.
///     "my.initializers" pub struct Alternating {}
/// }
///
/// impl Initializer for Alternating {
///     fn array(&self, ty: &Type, _: cornu::random::Stream) -> cornu::Result<Array> {
///         let columns = ty.shape.last().copied().unwrap_or(1).max(1);
///         Ok(Array::from_fn(ty, |i| if i / columns % 2 == 0 { 1.0 } else { -1.0 }))
///     }
/// }
///
/// let model = sequential![Dense::new(1).kernel_initializer(Alternating::new()).input_shape([2])];
/// assert_eq!(model.weights()[0].as_slice(), Some(&[1.0, -1.0][..]));
/// ```
pub trait Initializer: Config {
    /// The values of a weight of that type, drawn from `stream`, if any are drawn.
    ///
    /// # Errors
    /// A shape that it cannot fill.
    fn array(&self, ty: &Type, stream: Stream) -> Result<Array>;
}

impl dyn Initializer {
    /// The seed in the configuration, if there is one.
    pub fn seed(&self) -> Option<i64> {
        self.seed_field().flatten()
    }

    /// Whether values are random and the configuration has no seed, so that one must be drawn.
    pub fn draws(&self) -> bool {
        self.seed_field() == Some(None)
    }

    /// The field marked as a seed, if this kind of initializer has one.
    fn seed_field(&self) -> Option<Option<i64>> {
        let settings = self.settings();
        let seed = settings.iter().find(|setting| setting.marks.contains(&Mark::SEED))?;
        Some(seed.value.to_json().as_i64())
    }

    /// The values of a weight of that type of floats, in a given flavour and in its precision: from the seed in the
    /// configuration, or else from `seed`.
    ///
    /// # Errors
    /// `Identity` needs two axes and `Orthogonal` two or more; `scale` must be positive; axes must exist.
    pub fn array_of(&self, flavor: Flavor, ty: &Type, seed: i64) -> Result<Array> {
        room_for(ty)?;
        let array = self.array(ty, flavor.stateless([self.seed().unwrap_or(seed), 0]))?;
        if array.ty() == *ty {
            return Ok(array);
        }
        Err(Error::usage(format!("initializer `{}` needs to give {ty}, got {}", self.class_name(), array.ty())))
    }
}

family! {
    "initializer" in initializers: dyn Initializer = [
        Zeros = "zeros";
        Ones = "ones";
        Constant = "constant";
        RandomUniform = "random_uniform" | "uniform";
        RandomNormal = "random_normal" | "normal";
        TruncatedNormal = "truncated_normal";
        VarianceScaling = "variance_scaling";
        GlorotUniform = "glorot_uniform";
        GlorotNormal = "glorot_normal";
        HeUniform = "he_uniform";
        HeNormal = "he_normal";
        LecunUniform = "lecun_uniform";
        LecunNormal = "lecun_normal";
        Identity = "identity" | "IdentityInitializer";
        Orthogonal = "orthogonal" | "OrthogonalInitializer";
    ]
}

/// Declares an initializer by its fields, and how it fills an array in the precision `T`, given itself, the stream, the
/// shape and the array.
macro_rules! initializer {
    ($(#[$doc:meta])* pub struct $class:ident { $($fields:tt)* }
        fill<$t:ident>($own:ident, $stream:ident, $shape:ident, $data:ident) $body:block) => {
        crate::config! {
            $(#[$doc])*
            "keras.initializers" pub struct $class { $($fields)* }
        }

        impl Initializer for $class {
            fn array(&self, ty: &Type, stream: Stream) -> Result<Array> {
                fn fill<$t: Float>($own: &$class, $stream: Stream, $shape: &Shape, $data: &mut [$t]) -> Result<()> $body
                let shape = &ty.shape;
                match ty.dtype {
                    DType::F64 => filled(ty, |data: &mut [f64]| fill(self, stream, shape, data)),
                    DType::F16 => filled(ty, |data: &mut [F16]| fill(self, stream, shape, data)),
                    DType::Bf16 => filled(ty, |data: &mut [Bf16]| fill(self, stream, shape, data)),
                    dtype => Ok(filled(ty, |data: &mut [f32]| fill(self, stream, shape, data))?.cast(dtype)),
                }
            }
        }
    };
}

initializer! {
    /// Zeros.
    pub struct Zeros {}
    fill<T>(_own, _stream, _shape, _data) { Ok(()) }
}

initializer! {
    /// Ones.
    pub struct Ones {}
    fill<T>(_own, _stream, _shape, data) { constant(1.0, data) }
}

initializer! {
    /// One value everywhere.
    pub struct Constant {
        /// The value.
        value: f64 = 0.0,
    }
    fill<T>(own, _stream, _shape, data) { constant(own.value, data) }
}

initializer! {
    /// Uniform in `[minval, maxval)`.
    pub struct RandomUniform {
        /// For values independent of all other weights.
        seed: Option<i64> = None => SEED,
        /// The least value.
        minval: f64 = -0.05,
        /// The value that all are below.
        maxval: f64 = 0.05,
    }
    fill<T>(own, stream, _shape, data) {
        T::uniform(stream, own.minval, own.maxval, data);
        Ok(())
    }
}

initializer! {
    /// Normal.
    pub struct RandomNormal {
        /// For values independent of all other weights.
        seed: Option<i64> = None => SEED,
        /// The mean.
        mean: f64 = 0.0,
        /// The standard deviation.
        stddev: f64 = 0.05 => NOT_NEGATIVE,
    }
    fill<T>(own, stream, _shape, data) {
        T::normal(stream, own.mean, own.stddev, data);
        Ok(())
    }
}

initializer! {
    /// Normal, drawn again where further than two deviations from the mean.
    pub struct TruncatedNormal {
        /// For values independent of all other weights.
        seed: Option<i64> = None => SEED,
        /// The mean.
        mean: f64 = 0.0,
        /// The standard deviation before values are drawn again.
        stddev: f64 = 0.05 => NOT_NEGATIVE,
    }
    fill<T>(own, stream, _shape, data) {
        T::truncated_normal(stream, own.mean, own.stddev, data);
        Ok(())
    }
}

initializer! {
    /// Around zero, with a variance of `scale` over the number of units.
    pub struct VarianceScaling {
        /// For values independent of all other weights.
        seed: Option<i64> = None => SEED,
        /// The variance times the number of units.
        scale: f64 = 1.0,
        /// Which units are counted.
        mode: FanMode = FanMode::FanIn,
        /// What is drawn from.
        distribution: Distribution = Distribution::TruncatedNormal,
        /// The axes of inputs, if they are not counted from the shape.
        input_axes: Axes = None => HIDE_NULL,
        /// The axes of outputs, if they are not counted from the shape.
        output_axes: Axes = None => HIDE_NULL,
    }
    fill<T>(own, stream, shape, data) {
        let units = fans(shape, &own.input_axes, &own.output_axes)?;
        own.distribution.fill(variance(own.scale, own.mode, units)?, stream, data);
        Ok(())
    }
}

/// Cases of [`VarianceScaling`] with names of their own.
macro_rules! scaled {
    ($($(#[$doc:meta])* $class:ident($scale:literal, $mode:ident, $distribution:ident);)*) => {$(
        initializer! {
            $(#[$doc])*
            pub struct $class {
                /// For values independent of all other weights.
                seed: Option<i64> = None => SEED,
                /// The axes of inputs, if they are not counted from the shape.
                input_axes: Axes = None => HIDE_NULL,
                /// The axes of outputs, if they are not counted from the shape.
                output_axes: Axes = None => HIDE_NULL,
            }
            fill<T>(own, stream, shape, data) {
                let units = fans(shape, &own.input_axes, &own.output_axes)?;
                Distribution::$distribution.fill(variance($scale, FanMode::$mode, units)?, stream, data);
                Ok(())
            }
        }
    )*};
}

scaled! {
    /// Uniform, variance 1 over the mean of inputs and outputs (Glorot and Bengio, 2010).
    GlorotUniform(1.0, FanAvg, Uniform);
    /// Truncated normal, variance 1 over the mean of inputs and outputs (Glorot and Bengio, 2010).
    GlorotNormal(1.0, FanAvg, TruncatedNormal);
    /// Uniform, variance 2 over the inputs (He and others, 2015).
    HeUniform(2.0, FanIn, Uniform);
    /// Truncated normal, variance 2 over the inputs (He and others, 2015).
    HeNormal(2.0, FanIn, TruncatedNormal);
    /// Uniform, variance 1 over the inputs (LeCun and others, 1998).
    LecunUniform(1.0, FanIn, Uniform);
    /// Truncated normal, variance 1 over the inputs (LeCun and others, 1998).
    LecunNormal(1.0, FanIn, TruncatedNormal);
}

initializer! {
    /// `gain` on the diagonal of a matrix, which need not be square.
    pub struct Identity {
        /// The value on the diagonal.
        gain: f64 = 1.0,
    }
    fill<T>(own, _stream, shape, data) { identity(T::from_f64(own.gain), shape, data) }
}

initializer! {
    /// Orthonormal rows or columns, times `gain` (Saxe and others, 2014).
    pub struct Orthogonal {
        /// For values independent of all other weights.
        seed: Option<i64> = None => SEED,
        /// What they are multiplied by.
        gain: f64 = 1.0,
    }
    fill<T>(own, stream, shape, data) { orthogonal(own.gain, stream, shape, data) }
}

/// An array that is filled by its type.
fn filled<T: Float>(ty: &Type, fill: impl FnOnce(&mut [T]) -> Result<()>) -> Result<Array> {
    let mut data = vec![T::from_f64(0.0); ty.shape.size()];
    fill(&mut data)?;
    Array::new(ty.shape.clone(), data)
}

fn constant<T: Float>(value: f64, data: &mut [T]) -> Result<()> {
    data.fill(T::from_f64(value));
    Ok(())
}

impl Distribution {
    /// Fills `data` with values around zero.
    fn fill<T: Float>(self, variance: f64, stream: Stream, data: &mut [T]) {
        match self {
            Distribution::Uniform => {
                let limit = (3.0 * variance).sqrt();
                T::uniform(stream, -limit, limit, data);
            }
            Distribution::TruncatedNormal => {
                T::truncated_normal(stream, 0.0, variance.sqrt() / TRUNCATED_DEVIATION, data);
            }
            Distribution::UntruncatedNormal => T::normal(stream, 0.0, variance.sqrt(), data),
        }
    }
}

/// Whether there is memory for a weight.
///
/// # Errors
/// It needs more than there is.
pub(crate) fn room_for(ty: &Type) -> Result<()> {
    let shape = &ty.shape;
    let size = shape.checked_size().ok_or_else(|| Error::usage(format!("a weight of shape {shape} is too large")))?;
    room::<u8>(&format!("a weight of shape {shape}"), &[size, ty.dtype.size()])
}

fn variance(scale: f64, mode: FanMode, (inputs, outputs): (f64, f64)) -> Result<f64> {
    if scale.is_nan() || scale <= 0.0 {
        return Err(Error::usage(format!("`scale` of an initializer must be positive, got {scale}")));
    }
    let units = match mode {
        FanMode::FanIn => inputs,
        FanMode::FanOut => outputs,
        FanMode::FanAvg => (inputs + outputs) / 2.0,
    };
    Ok(scale / units.max(1.0))
}

/// The numbers of inputs and outputs of a weight.
fn fans(shape: &Shape, input_axes: &Axes, output_axes: &Axes) -> Result<(f64, f64)> {
    if let (Some(inputs), Some(outputs)) = (input_axes, output_axes) {
        return Ok((product(shape, inputs)?, product(shape, outputs)?));
    }
    let (inputs, outputs) = match **shape {
        [] => (1.0, 1.0),
        [units] => (units as f64, units as f64),
        [ref receptive @ .., inputs, outputs] => {
            let receptive: f64 = receptive.iter().map(|&size| size as f64).product();
            (inputs as f64 * receptive, outputs as f64 * receptive)
        }
    };
    Ok((inputs, outputs))
}

/// The product of the sizes of `axes`, of which negative ones count from the end.
fn product(shape: &Shape, axes: &[i64]) -> Result<f64> {
    axes.iter().try_fold(1.0, |units, &axis| {
        let index = if axis < 0 { axis + shape.rank() as i64 } else { axis };
        let size = usize::try_from(index).ok().and_then(|index| shape.get(index));
        let size = size.ok_or_else(|| Error::usage(format!("an initializer needs axis {axis} of shape {shape}")))?;
        Ok(units * *size as f64)
    })
}

fn identity<T: Float>(gain: T, shape: &Shape, data: &mut [T]) -> Result<()> {
    let [_, columns] = **shape else {
        return Err(Error::usage(format!("`Identity` needs a weight with 2 axes, got shape {shape}")));
    };
    data.iter_mut().step_by(columns + 1).take(columns).for_each(|value| *value = gain);
    Ok(())
}

/// The factor Q of a matrix of normal values, with the signs that make the diagonal of R positive.
fn orthogonal<T: Float>(gain: f64, stream: Stream, shape: &Shape, data: &mut [T]) -> Result<()> {
    let [ref rows @ .., columns] = **shape else {
        return Err(too_flat(shape));
    };
    if rows.is_empty() {
        return Err(too_flat(shape));
    }
    if data.is_empty() {
        return Ok(());
    }
    let rows = data.len() / columns;
    let (long, short) = (rows.max(columns), rows.min(columns));
    T::normal(stream, 0.0, 1.0, data);
    let mut matrix = vec![0.0; data.len()];
    for (i, &value) in data.iter().enumerate() {
        matrix[i % short * long + i / short] = value.to_f64();
    }
    let q = orthonormal(matrix, long);
    for (i, value) in data.iter_mut().enumerate() {
        let (row, column) = (i / columns, i % columns);
        let index = if rows < columns { row * long + column } else { column * long + row };
        // Rounded before and after the product, as in that precision.
        *value = T::from_f64(rounded::<T>(gain) * rounded::<T>(q[index]));
    }
    Ok(())
}

fn too_flat(shape: &Shape) -> Error {
    Error::usage(format!("`Orthogonal` needs a weight with 2 axes or more, got shape {shape}"))
}

/// Householder's factorisation `A = Q R`, in double precision: the columns of `Q`, each times the sign of its diagonal
/// element of `R`. Columns, of `long` elements, lie one after the other.
fn orthonormal(mut a: Vec<f64>, long: usize) -> Vec<f64> {
    let short = a.len() / long;
    let mut signs = vec![0.0; short];
    for j in 0..short {
        let (left, right) = a.split_at_mut((j + 1) * long);
        let reflector = &mut left[j * long + j..];
        signs[j] = make_reflector(reflector);
        right.chunks_exact_mut(long).for_each(|column| reflect(reflector, &mut column[j..]));
    }
    let mut q = vec![0.0; a.len()];
    for j in (0..short).rev() {
        q[j * long + j] = signs[j];
        // Columns before this one are zero where the reflector is not.
        q[j * long..]
            .chunks_exact_mut(long)
            .for_each(|column| reflect(&a[j * long + j..(j + 1) * long], &mut column[j..]));
    }
    q
}

/// Turns a column into the unit normal of the mirror that maps it onto its first axis, and returns the sign of the
/// image: the opposite of the first element's, so that nothing cancels.
fn make_reflector(column: &mut [f64]) -> f64 {
    let length = column.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length == 0.0 {
        return 0.0;
    }
    let sign = if column[0] > 0.0 { -1.0 } else { 1.0 };
    column[0] -= sign * length;
    let norm = column.iter().map(|x| x * x).sum::<f64>().sqrt();
    column.iter_mut().for_each(|x| *x /= norm);
    sign
}

/// Mirrors `column`: `x - 2 (v · x) v`.
fn reflect(normal: &[f64], column: &mut [f64]) {
    let twice = 2.0 * normal.iter().zip(&*column).map(|(v, x)| v * x).sum::<f64>();
    column.iter_mut().zip(normal).for_each(|(x, v)| *x -= twice * v);
}

#[cfg(test)]
mod tests;
