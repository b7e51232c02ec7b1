//! Numbers into intervals: pandas' `cut` and `qcut`.

use std::sync::Arc;

use cornu_array::numbers::repr;
use cornu_array::{Error, Result};

use crate::labels::gathered;
use crate::stats::quantiles_of;
use crate::{Category, Column, Labels, ToLabels, Values};

/// Where intervals end.
#[derive(Clone, Debug, PartialEq)]
enum Bins {
    /// So many, equally wide, or with equally many values.
    Count(i64),
    /// Between these numbers.
    Edges(Vec<f64>),
    /// Between these whole numbers, which print as such.
    WholeEdges(Vec<i64>),
}

/// What the intervals are called.
#[derive(Clone, Debug, PartialEq)]
pub enum CutLabels {
    /// As in mathematics: `(0, 12]`.
    Intervals,
    /// Numbers from 0 up, as a column of numbers.
    Codes,
    /// These.
    These(Values),
}

/// `false` asks for numbers.
impl From<bool> for CutLabels {
    fn from(labels: bool) -> CutLabels {
        if labels { CutLabels::Intervals } else { CutLabels::Codes }
    }
}

impl<const N: usize> From<[&str; N]> for CutLabels {
    fn from(labels: [&str; N]) -> CutLabels {
        CutLabels::These(labels.to_vec().into())
    }
}

impl<T> From<Vec<T>> for CutLabels
where
    Values: From<Vec<T>>,
{
    fn from(labels: Vec<T>) -> CutLabels {
        CutLabels::These(labels.into())
    }
}

impl From<Values> for CutLabels {
    fn from(labels: Values) -> CutLabels {
        CutLabels::These(labels)
    }
}

/// The options of pandas' `cut`.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    bins: Bins,
    right: bool,
    labels: CutLabels,
    precision: i32,
    include_lowest: bool,
    drop_duplicates: bool,
    ordered: bool,
}

impl Cut {
    fn new(bins: Bins) -> Cut {
        Cut {
            bins,
            right: true,
            labels: CutLabels::Intervals,
            precision: 3,
            include_lowest: false,
            drop_duplicates: false,
            ordered: true,
        }
    }

    /// So many intervals of equal width (`Cut::bins(4)`), or those between edges (`Cut::bins([0, 18, 65])`).
    pub fn bins(bins: impl Into<Cut>) -> Cut {
        bins.into()
    }

    /// Whether intervals hold their upper ends; else they hold their lower ones.
    #[must_use]
    pub fn right(self, right: bool) -> Cut {
        Cut { right, ..self }
    }

    /// What the intervals are called: one label for each, or `false` for numbers.
    #[must_use]
    pub fn labels(self, labels: impl Into<CutLabels>) -> Cut {
        Cut { labels: labels.into(), ..self }
    }

    /// The decimals of the ends in the names of intervals; without it, three, or as many as tell them apart.
    #[must_use]
    pub fn precision(self, precision: i32) -> Cut {
        Cut { precision, ..self }
    }

    /// Whether the first interval holds its lower end too.
    #[must_use]
    pub fn include_lowest(self, include_lowest: bool) -> Cut {
        Cut { include_lowest, ..self }
    }

    /// Whether edges that occur twice are taken once, instead of refused.
    #[must_use]
    pub fn drop_duplicates(self, drop_duplicates: bool) -> Cut {
        Cut { drop_duplicates, ..self }
    }

    /// Whether the labels have an order; labels that occur twice have none.
    #[must_use]
    pub fn ordered(self, ordered: bool) -> Cut {
        Cut { ordered, ..self }
    }
}

macro_rules! bins {
    ($($type:ty => $kind:ident as $element:ty;)*) => {$(
        impl From<Vec<$type>> for Cut {
            fn from(edges: Vec<$type>) -> Cut {
                Cut::new(Bins::$kind(edges.into_iter().map(<$element>::from).collect()))
            }
        }

        impl<const N: usize> From<[$type; N]> for Cut {
            fn from(edges: [$type; N]) -> Cut {
                edges.to_vec().into()
            }
        }

        impl From<&[$type]> for Cut {
            fn from(edges: &[$type]) -> Cut {
                edges.to_vec().into()
            }
        }
    )*};
}

