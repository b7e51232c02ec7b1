//! What is numbers or texts: one trait for arrays, slices and nested vectors, and for `ndarray` arrays by the feature `ndarray`.

#[cfg(feature = "ndarray")]
use ndarray::{ArrayBase, ArrayD, Data, Dimension, IxDyn};

#[cfg(feature = "ndarray")]
use crate::copy;
use crate::{AnyArray, Array, Bf16, Element, Error, F16, Loan, Result, Shape, TextArray, Texts, room};

/// What has no room.
pub const AN_ARRAY: &str = "an array";

/// Anything that holds numbers in rows: what `fit` and `predict` take, and whatever else wants numbers. What holds texts
/// is such a thing too, for those that take them: [`ToArray::to_any`].
///
/// ```
/// use cornu_array::ToArray;
///
/// assert_eq!(vec![[0.0, 1.0], [2.0, 3.0]].to_array()?.shape().to_string(), "[2,2]");
/// assert_eq!([1, 2, 3].to_array()?.shape().to_string(), "[3]");
/// # Ok::<(), cornu_array::Error>(())
/// ```
pub trait ToArray {
    /// The numbers as an array, outermost axis first.
    ///
    /// # Errors
    /// Every part must be a number and every row equally long.
    fn to_array(&self) -> Result<Array>;

    /// The numbers as an array, without a copy where this is one: what is handed over by value comes here.
    ///
    /// # Errors
    /// Those of [`ToArray::to_array`].
    fn into_array(self) -> Result<Array>
    where
        Self: Sized,
    {
        self.to_array()
    }

    /// What there is, numbers or texts: for those that take both.
    ///
    /// # Errors
    /// Those of [`ToArray::to_array`], but for texts.
    fn to_any(&self) -> Result<AnyArray> {
        self.to_array().map(AnyArray::Numbers)
    }

    /// [`ToArray::to_any`] of what is handed over.
    ///
    /// # Errors
    /// Those of [`ToArray::to_any`].
    fn into_any(self) -> Result<AnyArray>
    where
        Self: Sized,
    {
        self.to_any()
    }

    /// What there is, for as long as the loan lasts: without a copy where the elements lie in a row of memory, as those of
    /// arrays do.
    ///
    /// # Errors
    /// Those of [`ToArray::to_any`].
    fn lend<'env>(&'env self, loan: &Loan<'env>) -> Result<AnyArray> {
        _ = loan;
        self.to_any()
    }
}

/// A Rust number, and the element it becomes. Those that are no [`Element`] become the narrowest one that holds
/// them; numbers of 64 bits without a sign become [`i64`], and those above [`i64::MAX`] are refused.
pub trait Numeric: Copy + Send + Sync + 'static {
    /// The element this number becomes.
    type Element: Element;
    /// Whether every number of this type fits in an element.
    const FITS: bool = true;
    /// The number as an element.
    fn element(self) -> Self::Element;
    /// Whether the element is the same number.
    ///
    /// # Errors
    /// Names the number, if it is not.
    fn check(self) -> Result<()> {
        Ok(())
    }
}

/// What is inside nested rows: a [`Numeric`] number, or a text.
pub trait Leaf {
    /// All of them.
    type All;
    /// Room for so many.
    ///
    /// # Errors
    /// There is none.
    fn room(count: usize) -> Result<Self::All>;
    /// All of them in a shape.
    ///
    /// # Errors
    /// There must be as many as the shape has places.
    fn in_shape(shape: Vec<usize>, all: Self::All) -> Result<AnyArray>;
}

impl<N: Numeric> Leaf for N {
    type All = Vec<N::Element>;
    fn room(count: usize) -> Result<Vec<N::Element>> {
        room::empty(AN_ARRAY, count)
    }
    fn in_shape(shape: Vec<usize>, all: Vec<N::Element>) -> Result<AnyArray> {
        Array::new(shape, all).map(AnyArray::Numbers)
    }
}

impl Leaf for str {
    type All = Texts;
    fn room(count: usize) -> Result<Texts> {
        room::room::<i64>(AN_ARRAY, &[count, 2])?;
        Ok(Texts::with_capacity(count, 0))
    }
    fn in_shape(shape: Vec<usize>, all: Texts) -> Result<AnyArray> {
        TextArray::new(shape, all).map(AnyArray::Texts)
    }
}

