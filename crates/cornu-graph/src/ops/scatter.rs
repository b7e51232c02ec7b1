//! Sums into rows of a table, by number.

use super::*;

/// `scatter_add(table, rows, new)`: the table, with each row of `new` added to the row that its number in `rows` names,
/// in the order of positions. What is for a row that is not there is left out, as in StableHLO.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct ScatterAdd;

impl OneResult for ScatterAdd {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        match args {
            [table, rows, new]
                if table.dtype != DType::Bool && OneResult::infer(&Gather, &[table, rows]).as_ref() == Ok(*new) =>
            {
                Ok((*table).clone())
            }
            _ => Err(mismatch("a tensor of numbers with rows, whole numbers of rows, and as many rows", args)),
        }
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        vec![Grad::By(ct.clone()), Grad::Flat, Grad::By(ct.gather(&x[1]))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (table, rows, new) = (args[0], args[1], args[2]);
        let (count, width) = (ty.shape[0], Shape::from(&ty.shape[1..]).size());
        let mut totals: Vec<Number> = (0..table.len()).map(|i| table.number(i)).collect();
        for (position, row) in (0..rows.len()).filter_map(|i| Some((i, Gather::row(rows.number(i), count)?))) {
            for i in 0..width {
                let total = &mut totals[row * width + i];
                *total = Binary::Add.number(*total, new.number(position * width + i));
            }
        }
        Array::from_numbers(ty, |i| totals[i].computed(ty.dtype))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("scatter_add")
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        text.named("scatter_add").map(|_| ScatterAdd)
    }

    fn samples() -> Vec<Sample> {
        let rows = |rows: &[i64], shape: &[usize]| Array::new(shape, rows.to_vec()).expect("as many");
        let of = |table: &[usize], rows: Array, new: &[usize]| {
            sample(ScatterAdd, [f32s(table, -1.0, 1.0), rows, f32s(new, 1.0, 2.0)])
        };
        let inner = [
            of(&[4, 3], rows(&[2, 0, 2, 3, 2], &[5]), &[5, 3]),
            of(&[3], rows(&[2, 2, 0, 1], &[2, 2]), &[2, 2]),
            of(&[3, 2, 2], rows(&[1], &[]), &[2, 2]),
            of(&[1, 1], rows(&[0], &[1]), &[1, 1]),
            of(&[4, 2], rows(&[4, -1, 3, i64::MIN, i64::MAX], &[5]), &[5, 2]),
        ];
        let numbers = DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool);
        let of_numbers = numbers.flat_map(|dtype| {
            let (all, none) = (edges(dtype), Array::zeros(&Type::new(dtype, [0, 2])));
            let turned = rows(&Vec::from_iter((0..all.len() as i64).rev()), &[all.len()]);
            let empty = [rows(&[], &[0]), rows(&[0, 1], &[2])].map(|rows| {
                let new = spread(dtype, [rows.len(), 2], 0.0, 9.0);
                edge(ScatterAdd, [none.clone(), rows, new])
            });
            [edge(ScatterAdd, [all.clone(), turned, all])].into_iter().chain(empty)
        });
        let of_rows = DType::ALL.into_iter().filter(|dtype| dtype.is_whole()).map(|dtype| {
            let n = edges(dtype).len();
            edge(ScatterAdd, [f32s([9, 2], -1.0, 1.0), edges(dtype), f32s([n, 2], -1.0, 1.0)])
        });
        inner.into_iter().chain(of_numbers).chain(of_rows).collect()
    }
}

impl Tensor {
    /// This, with each row of `new` added to the row, along the first axis, that its number in `rows` names, in the order
    /// of positions. What is for a row that is not there is left out. Types are joined as those of a sum.
    #[track_caller]
    pub fn scatter_add(&self, rows: &Tensor, new: &Tensor) -> Tensor {
        let dtype = self.dtype().joined(new.dtype());
        self.cast(dtype).apply_to(ScatterAdd, &[rows, &new.cast(dtype)])
    }
}
