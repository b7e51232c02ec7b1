//! Products of columns, up to a degree.

use std::collections::HashMap;

use cornu_array::room::room;
use cornu_array::{AN_ARRAY, Error, Result};

use super::field::fields;
use super::frame::Seen;
use super::{Frame, Transformer, files, learnt, methods, stored};

const CLASS: &str = "PolynomialFeatures";
/// More products than this would be named and held for nothing: no machine has room for rows of them.
const MOST: usize = 10_000_000;

/// All products of columns up to a degree, as scikit-learn's class of this name makes them: one, each column, products of
/// two (a column with itself as well), and so on.
///
/// ```
/// use cornu_data::PolynomialFeatures;
///
/// let mut features = PolynomialFeatures::new();
/// assert_eq!(features.fit_transform(&[[2.0, 3.0]])?, ndarray::array![[1.0, 2.0, 3.0, 4.0, 6.0, 9.0]]);
/// assert_eq!(features.get_feature_names_out()?, ["1", "x0", "x1", "x0^2", "x0 x1", "x1^2"]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// What is missing or infinite is refused.
#[derive(Clone, Debug, PartialEq)]
pub struct PolynomialFeatures {
    /// The least and the greatest.
    degree: (usize, usize),
    interaction_only: bool,
    include_bias: bool,
    learnt: Option<Seen>,
}

fields!(PolynomialFeatures { degree, interaction_only, include_bias, learnt } check |features| {
    features.check()?;
    features.learnt.iter().try_for_each(|seen| features.count(seen.columns).map(drop))
});
methods!(PolynomialFeatures);
files!(PolynomialFeatures);

impl Default for PolynomialFeatures {
    fn default() -> Self {
        PolynomialFeatures { degree: (0, 2), interaction_only: false, include_bias: true, learnt: None }
    }
}

impl PolynomialFeatures {
    /// Products of up to two columns.
    pub fn new() -> Self {
        PolynomialFeatures::default()
    }

    /// Products of up to that many columns.
    #[must_use]
    pub fn degree(self, degree: usize) -> Self {
        PolynomialFeatures { degree: (0, degree), ..self }
    }

    /// Products of at least `min` and at most `max` columns.
    #[must_use]
    pub fn degree_range(self, min: usize, max: usize) -> Self {
        PolynomialFeatures { degree: (min, max), ..self }
    }

    /// Whether a column is left out of products with itself.
    #[must_use]
    pub fn interaction_only(self, interaction_only: bool) -> Self {
        PolynomialFeatures { interaction_only, ..self }
    }

    /// Whether a column of ones comes first.
    #[must_use]
    pub fn include_bias(self, include_bias: bool) -> Self {
        PolynomialFeatures { include_bias, ..self }
    }

    fn check(&self) -> Result<()> {
        match self.degree {
            (min, max) if min > max => {
                Err(Error::usage(format!("`degree` needs a least below the greatest, got ({min}, {max})")))
            }
            (_, 0) if !self.include_bias => {
                Err(Error::usage("a `degree` of 0 without `include_bias` leaves no column")
                    .help("take a degree of 1 or more"))
            }
            _ => Ok(()),
        }
    }

    /// The number of products of `width` columns, with those below the least degree.
    fn count(&self, width: usize) -> Result<usize> {
        let (mut all, mut of_degree) = (1usize, 1usize);
        for degree in 1..=self.degree.1 {
            let choices = if self.interaction_only {
                (width + 1).saturating_sub(degree)
            } else {
                (width + degree).saturating_sub(1)
            };
            of_degree = of_degree.saturating_mul(choices) / degree;
            all = all.saturating_add(of_degree);
            if of_degree == 0 || all > MOST {
                break;
            }
        }
        if all > MOST {
            let (max, help) = (self.degree.1, "take fewer columns or a lower degree");
            return Err(
                Error::usage(format!("`{CLASS}` of degree {max} makes more than {MOST} of {width} columns")).help(help)
            );
        }
        Ok(all)
    }

    /// The columns of each product, in ascending order, by degree; those below the least degree too.
    fn products(&self, width: usize) -> Result<Vec<Vec<usize>>> {
        self.check()?;
        let mut all = Vec::with_capacity(self.count(width)?);
        all.push(Vec::new());
        let mut last = 0..1;
        for _ in 1..=self.degree.1 {
            let start = all.len();
            for i in last {
                let first = all[i].last().map_or(0, |&j: &usize| if self.interaction_only { j + 1 } else { j });
                for j in first..width {
                    let longer = all[i].iter().copied().chain([j]).collect();
                    all.push(longer);
                }
            }
            last = start..all.len();
            if last.is_empty() {
                break;
            }
        }
        Ok(all)
    }

    /// Whether a product of so many columns comes out.
    fn is_wanted(&self, degree: usize) -> bool {
        if degree == 0 { self.include_bias } else { degree >= self.degree.0 }
    }
}

impl Transformer for PolynomialFeatures {
    stored!(PolynomialFeatures);

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        x.borrowed().into_matrix(CLASS, false)?.learnable(CLASS)?;
        self.check()?;
        self.count(x.width())?;
        self.learnt = Some(Seen::of(x));
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let seen = learnt(CLASS, &self.learnt)?;
        seen.check(CLASS, &x)?;
        let matrix = x.into_matrix(CLASS, false)?.learnable(CLASS)?;
        let products = self.products(matrix.width())?;
        room::<f64>(AN_ARRAY, &[products.len(), matrix.rows()])?;
        let round = matrix.rounding();
        let columns: Vec<Vec<f64>> = (0..matrix.width()).map(|j| matrix.column(j)).collect();
        let places: HashMap<&[usize], usize> =
            products.iter().enumerate().map(|(i, product)| (&product[..], i)).collect();
        let mut made: Vec<Vec<f64>> = Vec::with_capacity(products.len());
        for product in &products {
            made.push(match &product[..] {
                [] => vec![1.0; matrix.rows()],
                [j] => columns[*j].clone(),
                // The first column comes last, as in scikit-learn.
                [first, rest @ ..] => {
                    made[places[rest]].iter().zip(&columns[*first]).map(|(rest, first)| round(rest * first)).collect()
                }
            });
        }
        let wanted = products.iter().zip(made).filter(|(product, _)| self.is_wanted(product.len()));
        matrix.with_columns(self.feature_names_out(None)?, wanted.map(|(_, column)| column).collect())
    }

    fn feature_names_out(&self, input: Option<&[String]>) -> Result<Vec<String>> {
        let names = learnt(CLASS, &self.learnt)?.names_of(input)?;
        let products = self.products(names.len())?;
        Ok(products
            .iter()
            .filter(|product| self.is_wanted(product.len()))
            .map(|product| name(product, &names))
            .collect())
    }
}

/// `1`, `a`, `a^2 b`.
fn name(product: &[usize], names: &[String]) -> String {
    if product.is_empty() {
        return "1".into();
    }
    let factor = |same: &[usize]| match same.len() {
        1 => names[same[0]].clone(),
        power => format!("{}^{power}", names[same[0]]),
    };
    product.chunk_by(|a, b| a == b).map(factor).collect::<Vec<_>>().join(" ")
}