/// A number or a text, or equally long rows of them, or rows of rows: what nested vectors, slices and arrays are made of.
pub trait Nested {
    /// What is inside.
    type Leaf: Leaf + ?Sized;
    /// Appends the sizes of the axes, outermost first, going by the first row of each.
    fn push_shape(&self, shape: &mut Vec<usize>);
    /// Appends what is inside.
    ///
    /// # Errors
    /// The sizes must be those of `shape`; the error names the row.
    fn push_leaves(&self, shape: &[usize], all: &mut <Self::Leaf as Leaf>::All) -> Result<()>;
}

macro_rules! numbers {
    ($($rust:ty => $element:ty, $convert:expr $(, $check:expr)?;)*) => {$(
        impl Numeric for $rust {
            type Element = $element;
            fn element(self) -> $element {
                $convert(self)
            }
            $(const FITS: bool = false;
            fn check(self) -> Result<()> {
                $check(self)
            })?
        }

        impl Nested for $rust {
            type Leaf = $rust;
            fn push_shape(&self, _shape: &mut Vec<usize>) {}
            fn push_leaves(&self, _shape: &[usize], numbers: &mut Vec<$element>) -> Result<()> {
                self.check()?;
                numbers.push(self.element());
                Ok(())
            }
        }
    )*};
}

numbers! {
    bool => bool, std::convert::identity;
    u8 => u8, std::convert::identity;
    u32 => u32, std::convert::identity;
    i32 => i32, std::convert::identity;
    i64 => i64, std::convert::identity;
    F16 => F16, std::convert::identity;
    Bf16 => Bf16, std::convert::identity;
    f32 => f32, std::convert::identity;
    f64 => f64, std::convert::identity;
    i8 => i32, i32::from;
    i16 => i32, i32::from;
    u16 => i32, i32::from;
    isize => i64, |value| value as i64;
    usize => i64, |value| value as i64, |value| below_2_to_63(value as u64);
    u64 => i64, |value| value as i64, below_2_to_63;
}

fn below_2_to_63(value: u64) -> Result<()> {
    let large = |_| Error::data(format!("needs whole numbers up to {}, got {value}", i64::MAX));
    i64::try_from(value).map(drop).map_err(large)
}

impl Nested for str {
    type Leaf = str;
    fn push_shape(&self, _shape: &mut Vec<usize>) {}
    fn push_leaves(&self, _shape: &[usize], texts: &mut Texts) -> Result<()> {
        texts.push(Some(self));
        Ok(())
    }
}

impl<T: Nested> Nested for [T] {
    type Leaf = T::Leaf;

    fn push_shape(&self, shape: &mut Vec<usize>) {
        shape.push(self.len());
        if let Some(first) = self.first() {
            first.push_shape(shape);
        }
    }

    fn push_leaves(&self, shape: &[usize], all: &mut <T::Leaf as Leaf>::All) -> Result<()> {
        let Some((&len, rest)) = shape.split_first() else { return Err(Error::data("needs a number, got rows")) };
        if self.len() != len {
            return Err(Error::data(format!("needs {len} elements as the first row, got {}", self.len())));
        }
        for (i, row) in self.iter().enumerate() {
            row.push_leaves(rest, all).map_err(|error| error.context(format!("row {i}")))?;
        }
        Ok(())
    }
}

/// Passes on to a slice or to what is referred to.
macro_rules! nested_as {
    ($([$($generics:tt)*] $type:ty, $inner:ty;)*) => {$(
        impl<$($generics)*> Nested for $type {
            type Leaf = <$inner as Nested>::Leaf;

            fn push_shape(&self, shape: &mut Vec<usize>) {
                <$inner>::push_shape(self, shape);
            }

            fn push_leaves(&self, shape: &[usize], all: &mut <Self::Leaf as Leaf>::All) -> Result<()> {
                <$inner>::push_leaves(self, shape, all)
            }
        }
    )*};
}

nested_as! {
    [T: Nested] Vec<T>, [T];
    [T: Nested, const N: usize] [T; N], [T];
    [T: Nested + ?Sized] &T, T;
    [] String, str;
}

fn nested<T: Nested + ?Sized>(rows: &T) -> Result<AnyArray> {
    let mut shape = Vec::new();
    rows.push_shape(&mut shape);
    let mut all = T::Leaf::room(Shape::from(&shape[..]).size())?;
    rows.push_leaves(&shape, &mut all)?;
    T::Leaf::in_shape(shape, all)
}

impl<T: Nested> ToArray for [T] {
    fn to_array(&self) -> Result<Array> {
        nested(self)?.into_array()
    }

