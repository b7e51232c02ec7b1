//! Matrix products over the last two axes.

use super::*;

/// `a · b` over the last two axes; the axes before them are the same for both and go along.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dot {
    /// Whether `a` is given as `[.., k, m]` instead of `[.., m, k]`.
    pub transpose_a: bool,
    /// Whether `b` is given as `[.., n, k]` instead of `[.., k, n]`.
    pub transpose_b: bool,
}

impl Dot {
    const NAMES: [(&str, Dot); 4] = [
        ("dot", Dot { transpose_a: false, transpose_b: false }),
        ("dot_ta", Dot { transpose_a: true, transpose_b: false }),
        ("dot_tb", Dot { transpose_a: false, transpose_b: true }),
        ("dot_ta_tb", Dot { transpose_a: true, transpose_b: true }),
    ];

    /// `(batch, m, k, n)`: that many products of `[m, k]` with `[k, n]`; `None` where the operands do not fit.
    pub fn sizes(&self, a: &Shape, b: &Shape) -> Option<(usize, usize, usize, usize)> {
        let rank = a.rank();
        if rank < 2 || b.rank() != rank || a[..rank - 2] != b[..rank - 2] {
            return None;
        }
        let last_two = |shape: &Shape, swapped| {
            let (x, y) = (shape[rank - 2], shape[rank - 1]);
            if swapped { (y, x) } else { (x, y) }
        };
        let ((m, k), (k2, n)) = (last_two(a, self.transpose_a), last_two(b, self.transpose_b));
        (k == k2).then(|| (Shape::from(&a[..rank - 2]).size(), m, k, n))
    }

    /// Each edge with each; sums of whole numbers that wrap; sums of nothing, and nothing.
    fn edges(dtype: DType) -> Vec<Sample> {
        let n = edges(dtype).len();
        let shaped = |shape: [usize; 2]| edges(dtype).reshape(shape).expect("as many");
        let zeros = |shape: [usize; 2]| Array::zeros(&Type::new(dtype, shape));
        let mut samples = vec![
            edge(Dot::default(), [shaped([n, 1]), shaped([1, n])]),
            edge(Dot::default(), [zeros([2, 0]), zeros([0, 3])]),
            edge(Dot::default(), [zeros([0, 2]), zeros([2, 3])]),
        ];
        if !dtype.is_float() {
            samples.push(edge(Dot { transpose_a: true, transpose_b: false }, [shaped([n, 1]), shaped([n, 1])]));
        }
        samples
    }

    /// The sum of products of pairs of that type, from the first to the last; zero of none.
    pub fn sum(dtype: DType, pairs: impl Iterator<Item = (Number, Number)>) -> Number {
        let start = Reduction::Sum.start(dtype);
        pairs.fold(start, |total, (a, b)| Reduction::Sum.step(total, Binary::Mul.number(a, b)))
    }
}

impl OneResult for Dot {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let needed = match (self.transpose_a, self.transpose_b) {
            (false, false) => "[.., m, k] and [.., k, n]",
            (true, false) => "[.., k, m] and [.., k, n]",
            (false, true) => "[.., m, k] and [.., n, k]",
            (true, true) => "[.., k, m] and [.., n, k]",
        };
        let [a, b] = args else { return Err(mismatch(needed, args)) };
        match self.sizes(&a.shape, &b.shape) {
            Some((_, m, _, n)) if a.dtype == b.dtype && a.dtype != DType::Bool => {
                let rank = a.rank();
                Ok(Type::new(a.dtype, a.shape.with(rank - 2, m).with(rank - 1, n)))
            }
            _ => Err(mismatch(needed, args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let (a, b) = (&x[0], &x[1]);
        let Dot { transpose_a, transpose_b } = *self;
        let da = if transpose_a { b.dot_as(ct, transpose_b, true) } else { ct.dot_as(b, false, !transpose_b) };
        let db = if transpose_b { ct.dot_as(a, true, transpose_a) } else { a.dot_as(ct, !transpose_a, false) };
        vec![Grad::By(da), Grad::By(db)]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (_, m, k, n) = self.sizes(args[0].shape(), args[1].shape()).expect("the type rule was asked first");
        Array::from_numbers(ty, |at| {
            let (batch, row, column) = (at / (m * n), at / n % m, at % n);
            let a = |i| if self.transpose_a { i * m + row } else { row * k + i };
            let b = |i| if self.transpose_b { column * k + i } else { i * n + column };
            let pair = |i| (args[0].number(batch * m * k + a(i)), args[1].number(batch * k * n + b(i)));
            Dot::sum(ty.dtype, (0..k).map(pair)).computed(ty.dtype)
        })
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = Dot::NAMES.iter().find(|(_, dot)| dot == self).map_or("dot", |(name, _)| name);
        f.write_str(name)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.one_of(&Dot::NAMES).map(|(dot, _)| dot)
    }

    fn samples() -> Vec<Sample> {
        let both = [false, true];
        let flags = both.into_iter().flat_map(|transpose_a| both.map(|transpose_b| Dot { transpose_a, transpose_b }));
        let sizes = [(1, 1, 1), (3, 4, 5), (10, 8, 12), (1, 9, 33), (17, 3, 1)];
        let swap = |(x, y), swapped| if swapped { [y, x] } else { [x, y] };
        let mut samples: Vec<Sample> = flags
            .flat_map(|op| sizes.map(|(m, k, n)| (op, swap((m, k), op.transpose_a), swap((k, n), op.transpose_b))))
            .map(|(op, a, b)| sample(op, [f32s(a, -1.0, 1.0), f32s(b, 1.0, -1.0)]))
            .collect();
        samples.push(sample(Dot::default(), [f32s([2, 3, 4, 5], -1.0, 1.0), f32s([2, 3, 5, 2], 1.0, -1.0)]));
        for dtype in [DType::F16, DType::Bf16, DType::F64, DType::I32, DType::I64] {
            samples.push(sample(Dot::default(), [spread(dtype, [3, 4], 0.0, 9.0), spread(dtype, [4, 2], 9.0, 0.0)]));
        }
        samples.extend(DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool).flat_map(Self::edges));
        samples
    }
}

impl Tensor {
    /// Matrix product over the last two axes: `[.., m, k] · [.., k, n]` is `[.., m, n]`; one matrix `[k, n]` is the same for
    /// all axes in front. Types are joined as those of a sum.
    #[track_caller]
    pub fn dot(&self, other: &Tensor) -> Tensor {
        let (shape, k) = (self.shape(), self.dim(-1));
        if shape.rank() < 3 || other.rank() != 2 || k != other.dim(0) {
            return self.dot_as(other, false, false);
        }
        let rows = shape.iter().rev().skip(1).product::<usize>();
        self.reshape([rows, k]).dot_as(other, false, false).reshape(shape.with(shape.rank() - 1, other.dim(-1)))
    }

    /// Matrix product of operands of which either may be given with its last two axes swapped.
    #[track_caller]
    pub fn dot_as(&self, other: &Tensor, transpose_a: bool, transpose_b: bool) -> Tensor {
        let dtype = self.dtype().joined(other.dtype());
        self.cast(dtype).apply_to(Dot { transpose_a, transpose_b }, &[&other.cast(dtype)])
    }
}
