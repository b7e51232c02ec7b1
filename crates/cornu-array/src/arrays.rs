//! Several arrays at once, by position or by name: what has several inputs or outputs is given them so.

use std::collections::{BTreeMap, HashMap};

use crate::{AnyArray, Array, Error, Loan, Result, ToArray, list, nearest};

/// Several arrays of numbers or texts, by position or all by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Arrays {
    arrays: Vec<AnyArray>,
    names: Option<Vec<String>>,
}

impl Arrays {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.arrays.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.arrays.is_empty()
    }

    /// All of them, in the order in which they were given.
    pub fn iter(&self) -> impl Iterator<Item = &AnyArray> {
        self.arrays.iter()
    }

    /// Those rows of each.
    #[must_use]
    pub fn rows(&self, rows: &[usize]) -> Arrays {
        Arrays { arrays: self.arrays.iter().map(|array| array.rows(rows)).collect(), names: self.names.clone() }
    }

    /// Whether they have names.
    pub fn are_named(&self) -> bool {
        self.names.is_some()
    }

    /// One for each of these names, in their order; nothing for a name that none has. Those by position come as they are.
    ///
    /// # Errors
    /// A name that is none of these, or that two have; `what` they are, for messages.
    pub fn by_name(self, what: &str, names: &[&str]) -> Result<Vec<Option<AnyArray>>> {
        let Some(own) = self.names else { return Ok(self.arrays.into_iter().map(Some).collect()) };
        let mut found: Vec<Option<AnyArray>> = names.iter().map(|_| None).collect();
        for (name, array) in own.iter().zip(self.arrays) {
            let Some(place) = names.iter().position(|known| known == name) else {
                let error = Error::data(format!("`{what}` has no `{name}`; there are {}", list(names)));
                let near = nearest(name, names.iter().copied());
                return Err(near.map_or(error.clone(), |near| error.help(format!("did you mean `{near}`?"))));
            };
            if found[place].replace(array).is_some() {
                return Err(Error::data(format!("`{what}` has two arrays for `{name}`")));
            }
        }
        Ok(found)
    }
}

/// What several arrays come in: one alone, tuples and lists by position, pairs and maps by name.
///
/// ```
/// use cornu_array::ToArrays;
///
/// assert_eq!([[0.5, 1.0]].into_arrays()?.len(), 1);
/// assert_eq!(([[0.5, 1.0]], [3]).into_arrays()?.len(), 2);
/// let named = [("ages", &[[0.5], [1.0]]), ("sizes", &[[1.0], [2.0]])].into_arrays()?;
/// let sizes = &named.by_name("x", &["sizes", "ages"])?[0];
/// assert_eq!(sizes.as_ref().and_then(|sizes| Some(sizes.numbers()?.to_vec::<f64>())), Some(vec![1.0, 2.0]));
/// # Ok::<(), cornu_array::Error>(())
/// ```
pub trait ToArrays {
    /// The arrays.
    ///
    /// # Errors
    /// Those of [`ToArray::to_array`].
    fn into_arrays(self) -> Result<Arrays>;

    /// The arrays for as long as the loan lasts, in place where [`ToArray::lend`] can.
    ///
    /// # Errors
    /// Those of [`ToArray::to_array`].
    fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays>;
}

impl<T: ToArray> ToArrays for T {
    fn into_arrays(self) -> Result<Arrays> {
        Ok(Arrays { arrays: vec![self.into_any()?], names: None })
    }

    fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
        Ok(Arrays { arrays: vec![self.lend(loan)?], names: None })
    }
}

impl ToArrays for Arrays {
    fn into_arrays(self) -> Result<Arrays> {
        Ok(self)
    }

    fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
        let arrays = self.arrays.iter().map(|array| array.lend(loan)).collect::<Result<_>>()?;
        Ok(Arrays { arrays, names: self.names.clone() })
    }
}

impl ToArrays for &Arrays {
    fn into_arrays(self) -> Result<Arrays> {
        Ok(self.clone())
    }

    fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
        (**self).lend_arrays(loan)
    }
}

macro_rules! by_position {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<$($generics)*> ToArrays for $type {
            fn into_arrays(self) -> Result<Arrays> {
                let arrays = self.into_iter().map(ToArray::into_any).collect::<Result<_>>()?;
                Ok(Arrays { arrays, names: None })
            }

            fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
                let arrays = self.iter().map(|array| array.lend(loan)).collect::<Result<_>>()?;
                Ok(Arrays { arrays, names: None })
            }
        }
    )*};
}

by_position! {
    [] Vec<Array>;
    [] Vec<AnyArray>;
    [] &Vec<Array>;
    [] &[Array];
    [const N: usize] [Array; N];
    [const N: usize] &[Array; N];
    [const N: usize] [&Array; N];
}

macro_rules! tuples {
    ($($($array:ident)*;)*) => {$(
        impl<$($array: ToArray),*> ToArrays for ($($array,)*) {
            #[allow(non_snake_case)]
            fn into_arrays(self) -> Result<Arrays> {
                let ($($array,)*) = self;
                Ok(Arrays { arrays: vec![$($array.into_any()?),*], names: None })
            }

            #[allow(non_snake_case)]
            fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
                let ($($array,)*) = self;
                Ok(Arrays { arrays: vec![$($array.lend(loan)?),*], names: None })
            }
        }
    )*};
}

tuples! {
    A B;
    A B C;
    A B C D;
    A B C D E;
    A B C D E F;
}

macro_rules! by_name {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<S: Into<String> + Clone, A: ToArray, $($generics)*> ToArrays for $type {
            fn into_arrays(self) -> Result<Arrays> {
                named(self.into_iter().map(|(name, array)| (name.into(), array)), ToArray::into_any)
            }

            fn lend_arrays<'env>(&'env self, loan: &Loan<'env>) -> Result<Arrays> {
                named(self.iter().map(|(name, array)| (name.clone().into(), array)), |array| array.lend(loan))
            }
        }
    )*};
}

by_name! {
    [const N: usize] [(S, A); N];
    [] Vec<(S, A)>;
    [] BTreeMap<S, A>;
    [] HashMap<S, A>;
}

/// Arrays by their names, each as it is taken.
fn named<A>(all: impl Iterator<Item = (String, A)>, take: impl Fn(A) -> Result<AnyArray>) -> Result<Arrays> {
    let one = |(name, array)| match take(array) {
        Ok(array) => Ok((array, name)),
        Err(error) => Err(error.context(format!("`{name}`"))),
    };
    let (arrays, names) = all.map(one).collect::<Result<(Vec<AnyArray>, Vec<String>)>>()?;
    Ok(Arrays { arrays, names: Some(names) })
}

#[test]
fn names_put_arrays_in_order() {
    let two = || [("b", vec![1.0, 2.0]), ("a", vec![3.0])].into_arrays().expect("numbers");
    let sizes = |found: Vec<Option<AnyArray>>| {
        found.iter().map(|one| one.as_ref().map(|array| array.shape().size())).collect::<Vec<_>>()
    };
    assert_eq!(sizes(two().by_name("x", &["a", "none", "b"]).expect("known")), [Some(1), None, Some(2)]);
    let error = two().by_name("x", &["a", "bb"]).expect_err("not known");
    assert_eq!(error.message(), "`x` has no `b`; there are `a`, `bb`");
    let twice = [("a", [1.0]), ("a", [2.0])].into_arrays().expect("numbers").by_name("y", &["a"]).expect_err("two");
    assert_eq!(twice.message(), "`y` has two arrays for `a`");
    let placed = (vec![1.0], [[2.0]]).into_arrays().expect("numbers");
    assert_eq!(sizes(placed.by_name("x", &["a", "b"]).expect("by position")), [Some(1), Some(1)]);
    let ragged = [("a", vec![vec![1.0], vec![]])].into_arrays().expect_err("rows of two lengths");
    assert!(ragged.message().starts_with("`a`: row 1: "), "{ragged}");
}