    fn to_any(&self) -> Result<AnyArray> {
        nested(self)
    }
}

impl<T: Nested> ToArray for Vec<T> {
    fn to_array(&self) -> Result<Array> {
        nested(self)?.into_array()
    }

    fn to_any(&self) -> Result<AnyArray> {
        nested(self)
    }
}

impl<T: Nested, const N: usize> ToArray for [T; N] {
    fn to_array(&self) -> Result<Array> {
        nested(self)?.into_array()
    }

    fn to_any(&self) -> Result<AnyArray> {
        nested(self)
    }
}

impl<T: ToArray + ?Sized> ToArray for &T {
    fn to_array(&self) -> Result<Array> {
        T::to_array(self)
    }

    fn to_any(&self) -> Result<AnyArray> {
        T::to_any(self)
    }

    fn lend<'env>(&'env self, loan: &Loan<'env>) -> Result<AnyArray> {
        T::lend(self, loan)
    }
}

impl ToArray for Array {
    fn to_array(&self) -> Result<Array> {
        Ok(self.clone())
    }

    fn into_array(self) -> Result<Array> {
        Ok(self)
    }

    fn into_any(self) -> Result<AnyArray> {
        Ok(AnyArray::Numbers(self))
    }

    fn lend<'env>(&'env self, loan: &Loan<'env>) -> Result<AnyArray> {
        self.lent(loan).map(AnyArray::Numbers)
    }
}

impl ToArray for TextArray {
    fn to_array(&self) -> Result<Array> {
        Err(no_numbers())
    }

    fn to_any(&self) -> Result<AnyArray> {
        Ok(AnyArray::Texts(self.clone()))
    }

    fn into_any(self) -> Result<AnyArray> {
        Ok(AnyArray::Texts(self))
    }
}

impl ToArray for AnyArray {
    fn to_array(&self) -> Result<Array> {
        self.numbers().cloned().ok_or_else(no_numbers)
    }

    fn into_array(self) -> Result<Array> {
        match self {
            AnyArray::Numbers(array) => Ok(array),
            AnyArray::Texts(_) => Err(no_numbers()),
        }
    }

    fn to_any(&self) -> Result<AnyArray> {
        Ok(self.clone())
    }

    fn into_any(self) -> Result<AnyArray> {
        Ok(self)
    }

    fn lend<'env>(&'env self, loan: &Loan<'env>) -> Result<AnyArray> {
        match self {
            AnyArray::Numbers(array) => array.lend(loan),
            AnyArray::Texts(texts) => texts.lend(loan),
        }
    }
}

fn no_numbers() -> Error {
    Error::data("needs numbers, got texts")
}

/// Owned, shared or a view, of any rank, in any order of memory.
#[cfg(feature = "ndarray")]
impl<S: Data<Elem: Numeric>, D: Dimension> ToArray for ArrayBase<S, D> {
    fn to_array(&self) -> Result<Array> {
        for (i, number) in self.iter().enumerate().take_while(|_| !S::Elem::FITS) {
            number.check().map_err(|error| error.context(format!("index {i}")))?;
        }
        let numbers = match self.as_slice() {
            Some(all) => copy::elements(all)?,
            None => {
                let mut numbers = room::empty(AN_ARRAY, self.len())?;
                numbers.extend(self.iter().map(|&number| number.element()));
                numbers
            }
        };
        Array::new(self.shape(), numbers)
    }

    fn lend<'env>(&'env self, loan: &Loan<'env>) -> Result<AnyArray> {
        let lent = self.as_slice().and_then(|all| loan.lend_as::<S::Elem, <S::Elem as Numeric>::Element>(all));
        let Some(lent) = lent.filter(|_| S::Elem::FITS) else { return self.to_any() };
        Array::from_buffer(self.shape(), Element::wrap(lent)).map(AnyArray::Numbers)
    }
}

/// The array as an `ndarray` whose elements are the nearest `T`.
#[cfg(feature = "ndarray")]
pub fn from_array<T: Element>(array: &Array) -> ArrayD<T> {
    ArrayD::from_shape_vec(IxDyn(array.shape()), array.to_vec()).expect("an array has as many elements as its shape")
}

/// [`from_array`] of an array that is not needed any more: without a copy, if the elements are of type `T`.
#[cfg(feature = "ndarray")]
pub fn into_ndarray<T: Element>(array: Array) -> ArrayD<T> {
    let shape = IxDyn(array.shape());
    ArrayD::from_shape_vec(shape, array.into_vec()).expect("an array has as many elements as its shape")
}

