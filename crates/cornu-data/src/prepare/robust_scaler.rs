//! Each column without its median, divided by the range of its middle values: what few extremes do not change.

use cornu_array::{Error, Result};

use super::field::fields;
use super::frame::Seen;
use super::min_max_scaler::{finite_spread, some};
use super::standard_scaler::line;
use super::{Frame, Linear, Transformer, files, learnt, methods, stored};

const CLASS: &str = "RobustScaler";

/// Takes the median off each column and divides it by the range between two quantiles, as scikit-learn's class of this
/// name does.
///
/// NaN stays NaN and is left out of account; infinite numbers are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct RobustScaler {
    with_centering: bool,
    with_scaling: bool,
    quantile_range: (f64, f64),
    unit_variance: bool,
    learnt: Option<Learnt>,
}

/// `(x − center) / scale`
#[derive(Clone, Debug, PartialEq)]
struct Learnt {
    seen: Seen,
    center: Vec<f64>,
    scale: Vec<f64>,
}

fields!(Learnt { seen, center, scale } check |learnt| learnt.seen.each(&[&learnt.center, &learnt.scale]));
fields!(RobustScaler { with_centering, with_scaling, quantile_range, unit_variance, learnt } check |scaler| {
    check_range(scaler.quantile_range)
});
methods!(RobustScaler inverse);
files!(RobustScaler);

impl Default for RobustScaler {
    fn default() -> Self {
        let quantile_range = (25.0, 75.0);
        RobustScaler { with_centering: true, with_scaling: true, quantile_range, unit_variance: false, learnt: None }
    }
}

fn check_range((low, high): (f64, f64)) -> Result<()> {
    if 0.0 <= low && low <= high && high <= 100.0 {
        return Ok(());
    }
    Err(Error::usage(format!("`quantile_range` needs percentages from 0 to 100 in order, got ({low}, {high})")))
}

impl RobustScaler {
    /// A scaler by median and quartiles.
    pub fn new() -> Self {
        RobustScaler::default()
    }

    /// Whether the median is taken off.
    #[must_use]
    pub fn with_centering(self, with_centering: bool) -> Self {
        RobustScaler { with_centering, ..self }
    }

    /// Whether columns are divided by the range between the quantiles.
    #[must_use]
    pub fn with_scaling(self, with_scaling: bool) -> Self {
        RobustScaler { with_scaling, ..self }
    }

    /// Divides by the range between these percentages instead of 25 and 75.
    ///
    /// # Errors
    /// They must be from 0 to 100, and in order.
    pub fn quantile_range(self, low: f64, high: f64) -> Result<Self> {
        check_range((low, high))?;
        Ok(RobustScaler { quantile_range: (low, high), ..self })
    }

    /// Whether the range is measured in that of a normal distribution, so that normal columns get a variance of 1.
    #[must_use]
    pub fn unit_variance(self, unit_variance: bool) -> Self {
        RobustScaler { unit_variance, ..self }
    }

    /// The median of each column, once learnt, where it is taken off.
    pub fn center(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().filter(|_| self.with_centering).map(|learnt| learnt.center.clone())
    }

    /// What each column is divided by, once learnt, where it is.
    pub fn scale(&self) -> Option<Vec<f64>> {
        self.learnt.as_ref().filter(|_| self.with_scaling).map(|learnt| learnt.scale.clone())
    }
}

impl Transformer for RobustScaler {
    stored!(RobustScaler);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let matrix = x.borrowed().into_matrix(CLASS, true)?.learnable(CLASS)?;
        let (round, (low, high)) = (matrix.rounding(), self.quantile_range);
        let adjust =
            if self.unit_variance { normal_quantile(high / 100.0) - normal_quantile(low / 100.0) } else { 1.0 };
        let learn = |j: usize| {
            let mut values = matrix.column(j);
            values.retain(|value| !value.is_nan());
            values.sort_unstable_by(f64::total_cmp);
            let span = quantile(&values, high / 100.0, round) - quantile(&values, low / 100.0, round);
            (round(median(&values)), some(span, f64::EPSILON) / adjust)
        };
        let (center, scale): (Vec<f64>, Vec<f64>) = matrix.by_columns(learn).into_iter().unzip();
        finite_spread(CLASS, &scale)?;
        self.learnt = Some(Learnt { seen: Seen::of(x), center, scale });
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check(CLASS, &x)?;
        let (matrix, (center, scale)) = (x.into_numbers()?, self.numbers(learnt));
        matrix.map(CLASS, (&center, |x, center| x - center), (&scale, |x, scale| x / scale))?.into_frame()
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let learnt = learnt(CLASS, &self.learnt)?;
        learnt.seen.check_width(CLASS, &x)?;
        let (matrix, (center, scale)) = (x.into_numbers()?, self.numbers(learnt));
        let center: Vec<f64> = center.iter().map(|center| -center).collect();
        matrix.map(CLASS, (&scale, |x, scale| x * scale), (&center, |x, center| x - center))?.into_frame()
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.learnt)?.seen.names_of(input)
    }
}

