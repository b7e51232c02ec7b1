//! Element types, shapes, and the two together: `f32[32,10]`.

use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use crate::read::numbers;
use crate::{Error, Result};

/// The type of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DType {
    /// True or false.
    Bool,
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 32 bits.
    U32,
    /// Signed, 32 bits.
    I32,
    /// Signed, 64 bits.
    I64,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl DType {
    /// Every element type, in the order of their names' first use.
    pub const ALL: [DType; 7] = [DType::Bool, DType::U8, DType::U32, DType::I32, DType::I64, DType::F32, DType::F64];

    /// The name in printed graphs: `f32`.
    pub fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "u8",
            DType::U32 => "u32",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::F32 => "f32",
            DType::F64 => "f64",
        }
    }

    /// The name in Keras's files and messages: `float32`.
    pub fn keras_name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::U8 => "uint8",
            DType::U32 => "uint32",
            DType::I32 => "int32",
            DType::I64 => "int64",
            DType::F32 => "float32",
            DType::F64 => "float64",
        }
    }

    /// The type of that Keras name.
    pub fn from_keras_name(name: &str) -> Option<DType> {
        Self::ALL.into_iter().find(|dtype| dtype.keras_name() == name)
    }

    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            DType::Bool | DType::U8 => 1,
            DType::U32 | DType::I32 | DType::F32 => 4,
            DType::I64 | DType::F64 => 8,
        }
    }

    /// The type of a sum, product or choice of elements of two types, as in Keras 3: floats before whole numbers before
    /// truth values, of two kinds of whole numbers the smallest that holds both (of unsigned and signed ones of 32 bits
    /// that is 64 bits), and `f32` for a float of 32 bits beside whole numbers of any size.
    #[must_use]
    pub fn joined(self, other: DType) -> DType {
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        match (low, high) {
            (DType::U32, DType::I32) => DType::I64,
            // The list of types ascends but for that one pair.
            (_, high) => high,
        }
    }

    /// The type of what is no whole number, as a quotient of such elements: `f32` for whole numbers and truth values.
    #[must_use]
    pub fn to_float(self) -> DType {
        if self.is_float() { self } else { DType::F32 }
    }

    /// The type of a sum of many such elements, as in Keras 3: 32 bits at least.
    #[must_use]
    pub fn summed(self) -> DType {
        match self {
            DType::Bool => DType::I32,
            DType::U8 => DType::U32,
            dtype => dtype,
        }
    }

    /// Whether elements have a fraction.
    pub fn is_float(self) -> bool {
        matches!(self, DType::F32 | DType::F64)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for DType {
    type Err = Error;

    fn from_str(name: &str) -> Result<DType> {
        let found = Self::ALL.into_iter().find(|dtype| dtype.name() == name);
        found.ok_or_else(|| Error::graph(format!("needs an element type as `f32`, got `{name}`")))
    }
}

/// The sizes of the axes, outermost first. Arrays are row-major, without gaps.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Shape(Vec<usize>);

impl Shape {
    /// The shape of one number.
    pub fn scalar() -> Self {
        Shape(Vec::new())
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The number of elements; the largest `usize` where it does not fit one, so that rules of types never overflow.
    pub fn size(&self) -> usize {
        self.checked_size().unwrap_or(usize::MAX)
    }

    /// The number of elements, unless it does not fit a `usize`.
    pub fn checked_size(&self) -> Option<usize> {
        // An axis of none leaves none, however long the others are.
        if self.0.contains(&0) { Some(0) } else { self.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) }
    }

    /// How many elements lie between neighbours along each axis; the largest `usize` where that does not fit one.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1usize; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(self.0[axis]);
        }
        strides
    }

    /// The shape without `axis`, if it has one.
    pub fn without(&self, axis: usize) -> Shape {
        self.0.iter().enumerate().filter(|&(own, _)| own != axis).map(|(_, &dim)| dim).collect()
    }

    /// The shape with `axis`, if it has one, of size `size`.
    pub fn with(&self, axis: usize, size: usize) -> Shape {
        let mut dims = self.0.clone();
        dims.get_mut(axis).into_iter().for_each(|dim| *dim = size);
        Shape(dims)
    }
}

impl Deref for Shape {
    type Target = [usize];
    fn deref(&self) -> &[usize] {
        &self.0
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        Shape(dims.into())
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        Shape(dims)
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        Shape(dims.into())
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        Shape(dims.into_iter().collect())
    }
}

/// `[32,10]`
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.0.iter().enumerate() {
            write!(f, "{}{dim}", if i > 0 { "," } else { "" })?;
        }
        f.write_str("]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a tensor is: `f32[32,10]`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Type {
    /// The type of each element.
    pub dtype: DType,
    /// The sizes of the axes.
    pub shape: Shape,
}

impl Type {
    /// The type of that element type and shape.
    pub fn new(dtype: DType, shape: impl Into<Shape>) -> Self {
        Type { dtype, shape: shape.into() }
    }

    /// The type of one number.
    pub fn scalar(dtype: DType) -> Self {
        Type { dtype, shape: Shape::scalar() }
    }

    /// `f32` of that shape.
    pub fn f32(shape: impl Into<Shape>) -> Self {
        Self::new(DType::F32, shape)
    }

    /// The same shape with other elements.
    pub fn with_dtype(&self, dtype: DType) -> Self {
        Type { dtype, shape: self.shape.clone() }
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.shape.rank()
    }

    /// The number of elements.
    pub fn size(&self) -> usize {
        self.shape.size()
    }

    /// The number of bytes of all elements, unless it is more than memory can have addresses.
    pub fn bytes(&self) -> Option<usize> {
        let bytes = self.shape.checked_size()?.checked_mul(self.dtype.size())?;
        isize::try_from(bytes).is_ok().then_some(bytes)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.dtype, self.shape)
    }
}

/// Reads `f32[32,10]`.
impl FromStr for Type {
    type Err = Error;

    fn from_str(text: &str) -> Result<Type> {
        let parts = text.strip_suffix(']').and_then(|text| text.split_once('['));
        let dims = parts.and_then(|(dtype, dims)| Some((dtype, numbers(dims)?)));
        let (dtype, dims) = dims.ok_or_else(|| Error::graph(format!("needs a type as `f32[4,8]`, got `{text}`")))?;
        Ok(Type::new(dtype.parse()?, dims))
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
