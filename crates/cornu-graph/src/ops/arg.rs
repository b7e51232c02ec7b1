//! Where along an axis the largest or smallest element is.

use super::*;

/// The index, along `axis`, of the largest (or smallest) element; of equal ones the first. Not-a-number wins, as in
/// NumPy; TensorFlow passes it over.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Arg {
    /// Whether the largest is asked for.
    pub largest: bool,
    /// Along which axis; it disappears.
    pub axis: usize,
}

impl Arg {
    /// The index of the one that wins among `count` elements.
    pub fn winner<T: PartialOrd + Copy>(&self, count: usize, element: impl Fn(usize) -> T) -> usize {
        let is_nan = |x: T| x.partial_cmp(&x).is_none();
        let better = |new: T, old: T| !is_nan(old) && (is_nan(new) || if self.largest { new > old } else { new < old });
        let first = (0, element(0));
        let best =
            (1..count).map(|i| (i, element(i))).fold(first, |old, new| if better(new.1, old.1) { new } else { old });
        best.0
    }
}

impl OneResult for Arg {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [x] if self.axis < x.rank() && x.shape[self.axis] > 0 => {
                Ok(Type::new(DType::I64, x.shape.without(self.axis)))
            }
            _ => Err(mismatch(&format!("an axis {} with elements", self.axis), args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Grad> {
        vec![Grad::Flat]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let x = args[0];
        let (count, inner) = (x.shape()[self.axis], Shape::from(&x.shape()[self.axis + 1..]).size());
        Array::from_fn(ty, |at| self.winner(count, |i| x.number((at / inner * count + i) * inner + at % inner)) as f64)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", if self.largest { "argmax" } else { "argmin" }, self.axis)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let (largest, text) = text.one_of(&[("argmax", true), ("argmin", false)])?;
        Some(Arg { largest, axis: text.word("an axis")? })
    }

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for largest in [true, false] {
            for axis in 0..3 {
                samples.push(sample(Arg { largest, axis }, [f32s([3, 4, 5], -2.0, 2.0)]));
            }
            samples.push(sample(Arg { largest, axis: 1 }, [spread(DType::I64, [3, 4], 0.0, 3.0)]));
            let ties = Array::new([2, 3], vec![1.0f32, 1.0, 0.0, f32::NAN, 2.0, f32::NAN]).expect("six elements");
            samples.push(edge(Arg { largest, axis: 1 }, [ties]));
            for dtype in DType::ALL {
                let row = |n| [edges(dtype).reshape([1, n]).expect("as many")];
                let n = edges(dtype).len();
                samples.extend([0, 1].map(|axis| edge(Arg { largest, axis }, row(n))));
                samples.push(edge(Arg { largest, axis: 1 }, [Array::zeros(&Type::new(dtype, [0, 3]))]));
            }
        }
        samples
    }
}

impl Tensor {
    /// The index of the largest element along `axis` (negative: from the end), of equal ones the first.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Tensor {
        self.apply(Arg { largest: true, axis: self.axis(axis) })
    }

    /// The index of the smallest element along `axis` (negative: from the end), of equal ones the first.
    #[track_caller]
    pub fn argmin(&self, axis: isize) -> Tensor {
        self.apply(Arg { largest: false, axis: self.axis(axis) })
    }
}