#[cfg(all(test, feature = "ndarray"))]
mod tests {
    use ndarray::{Array1, Array2, Axis, array};

    use super::*;
    use crate::{DType, ToArrays, Type, lending};

    fn ty(numbers: &(impl ToArray + ?Sized)) -> Type {
        numbers.to_array().unwrap().ty()
    }

    #[test]
    fn every_kind_of_rows_becomes_an_array() {
        assert_eq!(ty(&vec![1.0f32, 2.0]), Type::f32([2]));
        assert_eq!(ty(&[true, false][..]), Type::new(DType::Bool, [2]));
        assert_eq!(ty(&vec![vec![1u8; 3]; 2]), Type::new(DType::U8, [2, 3]));
        assert_eq!(ty(&[[[0.5; 4]; 3]; 2]), Type::new(DType::F64, [2, 3, 4]));
        assert_eq!(ty(&vec![&[1usize, 2][..]]), Type::new(DType::I64, [1, 2]));
        assert_eq!(ty(&&array![[1i16]]), Type::new(DType::I32, [1, 1]));
        assert_eq!(ty(&Vec::<f32>::new()), Type::f32([0]));
    }

    #[test]
    fn ragged_rows_are_named() {
        let message = |rows: Vec<Vec<f64>>| rows.to_array().unwrap_err().message().to_owned();
        assert_eq!(
            message(vec![vec![0.0; 4], vec![0.0; 4], vec![0.0; 2]]),
            "row 2: needs 4 elements as the first row, got 2"
        );
        let deep = vec![vec![vec![1.0], vec![1.0]], vec![vec![1.0], vec![]]];
        assert_eq!(deep.to_array().unwrap_err().message(), "row 1: row 1: needs 1 elements as the first row, got 0");
        let no_columns = vec![Vec::<f64>::new(), vec![]];
        assert_eq!(ty(&no_columns), Type::new(DType::F64, [2, 0]));
    }

    #[test]
    fn views_in_any_order_keep_their_elements() {
        let mut x = Array2::from_shape_fn((2, 3), |(i, j)| 10 * i + j);
        let elements = |x: Result<Array>| x.unwrap().to_vec::<i64>();
        assert_eq!(elements(x.t().to_array()), [0, 10, 1, 11, 2, 12]);
        assert_eq!(elements(x.column(1).to_array()), [1, 11]);
        x.invert_axis(Axis(0));
        assert_eq!(elements(x.to_array()), [10, 11, 12, 0, 1, 2]);
    }

    #[test]
    fn numbers_in_a_row_of_memory_are_lent_in_place() {
        let (floats, shorts) = (array![[1.5f32, 2.0], [3.0, 4.0]], array![1i16, 2]);
        let place = |lent: &AnyArray| lent.numbers().and_then(|array| array.as_slice::<f32>()).map(<[f32]>::as_ptr);
        let (own, turned, pair) = (floats.to_any().unwrap(), floats.t(), [("a", &floats), ("b", &floats)]);
        lending(|loan| {
            let lent = floats.lend(loan).unwrap();
            assert_eq!((place(&lent), lent.shape().to_string()), (Some(floats.as_ptr()), "[2,2]".into()));
            let again = own.lend(loan).unwrap();
            assert_eq!((place(&again), again), (place(&own), lent));
            assert_eq!(turned.to_any().unwrap(), turned.lend(loan).unwrap());
            assert_eq!(shorts.to_any().unwrap(), shorts.lend(loan).unwrap());
            assert_eq!(pair.lend_arrays(loan).unwrap(), pair.into_arrays().unwrap());
        });
    }

    #[test]
    fn arrays_come_back_as_ndarray() {
        let x = array![[1.5f32, 2.0], [3.0, 4.0]];
        let same = x.to_array().unwrap();
        let start = same.as_slice::<f32>().map(<[f32]>::as_ptr);
        assert_eq!(from_array::<f32>(&same), x.clone().into_dyn());
        let moved = into_ndarray::<f32>(same);
        assert_eq!((Some(moved.as_ptr()), moved), (start, x.into_dyn()));
        let y: Array1<i64> = array![1, 2];
        assert_eq!(from_array::<f64>(&y.to_array().unwrap()), array![1.0, 2.0].into_dyn());
        assert_eq!(into_ndarray::<f64>(y.to_array().unwrap()), array![1.0, 2.0].into_dyn());
    }
}
