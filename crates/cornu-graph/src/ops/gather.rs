//! Rows of a table, by number.

use super::*;

/// `gather(table, rows)`: for each of the whole numbers `rows`, the row of that number along the first axis of `table`;
/// of one number, one slice of a stack.
///
/// A row that is not there is a row of zeros, as in TensorFlow on a graphics card, and takes no gradient. (XLA holds the
/// number within the table: then a wrong number would show, and train, a row that is another one's.) Whoever traces it
/// can ask for a check: [`Trace::require_rows`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Gather;

impl Gather {
    /// The row that a number means in a table of `count` rows.
    #[inline]
    pub fn row(number: Number, count: usize) -> Option<usize> {
        let Number::Whole(row) = number else { return None };
        usize::try_from(row).ok().filter(|&row| row < count)
    }
}

impl OneResult for Gather {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [table, rows] if table.rank() > 0 && rows.dtype.is_whole() => {
                let dims = rows.shape.iter().chain(&table.shape[1..]);
                Ok(Type::new(table.dtype, dims.copied().collect::<Shape>()))
            }
            _ => Err(mismatch("a tensor with rows and whole numbers of rows", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let zeros = ct.number(0.0).broadcast(x[0].shape(), &[]);
        vec![Grad::By(zeros.scatter_add(&x[1], ct)), Grad::Flat]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (table, rows) = (args[0], args[1]);
        let (count, width) = (table.shape()[0], Shape::from(&table.shape()[1..]).size());
        let zero = Number::Whole(0);
        let element = |row, at| table.number(row * width + at % width);
        Array::from_numbers(ty, |at| Gather::row(rows.number(at / width), count).map_or(zero, |row| element(row, at)))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("gather")
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.named("gather").map(|_| Gather)
    }

    fn samples() -> Vec<Sample> {
        let rows = |rows: &[i64], shape: &[usize]| Array::new(shape, rows.to_vec()).expect("as many");
        let inner = copies([
            sample(Gather, [f32s([4, 3], -1.0, 1.0), rows(&[2, 0, 2, 3, 1], &[5])]),
            sample(Gather, [f32s([3], -1.0, 1.0), rows(&[2, 2, 0, 1], &[2, 2])]),
            sample(Gather, [f32s([3, 2, 2], -1.0, 1.0), rows(&[1], &[])]),
            sample(Gather, [f32s([1, 1], -1.0, 1.0), rows(&[0], &[1])]),
            sample(Gather, [f32s([4, 2], -1.0, 1.0), rows(&[4, -1, 3, i64::MIN, i64::MAX], &[5])]),
            sample(Gather, [f32s([14], -1.0, 1.0), rows(&Vec::from_iter((-1..=14).rev()), &[16])]),
            edge(Gather, [f32s([0, 2], 0.0, 1.0), rows(&[0, -1], &[2])]),
        ]);
        let of_rows = DType::ALL.into_iter().filter(|dtype| dtype.is_whole()).flat_map(|dtype| {
            let none = Array::zeros(&Type::new(dtype, [2, 0]));
            [edges(dtype), none].map(|rows| edge(Gather, [f32s([9, 2], -1.0, 1.0), rows]))
        });
        inner.into_iter().chain(of_rows).collect()
    }
}

impl Tensor {
    /// The rows, along the first axis, of those whole numbers; of one number, one slice. A row that is not there is zeros.
    #[track_caller]
    pub fn gather(&self, rows: &Tensor) -> Tensor {
        self.apply_to(Gather, &[rows])
    }

    /// For each of these whole numbers, whether `table` has a row of that number: what [`Tensor::gather`] and
    /// [`Tensor::scatter_add`] need, and a check can ask for.
    #[track_caller]
    pub fn are_rows_of(&self, table: &Tensor) -> Tensor {
        // What no signed number of 64 bits holds comes out below zero.
        let rows = self.cast(DType::I64);
        rows.ge(0).and(rows.lt(table.dim(0) as i64))
    }
}

impl Trace {
    /// Asks that `table` has a row of each of some whole numbers: else a step fails, and says the first number that is of
    /// none, and where it stands along the first axis.
    #[track_caller]
    pub fn require_rows(&self, rows: &Tensor, table: &Tensor) {
        let count = rows.shape().size();
        if count == 0 {
            return;
        }
        let numbers = rows.reshape([count]).cast(DType::I64);
        let there = numbers.are_rows_of(table).cast(DType::I32);
        let first = there.argmin(0);
        let behind = first.number((count / rows.dim(0)) as f64);
        let (row, number) = (first.apply_to(Binary::Div, &[&behind]), numbers.gather(&first));
        let text = format!("needs whole numbers from 0 below {}, got {{}} in row {{}}", table.dim(0));
        self.require(&there.reduce(Reduction::Min, &[0]).eq(1), &text, &[&number, &row]);
    }
}
