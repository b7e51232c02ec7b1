//! Where numbers come from: inputs of the step, variables, constants.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{Grad, OpDef, Sample, copied, edge, mismatch, sample};
use crate::{Array, Buffer, DType, Tensor, Type, VarId};

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
        (0..data.len()).map(move |i| match data {
            Buffer::I64(data) => data[i] as u64,
            _ => data.get(i).to_bits(),
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

impl OpDef for Leaf {
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

    fn samples() -> Vec<Sample> {
        let of = |array| Leaf::Constant(Constant::new(array));
        let inner = [sample(of(Array::scalar(0.5f32)), []), sample(of(Array::vector(vec![3i64, -4])), [])];
        let edges = DType::ALL.map(|dtype| edge(of(copied(dtype)), []));
        inner.into_iter().chain(edges).chain([edge(of(Array::zeros(&Type::f32([0, 2]))), [])]).collect()
    }
}

impl fmt::Display for Leaf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Leaf::Input { index, .. } => write!(f, "input {index}"),
            Leaf::Var { id, .. } => write!(f, "var {id}"),
            Leaf::Constant(constant) => {
                let array = constant.array();
                let shown: Vec<String> = (0..array.len().min(4)).map(|i| show(array.get(i), array.dtype())).collect();
                write!(f, "constant {}{}", shown.join(","), if array.len() > 4 { ",…" } else { "" })
            }
        }
    }
}

/// The shortest text that reads back as the same number.
fn show(value: f64, dtype: DType) -> String {
    if dtype == DType::F32 { format!("{:?}", value as f32) } else { format!("{value}") }
}