bins! {
    f64 => Edges as f64;
    f32 => Edges as f64;
    i32 => WholeEdges as i64;
    i64 => WholeEdges as i64;
}

impl From<i32> for Cut {
    fn from(bins: i32) -> Cut {
        Cut::new(Bins::Count(bins.into()))
    }
}

impl From<usize> for Cut {
    fn from(bins: usize) -> Cut {
        Cut::new(Bins::Count(i64::try_from(bins).unwrap_or(i64::MAX)))
    }
}

impl From<&Cut> for Cut {
    fn from(cut: &Cut) -> Cut {
        cut.clone()
    }
}

/// The interval of each value, as categories in order: pandas' `cut`.
///
/// ```
/// use cornu_data::{Column, Cut, cut};
///
/// let age = Column::new("age", vec![4, 38, 71]);
/// let group = cut(&age, Cut::bins([0, 18, 65, 120]).labels(["child", "adult", "old"]))?;
/// assert_eq!(group.to_string().lines().next(), Some("0    child"));
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// Values in no interval, and what is missing, are missing.
///
/// # Errors
/// Text and moments; edges that do not ascend; labels that are not one for each interval.
pub fn cut(x: impl ToLabels, cut: impl Into<Cut>) -> Result<Column> {
    cut_retbins(x, cut).map(|(column, _)| column)
}

/// [`cut`], and the edges of the intervals.
///
/// # Errors
/// As [`cut`].
pub fn cut_retbins(x: impl ToLabels, cut: impl Into<Cut>) -> Result<(Column, Vec<f64>)> {
    let (column, cut) = (x.label_column()?, cut.into());
    let values = numbers("cut", &column)?;
    let (edges, whole) = match &cut.bins {
        Bins::Count(count) => (equal_widths(&values, *count, cut.right)?, false),
        Bins::Edges(edges) => (edges.clone(), false),
        Bins::WholeEdges(edges) => (edges.iter().map(|&edge| edge as f64).collect(), true),
    };
    divide(&column, &values, edges, whole, &cut)
}

/// The options of pandas' `qcut`.
#[derive(Clone, Debug, PartialEq)]
pub struct QCut(Cut);

impl QCut {
    /// So many intervals with equally many values (`QCut::quantiles(4)`), or those between shares from 0 to 1.
    pub fn quantiles(quantiles: impl Into<Cut>) -> QCut {
        QCut(Cut { include_lowest: true, ..quantiles.into() })
    }

    /// What the intervals are called: one label for each, or `false` for numbers.
    #[must_use]
    pub fn labels(self, labels: impl Into<CutLabels>) -> QCut {
        QCut(self.0.labels(labels))
    }

    /// The decimals of the ends in the names of intervals.
    #[must_use]
    pub fn precision(self, precision: i32) -> QCut {
        QCut(self.0.precision(precision))
    }

    /// Whether edges that occur twice are taken once, instead of refused.
    #[must_use]
    pub fn drop_duplicates(self, drop_duplicates: bool) -> QCut {
        QCut(self.0.drop_duplicates(drop_duplicates))
    }
}

impl From<i32> for QCut {
    fn from(quantiles: i32) -> QCut {
        QCut::quantiles(quantiles)
    }
}

impl<const N: usize> From<[f64; N]> for QCut {
    fn from(quantiles: [f64; N]) -> QCut {
        QCut::quantiles(quantiles)
    }
}

impl From<Vec<f64>> for QCut {
    fn from(quantiles: Vec<f64>) -> QCut {
        QCut::quantiles(quantiles)
    }
}

/// The interval of each value, where intervals hold equally many: pandas' `qcut`.
///
/// # Errors
/// As [`cut`]; values so often the same that two edges are.
pub fn qcut(x: impl ToLabels, quantiles: impl Into<QCut>) -> Result<Column> {
    qcut_retbins(x, quantiles).map(|(column, _)| column)
}

