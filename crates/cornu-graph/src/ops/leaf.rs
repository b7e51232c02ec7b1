//! Where numbers come from: inputs of the step, variables, constants.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Grad, OneResult, Sample, copied, edge, mismatch, sample};
use crate::array::typed;
use crate::{Array, Bf16, Buffer, DType, Element, F16, Number, OpText, Tensor, Type, VarId};

/// A node without operands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Leaf {
    /// A tensor given at each step.
    Input {
        /// Its place among the inputs.
        index: usize,
        /// What it is.
        ty: Type,
    },
    /// A variable as it was before the step.
    Var {
        /// Which one.
        id: VarId,
        /// What it is.
        ty: Type,
    },
    /// Numbers known now.
    Constant(Constant),
}

/// Numbers known when the graph is built. Equal means: the same bits.
#[derive(Clone, Debug)]
pub struct Constant(Arc<Array>);

impl Constant {
    /// Those numbers.
    pub fn new(array: Array) -> Self {
        Constant(Arc::new(array))
    }

    /// The numbers.
    pub fn array(&self) -> &Array {
        &self.0
    }

    /// Each element as bits that differ where the elements differ, if only by the sign of zero.
    fn bits(&self) -> impl Iterator<Item = u64> {
        let data = self.0.buffer();
        (0..data.len()).map(move |i| match data.number(i) {
            Number::Whole(x) => x as u64,
            Number::Double(x) => x.to_bits(),
        })
    }
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.ty() == other.0.ty() && self.bits().eq(other.bits())
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ty().hash(state);
        self.bits().for_each(|bits| bits.hash(state));
    }
}

impl OneResult for Leaf {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        if !args.is_empty() {
            return Err(mismatch("no operands", args));
        }
        Ok(match self {
            Leaf::Input { ty, .. } | Leaf::Var { ty, .. } => ty.clone(),
            Leaf::Constant(constant) => constant.0.ty(),
        })
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Grad> {
        Vec::new()
    }

    fn eval(&self, _: &[&Array], _: &Type) -> Array {
        match self {
            Leaf::Constant(constant) => constant.array().clone(),
            Leaf::Input { .. } | Leaf::Var { .. } => unreachable!("the evaluator is given inputs and variables"),
        }
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        Some(match text.name() {
            "input" => Leaf::Input { index: text.word("the place of an input")?, ty: ty.clone() },
            "var" => Leaf::Var { id: text.word("a variable")?, ty: ty.clone() },
            "constant" => Leaf::Constant(Constant::read(text, ty)?),
            _ => return None,
        })
    }

    fn samples() -> Vec<Sample> {
        let of = |array| Leaf::Constant(Constant::new(array));
        let inner = [sample(of(Array::scalar(0.5f32)), []), sample(of(Array::vector(vec![3i64, -4])), [])];
        let edges = DType::ALL.map(|dtype| edge(of(copied(dtype)), []));
        let odd = [
            Array::zeros(&Type::f32([0, 2])),
            Array::vector(vec![7u8; 5]),
            Array::vector(vec![-0.0f32, f32::NAN, -f32::NAN, 1e-45]),
            Array::vector([0x8000, 0x7c00, 0x7e00, 0xfe01, 0x7d55, 0x0001].map(F16::from_bits).to_vec()),
            Array::vector([0x8000, 0x7f80, 0x7fc0, 0xffc1, 0x7f81, 0x0001].map(Bf16::from_bits).to_vec()),
            Array::vector(vec![f64::INFINITY, -0.0, 0.1, -f64::NAN]),
        ];
        inner.into_iter().chain(edges).chain(odd.map(|array| edge(of(array), []))).collect()
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf::Input { index, .. } => write!(f, "input {index}"),
            Leaf::Var { id, .. } => write!(f, "var {id}"),
            Leaf::Constant(constant) => constant.fmt(f),
        }
    }
}

/// Every element, or the one that all are; a precision (`{:.4}`) says how many to show.
impl fmt::Display for Constant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bits = self.bits();
        let first = bits.next();
        let different = if bits.all(|bits| Some(bits) == first) { self.0.len().min(1) } else { self.0.len() };
        let count = different.min(f.precision().unwrap_or(usize::MAX));
        f.write_str("constant")?;
        (0..count).try_for_each(|i| write!(f, "{}{}", if i == 0 { " " } else { "," }, show(self.0.buffer(), i)))?;
        f.write_str(if count < different { ",…" } else { "" })
    }
}

impl Constant {
    fn read(text: &mut OpText, ty: &Type) -> Option<Constant> {
        let list = text.next_word();
        let words: Vec<&str> = list.iter().flat_map(|list| list.split(',')).collect();
        let size = ty.shape.checked_size().filter(|&size| words.len() == size || words.len() == 1);
        let Some(size) = size else {
            return text.fail(format!("needs as many numbers as {ty} has, or one, got {}", words.len()));
        };
        // A not-a-number may be given as bits.
        macro_rules! floats {
            ($float:ty, $bits:ty) => {
                elements(&words, size, |word| match word.strip_prefix("0x") {
                    Some(bits) => <$bits>::from_str_radix(bits, 16).ok().map(<$float>::from_bits),
                    None => word.parse().ok(),
                })
            };
        }
        let buffer = match ty.dtype {
            DType::F16 => floats!(F16, u16),
            DType::Bf16 => floats!(Bf16, u16),
            DType::F32 => floats!(f32, u32),
            DType::F64 => floats!(f64, u64),
            dtype => typed!(dtype, T => elements(&words, size, |word| word.parse::<T>().ok())),
        };
        match buffer.and_then(|buffer| Array::from_buffer(ty.shape.clone(), buffer).ok()) {
            Some(array) => Some(Constant::new(array)),
            None => text.fail(format!("needs numbers of {ty}, got `{}`", list.unwrap_or_default())),
        }
    }
}

/// `size` elements, of one word each or all of the same.
fn elements<T: Element>(words: &[&str], size: usize, read: impl Fn(&str) -> Option<T>) -> Option<Buffer> {
    let mut data: Vec<T> = Vec::new();
    data.try_reserve_exact(size).ok()?;
    for word in words {
        data.push(read(word)?);
    }
    if let (Some(&one), true) = (data.first(), words.len() == 1) {
        data.resize(size, one);
    }
    Some(T::wrap(data))
}

/// The shortest text that reads back as the same element. A not-a-number that is not the usual one shows its bits.
fn show(data: &Buffer, i: usize) -> String {
    macro_rules! float {
        ($float:ty, $x:expr) => {
            match f64::from($x).is_nan() && $x.to_bits() != <$float>::NAN.to_bits() {
                true => format!("{:#x}", $x.to_bits()),
                false => format!("{:?}", $x),
            }
        };
    }
    match data {
        Buffer::Bool(data) => data[i].to_string(),
        Buffer::F16(data) => float!(F16, data[i]),
        Buffer::Bf16(data) => float!(Bf16, data[i]),
        Buffer::F32(data) => float!(f32, data[i]),
        Buffer::F64(data) => float!(f64, data[i]),
        data => data.number(i).to_string(),
    }
}
