//! Matrix products over the last two axes.

use super::*;

/// From so many elements of `b` on executors may make each element of a product of two sums.
pub const LARGE_DOT: usize = 64 * 1024;

/// `a · b` over the last two axes; the axes before them are the same for both and go along. Or over the first two, where
/// those behind them go along: products side by side.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Dot {
    /// Whether `a` is given as `[.., k, m]` instead of `[.., m, k]`.
    pub transpose_a: bool,
    /// Whether `b` is given as `[.., n, k]` instead of `[.., k, n]`.
    pub transpose_b: bool,
    /// Whether the axes that go along are the last ones: `[m, k, ..]` and `[k, n, ..]`.
    pub side_by_side: bool,
}

impl Dot {
    /// By `transpose_a`, twice `transpose_b`, and four times `side_by_side`.
    const NAMES: [&str; 8] = ["dot", "dot_ta", "dot_tb", "dot_ta_tb", "dots", "dots_ta", "dots_tb", "dots_ta_tb"];

    /// The product whose name is at that place.
    fn named(place: usize) -> Dot {
        Dot { transpose_a: place & 1 > 0, transpose_b: place & 2 > 0, side_by_side: place & 4 > 0 }
    }

    /// Where the axes of the matrices begin.
    pub fn matrix(&self, rank: usize) -> usize {
        if self.side_by_side { 0 } else { rank - 2 }
    }

    /// `(batch, m, k, n)`: that many products of `[m, k]` with `[k, n]`; `None` where the operands do not fit.
    pub fn sizes(&self, a: &Shape, b: &Shape) -> Option<(usize, usize, usize, usize)> {
        let rank = a.rank();
        if rank < 2 || b.rank() != rank {
            return None;
        }
        let first = self.matrix(rank);
        let along = |shape: &Shape| [&shape[..first], &shape[first + 2..]].concat();
        let matrix = |shape: &Shape, swapped| {
            let (x, y) = (shape[first], shape[first + 1]);
            if swapped { (y, x) } else { (x, y) }
        };
        let ((m, k), (k2, n)) = (matrix(a, self.transpose_a), matrix(b, self.transpose_b));
        (k == k2 && along(a) == along(b)).then(|| (Shape::from(along(a)).size(), m, k, n))
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
            samples.push(edge(Dot { transpose_a: true, ..Dot::default() }, [shaped([n, 1]), shaped([n, 1])]));
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
        let needed = || {
            let of = |x, y, swapped| if swapped { [y, x] } else { [x, y] }.join(", ");
            let matrices = [of("m", "k", self.transpose_a), of("k", "n", self.transpose_b)];
            let [a, b] = matrices.map(|m| if self.side_by_side { format!("[{m}, ..]") } else { format!("[.., {m}]") });
            mismatch(&format!("{a} and {b}"), args)
        };
        let [a, b] = args else { return Err(needed()) };
        match self.sizes(&a.shape, &b.shape) {
            Some((_, m, _, n)) if a.dtype == b.dtype && a.dtype != DType::Bool => {
                let first = self.matrix(a.rank());
                Ok(Type::new(a.dtype, a.shape.with(first, m).with(first + 1, n)))
            }
            _ => Err(needed()),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let (a, b) = (&x[0], &x[1]);
        let Dot { transpose_a, transpose_b, side_by_side } = *self;
        let dot = |a: &Tensor, b: &Tensor, transpose_a, transpose_b| {
            a.apply_to(Dot { transpose_a, transpose_b, side_by_side }, &[b])
        };
        let da = if transpose_a { dot(b, ct, transpose_b, true) } else { dot(ct, b, false, !transpose_b) };
        let db = if transpose_b { dot(ct, a, true, transpose_a) } else { dot(a, ct, !transpose_a, false) };
        vec![Grad::By(da), Grad::By(db)]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (batch, m, k, n) = self.sizes(args[0].shape(), args[1].shape()).expect("the type rule was asked first");
        let place = |cell, cells, which| if self.side_by_side { cell * batch + which } else { which * cells + cell };
        Array::from_numbers(ty, |at| {
            let (which, cell) = if self.side_by_side { (at % batch, at / batch) } else { (at / (m * n), at % (m * n)) };
            let (row, column) = (cell / n, cell % n);
            let a = |i| if self.transpose_a { i * m + row } else { row * k + i };
            let b = |i| if self.transpose_b { column * k + i } else { i * n + column };
            let pair = |i| (args[0].number(place(a(i), m * k, which)), args[1].number(place(b(i), k * n, which)));
            Dot::sum(ty.dtype, (0..k).map(pair)).computed(ty.dtype)
        })
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Dot { transpose_a, transpose_b, side_by_side } = *self;
        f.write_str(Dot::NAMES[usize::from(transpose_a) + 2 * usize::from(transpose_b) + 4 * usize::from(side_by_side)])
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Dot::NAMES.iter().position(|&name| name == text.name()).map(Dot::named)
    }

    fn samples() -> Vec<Sample> {
        let flags = (0..4).map(Dot::named);
        let sizes = [(1, 1, 1), (3, 4, 5), (10, 8, 12), (1, 9, 33), (17, 3, 1)];
        let swap = |(x, y), swapped| if swapped { [y, x] } else { [x, y] };
        let mut samples: Vec<Sample> = flags
            .flat_map(|op| sizes.map(|(m, k, n)| (op, swap((m, k), op.transpose_a), swap((k, n), op.transpose_b))))
            .map(|(op, a, b)| sample(op, [f32s(a, -1.0, 1.0), f32s(b, 1.0, -1.0)]))
            .collect();
        samples.push(sample(Dot::default(), [f32s([2, 3, 4, 5], -1.0, 1.0), f32s([2, 3, 5, 2], 1.0, -1.0)]));
        let behind = |[x, y]: [usize; 2], count| f32s([x, y, count], -1.0, 1.0);
        samples.extend((4..8).map(Dot::named).flat_map(|op| {
            let shapes = [swap((6, 3), op.transpose_a), swap((3, 7), op.transpose_b)];
            [16, 8, 5, 1].map(|count| sample(op, shapes.map(|shape| behind(shape, count))))
        }));
        for dtype in [DType::F16, DType::Bf16, DType::F64, DType::I32, DType::I64] {
            samples.push(sample(Dot::default(), [spread(dtype, [3, 4], 0.0, 9.0), spread(dtype, [4, 2], 9.0, 0.0)]));
            let several = [spread(dtype, [3, 4, 3], 0.0, 9.0), spread(dtype, [4, 2, 3], 9.0, 0.0)];
            samples.push(sample(Dot::named(4), several));
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
        let dot = Dot { transpose_a, transpose_b, side_by_side: false };
        self.cast(dtype).apply_to(dot, &[&other.cast(dtype)])
    }
}