/// [`qcut`], and the edges of the intervals.
///
/// # Errors
/// As [`qcut`].
pub fn qcut_retbins(x: impl ToLabels, quantiles: impl Into<QCut>) -> Result<(Column, Vec<f64>)> {
    let (column, QCut(cut)) = (x.label_column()?, quantiles.into());
    let values = numbers("qcut", &column)?;
    let shares = match &cut.bins {
        Bins::Count(count) => equal_shares(*count)?,
        Bins::Edges(shares) => shares.clone(),
        Bins::WholeEdges(shares) => shares.iter().map(|&share| share as f64).collect(),
    };
    if let Some(share) = shares.iter().find(|share| !(0.0..=1.0).contains(*share)) {
        return Err(Error::usage(format!("`qcut` needs shares from 0 to 1, got {share}")));
    }
    let mut there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    let edges = quantiles_of(&mut there, &shares);
    divide(&column, &values, edges, false, &cut)
}

fn numbers(who: &str, column: &Column) -> Result<Vec<f64>> {
    let number = |value: crate::Value<'_>| value.to_f64().unwrap_or(f64::NAN);
    match column.values() {
        Values::Text(_) | Values::Date(_) => Err(column.text_error().context(format!("`{who}`"))),
        values => Ok(values.iter().map(number).collect()),
    }
}

/// Shares that are rounded up where they are not exact.
fn equal_shares(count: i64) -> Result<Vec<f64>> {
    if !(1..=1_000_000).contains(&count) {
        return Err(Error::usage(format!("`qcut` needs from 1 to 1,000,000 intervals, got {count}")));
    }
    let step = 1.0 / count as f64;
    let share = |i: i64| {
        let share = if i == count { 1.0 } else { i as f64 * step };
        if share * count as f64 == i as f64 { share } else { share.next_up() }
    };
    Ok((0..=count).map(share).collect())
}

fn equal_widths(values: &[f64], count: i64, right: bool) -> Result<Vec<f64>> {
    if !(1..=1_000_000).contains(&count) {
        return Err(Error::usage(format!("`cut` needs from 1 to 1,000,000 intervals, got {count}")));
    }
    if values.iter().all(|value| value.is_nan()) {
        return Err(Error::data("`cut` needs a value to find the width of intervals, got none"));
    }
    let (mut least, mut most) = values.iter().fold((f64::NAN, f64::NAN), |(a, b), &v| (a.min(v), b.max(v)));
    if least.is_infinite() || most.is_infinite() {
        return Err(Error::data("`cut` needs finite values to find the width of intervals").help("give it the edges"));
    }
    let around = |end: f64| if end == 0.0 { 0.001 } else { 0.001 * end.abs() };
    let same = least == most;
    if same {
        (least, most) = (least - around(least), most + around(most));
    }
    let step = (most - least) / count as f64;
    let mut edges: Vec<f64> = (0..=count).map(|i| if i == count { most } else { i as f64 * step + least }).collect();
    let beyond = (most - least) * 0.001;
    match (same, right) {
        (true, _) => {}
        (false, true) => edges[0] -= beyond,
        (false, false) => edges[count as usize] += beyond,
    }
    Ok(edges)
}

fn divide(column: &Column, values: &[f64], edges: Vec<f64>, whole: bool, cut: &Cut) -> Result<(Column, Vec<f64>)> {
    let edges = checked_edges(edges, cut)?;
    let count = edges.len().saturating_sub(1);
    let code = |&value: &f64| {
        if value.is_nan() {
            return None;
        }
        let place = edges.partition_point(|&edge| if cut.right { edge < value } else { edge <= value });
        let place = if cut.include_lowest && value == edges[0] { 1 } else { place };
        (place > 0 && place < edges.len()).then(|| place as u32 - 1)
    };
    let codes: Vec<Option<u32>> = values.iter().map(code).collect();
    let values = match &cut.labels {
        CutLabels::Codes => gathered(|| {
            codes.iter().map(|code| code.map_or(crate::Value::Missing, |code| crate::Value::Int(code.into())))
        })?,
        CutLabels::Intervals if !cut.ordered => {
            return Err(Error::usage("`ordered(false)` needs `labels`, got none"));
        }
        CutLabels::Intervals => {
            let categories = Arc::new(intervals(&edges, whole, cut).into());
            Values::Category(Category { codes, categories, ordered: true })
        }
        CutLabels::These(labels) => labelled(codes, labels, count, cut.ordered)?,
    };
    Ok((column.with_values(values), edges))
}

