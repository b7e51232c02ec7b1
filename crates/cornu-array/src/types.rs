//! Element types, shapes, and the two together: `f32[32,10]`.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::str::FromStr;

use crate::{Error, Result};

macro_rules! dtypes {
    ($($(#[$doc:meta])* $name:ident = $text:literal $keras:literal $size:literal,)*) => {
        /// The type of one element.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum DType { $($(#[$doc])* $name,)* }

        impl DType {
            /// Every element type: truth values, unsigned, signed, floats; each kind from the smallest.
            pub const ALL: [DType; [$(DType::$name,)*].len()] = [$(DType::$name,)*];

            /// The name in printed graphs: `f32`.
            pub fn name(self) -> &'static str {
                match self { $(DType::$name => $text,)* }
            }

            /// The name in Keras's files and messages: `float32`.
            pub fn keras_name(self) -> &'static str {
                match self { $(DType::$name => $keras,)* }
            }

            /// Bytes of one element.
            pub fn size(self) -> usize {
                match self { $(DType::$name => $size,)* }
            }
        }
    };
}

dtypes! {
    /// True or false.
    Bool = "bool" "bool" 1,
    /// Unsigned, 8 bits.
    U8 = "u8" "uint8" 1,
    /// Unsigned, 16 bits.
    U16 = "u16" "uint16" 2,
    /// Unsigned, 32 bits.
    U32 = "u32" "uint32" 4,
    /// Unsigned, 64 bits.
    U64 = "u64" "uint64" 8,
    /// Signed, 8 bits.
    I8 = "i8" "int8" 1,
    /// Signed, 16 bits.
    I16 = "i16" "int16" 2,
    /// Signed, 32 bits.
    I32 = "i32" "int32" 4,
    /// Signed, 64 bits.
    I64 = "i64" "int64" 8,
    /// IEEE half precision.
    F16 = "f16" "float16" 2,
    /// The upper half of a single.
    Bf16 = "bf16" "bfloat16" 2,
    /// IEEE single precision.
    F32 = "f32" "float32" 4,
    /// IEEE double precision.
    F64 = "f64" "float64" 8,
}

impl DType {
    /// The type of that Keras name.
    pub fn from_keras_name(name: &str) -> Option<DType> {
        Self::ALL.into_iter().find(|dtype| dtype.keras_name() == name)
    }

    /// The type of a sum, product or choice of elements of two types, as in Keras 3: floats before whole numbers before
    /// truth values; of two kinds of whole numbers the smallest that holds both, `f32` where none does, as of the two
    /// floats of 16 bits; and a float as it is beside whole numbers of any size. (Of `u64` and unsigned numbers it is `u64`, where Keras cuts to 32 bits.)
    #[must_use]
    pub fn joined(self, other: DType) -> DType {
        let (low, high) = if self <= other { (self, other) } else { (other, self) };
        match low {
            DType::F16 if high == DType::Bf16 => DType::F32,
            _ if !high.is_signed() || !high.is_whole() => high,
            DType::U8 => high.max(DType::I16),
            DType::U16 => high.max(DType::I32),
            DType::U32 => DType::I64,
            DType::U64 => DType::F32,
            _ => high,
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
            DType::Bool | DType::I8 | DType::I16 => DType::I32,
            DType::U8 | DType::U16 => DType::U32,
            dtype => dtype,
        }
    }

    /// Whether elements have a fraction.
    pub fn is_float(self) -> bool {
        self >= DType::F16
    }

    /// Whether elements are floats of 16 bits, which are computed with as singles.
    pub fn is_half(self) -> bool {
        matches!(self, DType::F16 | DType::Bf16)
    }

    /// The type of the numbers that are computed with: of floats of 16 bits `f32`.
    #[must_use]
    pub fn widened(self) -> DType {
        if self.is_half() { DType::F32 } else { self }
    }

    /// Whether elements are whole numbers.
    pub fn is_whole(self) -> bool {
        !self.is_float() && self != DType::Bool
    }

