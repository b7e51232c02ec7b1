//! How weights start: `keras.initializers`.

use cornu_graph::random::{self, Stream};
use cornu_graph::room::room;
use cornu_graph::{Array, DType, Element, Error, Result, Shape, Type};

use crate::config::Field;
use crate::flavor::Flavor;

/// The standard deviation of a standard normal distribution cut off at two deviations.
const TRUNCATED_DEVIATION: f64 = 0.879_625_661_034_239_8;

crate::names! {
    /// Which number of units the spread of a [`Initializer::VarianceScaling`] shrinks with.
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
    /// What a [`Initializer::VarianceScaling`] draws from.
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

crate::one_of! {
    /// How a weight starts. The fields are those of Keras's configurations.
    ///
    /// A random initializer without `seed` takes one [`keras_seed`](crate::random::keras_seed) for good:
    /// [`Initializer::draws`] says whether it needs one. Where the number of inputs and outputs matters, it is counted
    /// from the shape (the last axis is outputs, the one before it inputs, all earlier ones a receptive field), unless
    /// both `input_axes` and `output_axes` say which axes to multiply; negative axes count from the end.
    "keras.initializers" "initializer" pub enum Initializer {
        /// Zeros.
        Zeros = "zeros",
        /// Ones.
        Ones = "ones",
        /// One value everywhere.
        Constant = "constant" { value: f64 = 0.0 },
        /// Uniform in `[minval, maxval)`.
        RandomUniform = "random_uniform" | "uniform" {
            minval: f64 = -0.05, maxval: f64 = 0.05, seed: Option<i64> = None => SEED,
        },
        /// Normal.
        RandomNormal = "random_normal" | "normal" { mean: f64 = 0.0, stddev: f64 = 0.05 => NOT_NEGATIVE, seed: Option<i64> = None => SEED },
        /// Normal, drawn again where further than two deviations from the mean.
        TruncatedNormal = "truncated_normal" { mean: f64 = 0.0, stddev: f64 = 0.05 => NOT_NEGATIVE, seed: Option<i64> = None => SEED },
        /// Around zero, with a variance of `scale` over the number of units.
        VarianceScaling = "variance_scaling" {
            scale: f64 = 1.0,
            mode: FanMode = FanMode::FanIn,
            distribution: Distribution = Distribution::TruncatedNormal,
            seed: Option<i64> = None => SEED,
            input_axes: Axes = None => HIDE_NULL,
            output_axes: Axes = None => HIDE_NULL,
        },
        /// Uniform, variance 1 over the mean of inputs and outputs (Glorot and Bengio, 2010).
        GlorotUniform = "glorot_uniform" {
            seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL,
        },
        /// Truncated normal, variance 1 over the mean of inputs and outputs (Glorot and Bengio, 2010).
        GlorotNormal = "glorot_normal" { seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL },
        /// Uniform, variance 2 over the inputs (He and others, 2015).
        HeUniform = "he_uniform" { seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL },
        /// Truncated normal, variance 2 over the inputs (He and others, 2015).
        HeNormal = "he_normal" { seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL },
        /// Uniform, variance 1 over the inputs (LeCun and others, 1998).
        LecunUniform = "lecun_uniform" { seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL },
        /// Truncated normal, variance 1 over the inputs (LeCun and others, 1998).
        LecunNormal = "lecun_normal" { seed: Option<i64> = None => SEED, input_axes: Axes = None => HIDE_NULL, output_axes: Axes = None => HIDE_NULL },
        /// `gain` on the diagonal of a matrix, which need not be square.
        Identity = "identity" | "IdentityInitializer" { gain: f64 = 1.0 },
        /// Orthonormal rows or columns, times `gain` (Saxe and others, 2014).
        Orthogonal = "orthogonal" | "OrthogonalInitializer" { gain: f64 = 1.0, seed: Option<i64> = None => SEED },
    }
}

impl Initializer {
    /// The seed in the configuration, if there is one.
    pub fn seed(&self) -> Option<i64> {
        self.seed_field().flatten()
    }

    /// Whether values are random and the configuration has no seed, so that one must be drawn.
    pub fn draws(&self) -> bool {
        self.seed_field() == Some(None)
    }

    /// The `f32` values of a weight of that shape, as Keras 2.13 makes them: from the seed in the configuration, or
    /// else from `seed`.
    ///
    /// # Errors
    /// `Identity` needs two axes and `Orthogonal` two or more; `scale` must be positive; axes must exist.
    pub fn array(&self, shape: &Shape, seed: i64) -> Result<Array> {
        self.array_in(Flavor::Keras2, shape, seed)
    }

    /// As [`Initializer::array`], in a given flavour: Keras 3 reduces seeds that are negative or above 2³¹ - 3.
    ///
    /// # Errors
    /// Those of [`Initializer::array`].
    pub fn array_in(&self, flavor: Flavor, shape: &Shape, seed: i64) -> Result<Array> {
        self.array_of(flavor, &Type::f32(shape.clone()), seed)
    }

    /// As [`Initializer::array_in`], drawn in the precision of that type of floats.
    ///
    /// # Errors
    /// Those of [`Initializer::array`].
    pub fn array_of(&self, flavor: Flavor, ty: &Type, seed: i64) -> Result<Array> {
        let stream = flavor.stateless([self.seed().unwrap_or(seed), 0]);
        match ty.dtype {
            DType::F64 => self.drawn::<f64>(stream, &ty.shape),
            dtype => Ok(self.drawn::<f32>(stream, &ty.shape)?.cast(dtype)),
        }
    }

    fn drawn<T: Float>(&self, stream: Stream, shape: &Shape) -> Result<Array> {
        room_for(&Type::new(T::DTYPE, shape.clone()))?;
        let mut data = vec![T::from_f64(0.0); shape.size()];
        self.fill(stream, shape, &mut data)?;
        Array::new(shape.clone(), data)
    }

    fn fill<T: Float>(&self, stream: Stream, shape: &Shape, data: &mut [T]) -> Result<()> {
        use Distribution::{TruncatedNormal as Truncated, Uniform};
        use FanMode::{FanAvg, FanIn};
        let scaled = |scale, mode, distribution: Distribution, inputs: &Axes, outputs: &Axes, data: &mut [T]| {
            distribution.fill(variance(scale, mode, fans(shape, inputs, outputs)?)?, stream, data);
            Result::Ok(())
        };
        match self {
            Self::Zeros => data.fill(T::from_f64(0.0)),
            Self::Ones => data.fill(T::from_f64(1.0)),
            Self::Constant { value } => data.fill(T::from_f64(*value)),
            Self::RandomUniform { minval, maxval, .. } => T::uniform(stream, *minval, *maxval, data),
            Self::RandomNormal { mean, stddev, .. } => T::normal(stream, *mean, *stddev, data),
            Self::TruncatedNormal { mean, stddev, .. } => T::truncated_normal(stream, *mean, *stddev, data),
            Self::VarianceScaling { scale, mode, distribution, input_axes, output_axes, .. } => {
                scaled(*scale, *mode, *distribution, input_axes, output_axes, data)?;
            }
            Self::GlorotUniform { input_axes: i, output_axes: o, .. } => scaled(1.0, FanAvg, Uniform, i, o, data)?,
            Self::GlorotNormal { input_axes: i, output_axes: o, .. } => scaled(1.0, FanAvg, Truncated, i, o, data)?,
            Self::HeUniform { input_axes: i, output_axes: o, .. } => scaled(2.0, FanIn, Uniform, i, o, data)?,
            Self::HeNormal { input_axes: i, output_axes: o, .. } => scaled(2.0, FanIn, Truncated, i, o, data)?,
            Self::LecunUniform { input_axes: i, output_axes: o, .. } => scaled(1.0, FanIn, Uniform, i, o, data)?,
            Self::LecunNormal { input_axes: i, output_axes: o, .. } => scaled(1.0, FanIn, Truncated, i, o, data)?,
            Self::Identity { gain } => identity(T::from_f64(*gain), shape, data)?,
            Self::Orthogonal { gain, .. } => orthogonal(*gain, stream, shape, data)?,
            Self::Unknown(_) => Field::check(self)?,
        }
        Ok(())
    }

    /// The field `seed`, if this kind of initializer has one.
    fn seed_field(&self) -> Option<Option<i64>> {
        match self {
            Self::Zeros | Self::Ones | Self::Constant { .. } | Self::Identity { .. } | Self::Unknown(_) => None,
            Self::RandomUniform { seed, .. }
            | Self::RandomNormal { seed, .. }
            | Self::TruncatedNormal { seed, .. }
            | Self::VarianceScaling { seed, .. }
            | Self::GlorotUniform { seed, .. }
            | Self::GlorotNormal { seed, .. }
            | Self::HeUniform { seed, .. }
            | Self::HeNormal { seed, .. }
            | Self::LecunUniform { seed, .. }
            | Self::LecunNormal { seed, .. }
            | Self::Orthogonal { seed, .. } => Some(*seed),
        }
    }
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

/// A precision that values are drawn in.
trait Float: Element {
    fn uniform(stream: Stream, low: f64, high: f64, out: &mut [Self]);
    fn normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]);
    fn truncated_normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]);
}

macro_rules! floats {
    ($($ty:ty: $uniform:ident, $normal:ident, $truncated_normal:ident;)*) => {$(
        impl Float for $ty {
            fn uniform(stream: Stream, low: f64, high: f64, out: &mut [Self]) {
                random::$uniform(stream, 0, low as $ty, high as $ty, out);
            }
            fn normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                random::$normal(stream, 0, mean as $ty, stddev as $ty, out);
            }
            fn truncated_normal(stream: Stream, mean: f64, stddev: f64, out: &mut [Self]) {
                random::$truncated_normal(stream, 0, mean as $ty, stddev as $ty, out);
            }
        }
    )*};
}

floats! {
    f32: uniform, normal, truncated_normal;
    f64: uniform_f64, normal_f64, truncated_normal_f64;
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
        *value = T::from_f64(T::from_f64(gain).to_f64() * T::from_f64(q[index]).to_f64());
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