fn checked_edges(mut edges: Vec<f64>, cut: &Cut) -> Result<Vec<f64>> {
    if edges.is_empty() {
        return Err(Error::usage("the intervals need edges, got none"));
    }
    if let Some(i) = (1..edges.len()).find(|&i| edges[i] < edges[i - 1]) {
        return Err(Error::usage(format!("edges need to ascend, got {} after {}", edges[i], edges[i - 1])));
    }
    if let Some(i) = (1..edges.len()).find(|&i| edges[i] == edges[i - 1]).filter(|_| edges.len() != 2) {
        if !cut.drop_duplicates {
            return Err(Error::data(format!("edges need to be different, got {} twice", edges[i]))
                .help("`drop_duplicates(true)` takes it once"));
        }
        edges.dedup();
    }
    Ok(edges)
}

/// Codes of these labels, of which some may be the same where they have no order.
fn labelled(codes: Vec<Option<u32>>, labels: &Values, count: usize, ordered: bool) -> Result<Values> {
    let classes = Labels::of(labels);
    if ordered && classes.count() != labels.len() {
        return Err(Error::usage("`labels` need to be different").help("`ordered(false)` allows the same one twice"));
    }
    if labels.len() != count {
        let got = labels.len();
        return Err(Error::usage(format!("`labels` needs one for each of {count} intervals, got {got}")));
    }
    if classes.count() == labels.len() {
        return Ok(Values::Category(Category { codes, categories: Arc::new(labels.clone()), ordered }));
    }
    let codes = codes.into_iter().map(|code| code.map(|code| classes.codes()[code as usize] as u32)).collect();
    Ok(Values::Category(Category { codes, categories: Arc::new(classes.classes().clone()), ordered }))
}

/// `(0.5, 2.0]`
fn intervals(edges: &[f64], whole: bool, cut: &Cut) -> Vec<String> {
    let precision = (cut.precision..20).find(|&precision| {
        let mut rounded: Vec<f64> = edges.iter().map(|&edge| round_fraction(edge, precision)).collect();
        rounded.dedup();
        rounded.len() == edges.len()
    });
    let precision = precision.unwrap_or(cut.precision);
    let mut ends: Vec<f64> = edges.iter().map(|&edge| round_fraction(edge, precision)).collect();
    let lowered = cut.right && cut.include_lowest;
    if lowered {
        ends[0] -= 10f64.powi(-precision);
    }
    let text = |end: f64| if whole && !lowered { (end as i64).to_string() } else { repr(end) };
    let (open, close) = if cut.right { ('(', ']') } else { ('[', ')') };
    ends.windows(2).map(|pair| format!("{open}{}, {}{close}", text(pair[0]), text(pair[1]))).collect()
}

/// As many decimals; of a number below one, as many digits.
fn round_fraction(value: f64, precision: i32) -> f64 {
    if !value.is_finite() || value == 0.0 {
        return value;
    }
    let digits = match value.trunc() == 0.0 {
        true => precision - 1 - value.fract().abs().log10().floor() as i32,
        false => precision,
    };
    // NumPy's `around`: half goes to the even neighbour, by a power of ten.
    match digits {
        0.. => (value * 10f64.powi(digits)).round_ties_even() / 10f64.powi(digits),
        _ => (value / 10f64.powi(-digits)).round_ties_even() * 10f64.powi(-digits),
    }
}
