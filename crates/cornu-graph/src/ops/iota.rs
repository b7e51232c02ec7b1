//! Counting along an axis.

use super::*;

/// 0, 1, 2, … along `axis`, the same along all others; wrapped into types of whole numbers.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Iota {
    /// The type of the result.
    pub ty: Type,
    /// The axis to count along.
    pub axis: usize,
}

impl OneResult for Iota {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [] if self.axis < self.ty.rank() && self.ty.dtype != DType::Bool => Ok(self.ty.clone()),
            _ => Err(mismatch(&format!("an axis {} of {} and no operands", self.axis, self.ty), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Grad> {
        Vec::new()
    }

    fn eval(&self, _: &[&Array], ty: &Type) -> Array {
        let (stride, dim) = (ty.shape.strides()[self.axis], ty.shape[self.axis]);
        Array::from_numbers(ty, |at| Number::Whole((at / stride % dim) as i128))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "iota {}", self.axis)
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        Some(Iota { axis: text.named("iota")?.word("an axis")?, ty: ty.clone() })
    }

    fn samples() -> Vec<Sample> {
        vec![
            sample(Iota { ty: Type::new(DType::I64, [3, 4]), axis: 1 }, []),
            sample(Iota { ty: Type::f32([3, 4]), axis: 0 }, []),
            edge(Iota { ty: Type::new(DType::U8, [300]), axis: 0 }, []),
            edge(Iota { ty: Type::new(DType::I32, [1, 0]), axis: 0 }, []),
        ]
    }
}
