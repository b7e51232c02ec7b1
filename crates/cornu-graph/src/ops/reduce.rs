//! Sums, maxima and minima along axes, which disappear.

use super::*;

named! {
    /// How elements are brought together.
    Reduction {
        /// Their sum, from the first to the last, beginning with zero; one element by itself is its own sum, as in
        /// TensorFlow. (The sum of -0 and -0 is 0, that of -0 alone -0.)
        Sum = "sum",
        /// The largest; not-a-number if one is; the smallest there is of none.
        Max = "max",
        /// The smallest; not-a-number if one is; the largest there is of none.
        Min = "min",
    }
}

impl Reduction {
    /// The result for no elements at all of that type.
    pub fn start(self, dtype: DType) -> Number {
        match self {
            Reduction::Sum if dtype.is_float() => Number::Double(0.0),
            Reduction::Sum => Number::Whole(0),
            Reduction::Max => Number::smallest(dtype),
            Reduction::Min => Number::largest(dtype),
        }
    }

    /// Takes in one more element.
    #[inline]
    pub fn step(self, total: Number, x: Number) -> Number {
        match self {
            Reduction::Sum => Binary::Add.number(total, x),
            Reduction::Max => Binary::Max.number(x, total),
            Reduction::Min => Binary::Min.number(x, total),
        }
    }
}

/// From so many elements on that lie in a row, executors may make a sum of several.
pub const LONG_ROW: usize = 64;

/// Brings together all elements along `axes`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reduce {
    /// How.
    pub kind: Reduction,
    /// Along which axes, ascending.
    pub axes: Box<[usize]>,
}

impl Reduce {
    /// Whether each result is of one element, and so that element.
    pub fn is_copy(&self, x: &Type) -> bool {
        self.axes.iter().all(|&axis| x.shape[axis] == 1)
    }

    /// Edges by themselves, in pairs, and, of whole numbers, all together; nothing.
    fn edges(kind: Reduction, dtype: DType) -> Vec<Sample> {
        let all = edges(dtype);
        let n = all.len();
        let of = |axes: &[usize], shape: &[usize], array: &Array| {
            edge(Reduce { kind, axes: axes.into() }, [array.clone().reshape(shape).expect("as many")])
        };
        let zeros = |shape: [usize; 2]| Array::zeros(&Type::new(dtype, shape));
        let [a, b] = pairs(&all, &all);
        let two = Array::from_numbers(&Type::new(dtype, [2, n * n]), |i| [&a, &b][i / (n * n)].number(i % (n * n)));
        let mut samples = vec![
            of(&[], &[n], &all),
            of(&[0], &[1, n], &all),
            of(&[1, 2], &[n, 1, 1], &all),
            of(&[0, 2], &[1, n, 1], &all),
            of(&[0], &[2, n * n], &two),
            of(&[0], &[0, 3], &zeros([0, 3])),
            of(&[1], &[0, 3], &zeros([0, 3])),
        ];
        if !dtype.is_float() {
            samples.push(of(&[0], &[n], &all));
        }
        samples
    }

    /// The result's place for the element at flat index `at` of an operand of that type.
    fn target(&self, x: &Type) -> impl Fn(usize) -> usize + use<> {
        let strides = x.shape.strides();
        let mut weights = vec![0; x.rank()];
        let mut size = 1;
        for axis in (0..x.rank()).rev().filter(|axis| !self.axes.contains(axis)) {
            weights[axis] = size;
            size = x.shape[axis].saturating_mul(size);
        }
        let dims = x.shape.to_vec();
        move |at| (0..dims.len()).map(|axis| at / strides[axis] % dims[axis] * weights[axis]).sum()
    }
}

impl OneResult for Reduce {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let rising = self.axes.windows(2).all(|pair| pair[0] < pair[1]);
        match args {
            [x] if x.dtype != DType::Bool && rising && self.axes.last().is_none_or(|&axis| axis < x.rank()) => {
                let kept = (0..x.rank()).filter(|axis| !self.axes.contains(axis));
                Ok(Type::new(x.dtype, kept.map(|axis| x.shape[axis]).collect::<Shape>()))
            }
            _ => Err(mismatch(&format!("numbers with axes {:?}", self.axes), args)),
        }
    }

    fn vjp(&self, x: &[Tensor], y: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let kept: Vec<usize> = (0..x[0].rank()).filter(|axis| !self.axes.contains(axis)).collect();
        let back = |t: &Tensor| t.broadcast(x[0].shape(), &kept);
        vec![Grad::By(match self.kind {
            Reduction::Sum => back(ct),
            // Equal winners share the gradient, divided and multiplied in TensorFlow's order.
            Reduction::Max | Reduction::Min => {
                let won = x[0].eq(back(y)).cast(x[0].dtype());
                let share = ct * (1.0 / won.reduce(Reduction::Sum, &self.axes));
                back(&share) * won
            }
        })]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        if self.is_copy(&args[0].ty()) {
            return args[0].clone().reshape(ty.shape.clone()).expect("axes of size one hold no elements");
        }
        let target = self.target(&args[0].ty());
        let mut totals = vec![self.kind.start(ty.dtype); ty.size()];
        (0..args[0].len()).for_each(|at| totals[target(at)] = self.kind.step(totals[target(at)], args[0].number(at)));
        Array::from_numbers(ty, |i| totals[i].computed(ty.dtype))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "reduce {} {:?}", self.kind.name(), self.axes)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let text = text.named("reduce")?;
        Some(Reduce { kind: text.word("`sum`, `max` or `min`")?, axes: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        const AXES: [&[usize]; 8] = [&[], &[0], &[1], &[2], &[0, 1], &[1, 2], &[0, 2], &[0, 1, 2]];
        let kinds = [Reduction::Sum, Reduction::Max, Reduction::Min];
        let reduce = |kind, axes: &[usize]| Reduce { kind, axes: axes.into() };
        let mut samples: Vec<Sample> = kinds
            .into_iter()
            .flat_map(|kind| AXES.map(|axes| sample(reduce(kind, axes), [f32s([3, 4, 5], -2.0, 2.0)])))
            .collect();
        for dtype in [DType::F16, DType::Bf16, DType::F64, DType::I32, DType::I64] {
            samples.push(sample(reduce(Reduction::Sum, &[0]), [spread(dtype, [4, 3], 0.0, 9.0)]));
            samples.push(sample(reduce(Reduction::Max, &[1]), [spread(dtype, [4, 3], 0.0, 9.0)]));
        }
        samples.push(sample(reduce(Reduction::Sum, &[0]), [f32s([37, 19], -1.0, 1.0)]));
        samples.push(sample(reduce(Reduction::Sum, &[1]), [f32s([5, 130], -1.0, 1.0)]));
        let numbers = DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool);
        samples.extend(numbers.flat_map(|dtype| kinds.into_iter().flat_map(move |kind| Self::edges(kind, dtype))));
        samples
    }
}

impl Tensor {
    /// Brings together all elements along `axes`, which count from zero and ascend.
    #[track_caller]
    pub fn reduce(&self, kind: Reduction, axes: &[usize]) -> Tensor {
        if axes.is_empty() { self.clone() } else { self.apply(Reduce { kind, axes: axes.into() }) }
    }
}