impl RobustScaler {
    /// What is taken off and divided by: nothing and one, where it is not asked for.
    fn numbers(&self, learnt: &Learnt) -> (Vec<f64>, Vec<f64>) {
        let center = learnt.center.iter().map(|&center| if self.with_centering { center } else { 0.0 });
        (center.collect(), learnt.scale.iter().map(|&scale| if self.with_scaling { scale } else { 1.0 }).collect())
    }
}

impl Linear for RobustScaler {
    fn scale_and_offset(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let learnt = learnt(CLASS, &self.learnt)?;
        Ok(line(&learnt.center, self.with_centering, &learnt.scale, self.with_scaling))
    }
}

/// The value below which a share of the sorted values lies, between neighbours by a straight line: NumPy's form, which
/// takes differences of single precision in it, and goes on in double.
fn quantile(sorted: &[f64], share: f64, round: fn(f64) -> f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let below = place.floor();
    let (a, b) = (sorted[below as usize], sorted[(below as usize + 1).min(last)]);
    let (t, difference) = (place - below, round(b - a));
    if t < 0.5 { a + difference * t } else { b - difference * (1.0 - t) }
}

/// The middle of sorted values; NaN where there are none.
pub(super) fn median(sorted: &[f64]) -> f64 {
    match (sorted.len() / 2, sorted.len() % 2) {
        (0, 0) => f64::NAN,
        (half, 0) => (sorted[half - 1] + sorted[half]) / 2.0,
        (half, _) => sorted[half],
    }
}

/// The value below which a standard normal variable lies with probability `y`: the rational approximations of Cephes'
/// `ndtri`, as SciPy has them.
fn normal_quantile(y: f64) -> f64 {
    if y <= 0.0 || y >= 1.0 {
        return if y <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Beyond exp(-2) from either end.
    const TAIL: f64 = 0.135_335_283_236_612_7;
    let upper = y > 1.0 - TAIL;
    let y = if upper { 1.0 - y } else { y };
    if y > TAIL {
        let y = y - 0.5;
        let square = y * y;
        let x = y + y * (square * polynomial(square, &MIDDLE.0) / polynomial(square, &MIDDLE.1));
        return x * ROOT_OF_TWO_PI;
    }
    let x = (-2.0 * y.ln()).sqrt();
    let z = x.recip();
    let (above, below) = if x < 8.0 { (&NEAR.0, &NEAR.1) } else { (&FAR.0, &FAR.1) };
    let x = (x - x.ln() / x) - z * polynomial(z, above) / polynomial(z, below);
    if upper { x } else { -x }
}

/// Horner's scheme, from the highest power down.
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

const ROOT_OF_TWO_PI: f64 = 2.506_628_274_631_000_7;

const MIDDLE: ([f64; 5], [f64; 9]) = (
    [
        -59.963_350_101_410_79,
        98.001_075_418_599_97,
        -56.676_285_746_907_03,
        13.931_260_938_727_968,
        -1.239_165_838_673_812_5,
    ],
    [
        1.0,
        1.954_488_583_381_417_6,
        4.676_279_128_988_815,
        86.360_242_139_089_05,
        -225.462_687_854_119_37,
        200.260_212_380_060_66,
        -82.037_225_616_833_34,
        15.905_622_512_621_17,
        -1.183_316_211_213_3,
    ],
);

const NEAR: ([f64; 9], [f64; 9]) = (
    [
        4.055_448_923_059_624_5,
        31.525_109_459_989_388,
        57.162_819_224_642_13,
        44.080_507_389_320_08,
        14.684_956_192_885_803,
        2.186_633_068_507_902_5,
        -0.140_256_079_171_354_5,
        -0.035_042_462_682_784_82,
        -0.000_857_456_785_154_685_4,
    ],
    [
        1.0,
        15.779_988_325_646_675,
        45.390_763_512_887_92,
        41.317_203_825_467_2,
        15.042_538_569_290_75,
        2.504_649_462_083_094,
        -0.142_182_922_854_787_79,
        -0.038_080_640_769_157_83,
        -0.000_933_259_480_895_457_4,
    ],
);

const FAR: ([f64; 9], [f64; 9]) = (
    [
        3.237_748_917_769_460_3,
        6.915_228_890_689_842,
        3.938_810_252_924_744_4,
        1.333_034_608_158_075_5,
        0.201_485_389_549_179_08,
        0.012_371_663_481_782_003,
        0.000_301_581_553_508_235_43,
        2.658_069_746_867_375_5e-6,
        6.239_745_391_849_833e-9,
    ],
    [
        1.0,
        6.024_270_393_647_42,
        3.679_835_638_561_608_7,
        1.377_020_994_890_813_2,
        0.216_236_993_594_496_63,
        0.013_420_400_608_854_318,
        0.000_328_014_464_682_127_74,
        2.892_478_647_453_806_8e-6,
        6.790_194_080_099_813e-9,
    ],
);
