//! Arrays: a shape and its elements in row-major order. The only thing here that holds numbers.

use std::fmt;

use crate::{Bf16, DType, Error, F16, Loan, Number, Result, Shape, Storage, Type};

/// A Rust type that can be an element.
pub trait Element: Copy + PartialEq + PartialOrd + fmt::Debug + Send + Sync + 'static + sealed::Sealed {
    /// Its element type.
    const DTYPE: DType;
    /// Wraps elements, such as a vector of them.
    fn wrap(data: impl Into<Storage<Self>>) -> Buffer;
    /// The elements of a buffer that are of this type; else the buffer.
    ///
    /// # Errors
    /// It is of another type.
    fn unwrap(buffer: Buffer) -> Result<Vec<Self>, Buffer>;
    /// The elements of a buffer, if they are of this type.
    fn slice(buffer: &Buffer) -> Option<&[Self]>;
    /// The elements of a buffer, if they are of this type.
    fn slice_mut(buffer: &mut Buffer) -> Option<&mut [Self]>;
    /// The nearest double.
    fn to_f64(self) -> f64;
    /// The element nearest to a double: integers are cut towards zero and held within their range; for booleans,
    /// anything but zero is true.
    fn from_f64(value: f64) -> Self;
    /// The element, whole numbers exactly.
    fn number(self) -> Number;
    /// The element that a number becomes: a double as by [`Element::from_f64`]; a whole number is wrapped into a type of
    /// whole numbers and rounded to the nearest float.
    fn from_number(number: Number) -> Self;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! elements {
    ($($dtype:ident $rust:ty, $kind:ident, $to:expr, $from:expr, $wrap:expr;)*) => {
        /// The elements of an array.
        #[derive(Clone, PartialEq, Debug)]
        #[non_exhaustive]
        pub enum Buffer {
            $(#[doc = concat!("Elements of type `", stringify!($rust), "`.")] $dtype(Storage<$rust>),)*
        }

        impl Buffer {
            /// `len` zeros.
            pub fn zeros(dtype: DType, len: usize) -> Buffer {
                match dtype { $(DType::$dtype => Buffer::$dtype(vec![<$rust>::default(); len].into()),)* }
            }

            /// The type of the elements.
            pub fn dtype(&self) -> DType {
                match self { $(Buffer::$dtype(_) => DType::$dtype,)* }
            }

            /// The number of elements.
            pub fn len(&self) -> usize {
                match self { $(Buffer::$dtype(data) => data.len(),)* }
            }

            /// Whether there are no elements.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Element `index` as a double.
            pub fn get(&self, index: usize) -> f64 {
                match self { $(Buffer::$dtype(data) => data[index].to_f64(),)* }
            }

            /// Sets element `index` to the nearest element.
            pub fn set(&mut self, index: usize, value: f64) {
                match self { $(Buffer::$dtype(data) => data[index] = Element::from_f64(value),)* }
            }

            /// Element `index`, whole numbers exactly.
            pub fn number(&self, index: usize) -> Number {
                match self { $(Buffer::$dtype(data) => data[index].number(),)* }
            }

            /// Sets element `index`, as [`Element::from_number`] does.
            pub fn set_number(&mut self, index: usize, number: Number) {
                match self { $(Buffer::$dtype(data) => data[index] = Element::from_number(number),)* }
            }

            /// The elements at those places, bit for bit.
            #[must_use]
            pub fn pick(&self, places: impl Iterator<Item = usize>) -> Buffer {
                match self { $(Buffer::$dtype(data) => Buffer::$dtype(places.map(|place| data[place]).collect()),)* }
            }
        }

        $(
            impl sealed::Sealed for $rust {}
            impl Element for $rust {
                const DTYPE: DType = DType::$dtype;
                fn wrap(data: impl Into<Storage<Self>>) -> Buffer { Buffer::$dtype(data.into()) }
                fn unwrap(buffer: Buffer) -> Result<Vec<Self>, Buffer> {
                    match buffer { Buffer::$dtype(data) => Ok(data.into_vec()), other => Err(other) }
                }
                fn slice(buffer: &Buffer) -> Option<&[Self]> {
                    match buffer { Buffer::$dtype(data) => Some(data), _ => None }
                }
                fn slice_mut(buffer: &mut Buffer) -> Option<&mut [Self]> {
                    match buffer { Buffer::$dtype(data) => Some(data), _ => None }
                }
                fn to_f64(self) -> f64 { $to(self) }
                fn from_f64(value: f64) -> Self { $from(value) }
                #[inline]
                fn number(self) -> Number { Number::$kind(self.into()) }
                #[inline]
                fn from_number(number: Number) -> Self {
                    match number { Number::Whole(x) => $wrap(x), Number::Double(x) => $from(x) }
                }
            }
        )*
    };
}

elements! {
    // its kind of `Number`, to a double, from a double, from a whole number
    Bool bool, Double, f64::from, |v: f64| v != 0.0, |x: i128| x != 0;
    U8 u8, Whole, f64::from, |v: f64| v as u8, |x: i128| x as u8;
    U16 u16, Whole, f64::from, |v: f64| v as u16, |x: i128| x as u16;
    U32 u32, Whole, f64::from, |v: f64| v as u32, |x: i128| x as u32;
    U64 u64, Whole, |x: u64| x as f64, |v: f64| v as u64, |x: i128| x as u64;
    I8 i8, Whole, f64::from, |v: f64| v as i8, |x: i128| x as i8;
    I16 i16, Whole, f64::from, |v: f64| v as i16, |x: i128| x as i16;
    I32 i32, Whole, f64::from, |v: f64| v as i32, |x: i128| x as i32;
    I64 i64, Whole, |x: i64| x as f64, |v: f64| v as i64, |x: i128| x as i64;
    F16 F16, Double, F16::to_f64, F16::from_f64, F16::from_whole;
    Bf16 Bf16, Double, Bf16::to_f64, Bf16::from_f64, Bf16::from_whole;
    F32 f32, Double, f64::from, |v: f64| v as f32, |x: i128| x as f32;
    F64 f64, Double, |x: f64| x, |v: f64| v, |x: i128| x as f64;
}

/// Runs something for the Rust type of an element type, compiled for each.
macro_rules! typed {
    ($dtype:expr, $t:ident => $run:expr) => {
        typed!($dtype, $t => $run; Bool bool, U8 u8, U16 u16, U32 u32, U64 u64, I8 i8, I16 i16, I32 i32, I64 i64,
            F16 $crate::F16, Bf16 $crate::Bf16, F32 f32, F64 f64)
    };
    ($dtype:expr, $t:ident => $run:expr; $($name:ident $rust:ty),*) => {
        match $dtype { $(DType::$name => { type $t = $rust; $run })* }
    };
}
pub(crate) use typed;

/// A shape and its elements in row-major order.
#[derive(Clone, PartialEq)]
pub struct Array {
    shape: Shape,
    data: Buffer,
}

impl Array {
    /// An array of that shape.
    ///
    /// # Errors
    /// The shape must have as many elements as `data`.
    pub fn new<T: Element>(shape: impl Into<Shape>, data: Vec<T>) -> Result<Array> {
        Array::from_buffer(shape, T::wrap(data))
    }

    /// An array of that shape.
    ///
    /// # Errors
    /// The shape must have as many elements as `data`.
    pub fn from_buffer(shape: impl Into<Shape>, data: Buffer) -> Result<Array> {
        let shape = shape.into();
        if shape.checked_size() != Some(data.len()) {
            return Err(Error::data(format!(
                "an array of shape {shape} needs {} elements, got {}",
                shape.checked_size().map_or("too many".into(), |n| n.to_string()),
                data.len()
            )));
        }
        Ok(Array { shape, data })
    }

    /// The same array, in place, for as long as the loan lasts.
    pub(crate) fn lent<'env>(&'env self, loan: &Loan<'env>) -> Result<Array> {
        let lent = typed!(self.dtype(), T => self.as_slice::<T>().map(|all| T::wrap(loan.lend(all))));
        Array::from_buffer(self.shape.clone(), lent.expect("elements of the array's type"))
    }

    /// One number.
    pub fn scalar<T: Element>(value: T) -> Array {
        Array { shape: Shape::scalar(), data: T::wrap(vec![value]) }
    }

    /// A row of numbers.
    pub fn vector<T: Element>(data: Vec<T>) -> Array {
        Array { shape: Shape::from([data.len()]), data: T::wrap(data) }
    }

    /// An array of zeros.
    pub fn zeros(ty: &Type) -> Array {
        Array { shape: ty.shape.clone(), data: Buffer::zeros(ty.dtype, ty.size()) }
    }

    /// An array whose element at flat index `i` is `f(i)`, rounded to the element type.
    pub fn from_fn(ty: &Type, f: impl FnMut(usize) -> f64) -> Array {
        let mut array = Array::zeros(ty);
        (0..ty.size()).map(f).enumerate().for_each(|(i, value)| array.data.set(i, value));
        array
    }

    /// An array whose element at flat index `i` is `f(i)`, rounded or wrapped into the element type.
    pub fn from_numbers(ty: &Type, f: impl FnMut(usize) -> Number) -> Array {
        let mut array = Array::zeros(ty);
        (0..ty.size()).map(f).enumerate().for_each(|(i, number)| array.data.set_number(i, number));
        array
    }

    /// The sizes of the axes.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The type of the elements.
    pub fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Element type and shape.
    pub fn ty(&self) -> Type {
        Type { dtype: self.dtype(), shape: self.shape.clone() }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.data.len()
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// The elements.
    pub fn buffer(&self) -> &Buffer {
        &self.data
    }

    /// The elements.
    pub fn buffer_mut(&mut self) -> &mut Buffer {
        &mut self.data
    }

    /// The elements, without the shape.
    pub fn into_buffer(self) -> Buffer {
        self.data
    }

    /// The elements, if they are of type `T`.
    pub fn as_slice<T: Element>(&self) -> Option<&[T]> {
        T::slice(&self.data)
    }

    /// The elements, if they are of type `T`.
    pub fn as_mut_slice<T: Element>(&mut self) -> Option<&mut [T]> {
        T::slice_mut(&mut self.data)
    }

    /// The elements, each as `T`: see [`Element::from_number`].
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        match self.as_slice::<T>() {
            Some(data) => data.to_vec(),
            None => (0..self.len()).map(|i| T::from_number(self.number(i))).collect(),
        }
    }

    /// [`Array::to_vec`] of an array that is not needed any more: without a copy, if the elements are of type `T`.
    pub fn into_vec<T: Element>(self) -> Vec<T> {
        T::unwrap(self.data).unwrap_or_else(|data| (0..data.len()).map(|i| T::from_number(data.number(i))).collect())
    }

    /// Element `index`, in row-major order, as a double.
    pub fn get(&self, index: usize) -> f64 {
        self.data.get(index)
    }

    /// Element `index`, in row-major order, whole numbers exactly.
    pub fn number(&self, index: usize) -> Number {
        self.data.number(index)
    }

    /// Sets element `index`, in row-major order, to the nearest element.
    pub fn set(&mut self, index: usize, value: f64) {
        self.data.set(index, value);
    }

    /// The same numbers as another element type. Fractions are cut off on the way to whole numbers, where doubles beyond
    /// the type become its nearest element and not-a-number zero; whole numbers wrap, as NumPy's `astype` has them.
    #[must_use]
    pub fn cast(self, dtype: DType) -> Array {
        if dtype == self.dtype() {
            return self;
        }
        let ty = Type { dtype, shape: self.shape.clone() };
        Array::from_numbers(&ty, |i| self.number(i))
    }

    /// The same elements in another shape.
    ///
    /// # Errors
    /// Both shapes must have the same number of elements.
    pub fn reshape(self, shape: impl Into<Shape>) -> Result<Array> {
        Array::from_buffer(shape, self.data)
    }

    /// An array of that shape whose element at flat index `i` is this one's at `place(i)`, bit for bit.
    #[must_use]
    pub fn pick(&self, shape: impl Into<Shape>, place: impl FnMut(usize) -> usize) -> Array {
        let shape = shape.into();
        Array { data: self.data.pick((0..shape.size()).map(place)), shape }
    }

    /// The rows (along the first axis) that `order` names, in that order.
    ///
    /// # Panics
    /// If the array is a scalar or an index is out of range.
    #[must_use]
    pub fn rows(&self, order: &[usize]) -> Array {
        let width = Shape::from(&self.shape[1..]).size();
        let data = self.data.pick(order.iter().flat_map(|&row| row * width..(row + 1) * width));
        Array { shape: self.shape.with(0, order.len()), data }
    }
}

/// The type, then the first few elements.
impl fmt::Debug for Array {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 8;
        write!(f, "{}(", self.ty())?;
        for i in 0..self.len().min(SHOWN) {
            write!(f, "{}{}", if i > 0 { ", " } else { "" }, self.number(i))?;
        }
        f.write_str(if self.len() > SHOWN { ", …)" } else { ")" })
    }
}