    /// Whether elements may be below zero.
    pub fn is_signed(self) -> bool {
        self >= DType::I8
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

/// The sizes of the axes, outermost first. Arrays are row-major, without gaps. Up to four sizes take no memory beside it.
#[derive(Clone)]
pub struct Shape(Sizes);

#[derive(Clone)]
enum Sizes {
    /// The first so many of them.
    Few([usize; FEW], u8),
    Many(Vec<usize>),
}

/// Images have as many axes, and what layers without windows take has fewer.
const FEW: usize = 4;

impl Shape {
    /// The shape of one number.
    pub fn scalar() -> Self {
        Shape(Sizes::Few([0; FEW], 0))
    }

    /// The number of axes.
    pub fn rank(&self) -> usize {
        self.len()
    }

    /// The number of elements; the largest `usize` where it does not fit one, so that rules of types never overflow.
    pub fn size(&self) -> usize {
        self.checked_size().unwrap_or(usize::MAX)
    }

    /// The number of elements, unless it does not fit a `usize`.
    pub fn checked_size(&self) -> Option<usize> {
        // An axis of none leaves none, however long the others are.
        if self.contains(&0) { Some(0) } else { self.iter().try_fold(1usize, |n, &d| n.checked_mul(d)) }
    }

    /// How many elements lie between neighbours along each axis; the largest `usize` where that does not fit one.
    pub fn strides(&self) -> Vec<usize> {
        let mut strides = vec![1usize; self.rank()];
        for axis in (1..self.rank()).rev() {
            strides[axis - 1] = strides[axis].saturating_mul(self[axis]);
        }
        strides
    }

    /// The shape without `axis`, if it has one.
    pub fn without(&self, axis: usize) -> Shape {
        self.iter().enumerate().filter(|&(own, _)| own != axis).map(|(_, &dim)| dim).collect()
    }

    /// The shape with `axis`, if it has one, of size `size`.
    pub fn with(&self, axis: usize, size: usize) -> Shape {
        self.iter().enumerate().map(|(own, &dim)| if own == axis { size } else { dim }).collect()
    }

    fn push(&mut self, size: usize) {
        match &mut self.0 {
            Sizes::Few(few, rank) if usize::from(*rank) < FEW => {
                few[usize::from(*rank)] = size;
                *rank += 1;
            }
            Sizes::Few(few, _) => {
                let mut many = few.to_vec();
                many.push(size);
                self.0 = Sizes::Many(many);
            }
            Sizes::Many(many) => many.push(size),
        }
    }
}

impl Default for Shape {
    fn default() -> Self {
        Shape::scalar()
    }
}

impl PartialEq for Shape {
    fn eq(&self, other: &Shape) -> bool {
        **self == **other
    }
}

impl Eq for Shape {}

impl Hash for Shape {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl Deref for Shape {
    type Target = [usize];
    #[inline]
    fn deref(&self) -> &[usize] {
        match &self.0 {
            Sizes::Few(few, rank) => &few[..usize::from(*rank)],
            Sizes::Many(many) => many,
        }
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(dims: [usize; N]) -> Self {
        dims.into_iter().collect()
    }
}

impl From<Vec<usize>> for Shape {
    fn from(dims: Vec<usize>) -> Self {
        dims.into_iter().collect()
    }
}

impl From<&[usize]> for Shape {
    fn from(dims: &[usize]) -> Self {
        dims.iter().copied().collect()
    }
}

impl FromIterator<usize> for Shape {
    fn from_iter<I: IntoIterator<Item = usize>>(dims: I) -> Self {
        let mut shape = Shape::scalar();
        dims.into_iter().for_each(|dim| shape.push(dim));
        shape
    }
}

/// `[32,10]`
impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, dim) in self.iter().enumerate() {
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

/// Reads `[32,10]`, also with spaces behind commas.
impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Shape> {
        let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
        let dims = inside.and_then(|list| match list.trim() {
            "" => Some(Shape::scalar()),
            list => list.split(',').map(|dim| dim.trim().parse().ok()).collect(),
        });
        dims.ok_or_else(|| Error::graph(format!("needs a list as `[4, 8]`, got `{text}`")))
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
        let parts = text.find('[').and_then(|i| Some((&text[..i], text[i..].parse().ok()?)));
        let (dtype, shape): (&str, Shape) =
            parts.ok_or_else(|| Error::graph(format!("needs a type as `f32[4,8]`, got `{text}`")))?;
        Ok(Type::new(dtype.parse()?, shape))
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[test]
fn shapes_of_any_rank_are_their_sizes() {
    for rank in 0..2 * FEW + 2 {
        let sizes: Vec<usize> = (2..2 + rank).collect();
        let shape = Shape::from(&sizes[..]);
        assert_eq!((&shape[..], shape.rank()), (&sizes[..], rank));
        assert_eq!((&shape, &shape.to_string().parse().unwrap()), (&Shape::from(sizes.clone()), &shape));
        for axis in 0..=rank {
            let others = |other: &(usize, usize)| other.0 != axis;
            let without: Vec<usize> = sizes.iter().copied().enumerate().filter(others).map(|(_, size)| size).collect();
            assert_eq!(shape.without(axis)[..], without);
            let with: Vec<usize> = (0..rank).map(|own| if own == axis { 1 } else { sizes[own] }).collect();
            assert_eq!(shape.with(axis, 1)[..], with);
        }
    }
}
