//! Where numbers come from: inputs of the step, variables, constants.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::*;

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
}

impl PartialEq for Constant {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.ty() == other.0.ty() && self.0.bits().eq(other.0.bits())
    }
}

impl Eq for Constant {}

impl Hash for Constant {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.ty().hash(state);
        self.0.bits().for_each(|bits| bits.hash(state));
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

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Leaf::Input { index, .. } => write!(f, "input {index}"),
            Leaf::Var { id, .. } => write!(f, "var {id}"),
            Leaf::Constant(constant) => {
                f.write_str(if constant.0.is_empty() { "constant" } else { "constant " })?;
                fmt::Display::fmt(&Elements(&constant.0), f)
            }
        }
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        Some(match text.name() {
            "input" => Leaf::Input { index: text.word("the place of an input")?, ty: ty.clone() },
            "var" => Leaf::Var { id: text.word("a variable")?, ty: ty.clone() },
            "constant" => {
                let array = Array::parse(ty, text.next_word().unwrap_or_default());
                Leaf::Constant(Constant::new(array.or_else(|problem| text.fail(problem).ok_or(())).ok()?))
            }
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
