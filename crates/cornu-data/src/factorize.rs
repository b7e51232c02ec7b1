//! Values as numbers of the distinct ones.

use cornu_array::Result;

use crate::{Labels, ToLabels, Values};

/// The options of pandas' `factorize`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factorize {
    sort: bool,
    use_na_sentinel: bool,
}

impl Default for Factorize {
    fn default() -> Self {
        Factorize { sort: false, use_na_sentinel: true }
    }
}

impl Factorize {
    /// Distinct values in the order of their first appearance; what is missing is -1.
    pub fn new() -> Self {
        Factorize::default()
    }

    /// Whether the distinct values are put in order.
    #[must_use]
    pub fn sort(self, sort: bool) -> Self {
        Factorize { sort, ..self }
    }

    /// Whether what is missing is -1, instead of a value among the others.
    #[must_use]
    pub fn use_na_sentinel(self, use_na_sentinel: bool) -> Self {
        Factorize { use_na_sentinel, ..self }
    }
}

/// For each value its number among the distinct ones, and those: pandas' `factorize`.
///
/// ```
/// use cornu_data::{Values, factorize};
///
/// let (codes, uniques) = factorize(&["b", "a", "b"])?;
/// assert_eq!((codes, uniques), (vec![0, 1, 0], Values::from(vec!["b", "a"])));
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// There must be one value in each row.
pub fn factorize(x: impl ToLabels) -> Result<(Vec<i64>, Values)> {
    factorize_with(x, Factorize::new())
}

/// [`factorize`], with options.
///
/// # Errors
/// As [`factorize`].
pub fn factorize_with(x: impl ToLabels, options: Factorize) -> Result<(Vec<i64>, Values)> {
    let labels: Labels = x.to_labels()?;
    let is_left_out = |class: usize| options.use_na_sentinel && labels.class(class).is_missing();
    let mut order: Vec<usize> = Vec::with_capacity(labels.count());
    let mut places = vec![-1; labels.count()];
    let seen = labels.codes().iter().copied().filter(|_| !options.sort);
    for class in seen.chain(0..labels.count()).filter(|&class| !is_left_out(class)) {
        if places[class] < 0 {
            places[class] = order.len() as i64;
            order.push(class);
        }
    }
    Ok((labels.codes().iter().map(|&class| places[class]).collect(), labels.classes().take(&order)))
}
