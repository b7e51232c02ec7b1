//! Inputs of which each block is a row, a part of one, or a number.

use super::*;

#[test]
fn rows_and_numbers_of_rows_are_read_where_they_lie() {
    for width in [63, 64, 128, 200, 521, 784, 1000, 1024] {
        for dtype in [DType::F32, DType::F64, DType::U8] {
            let (rows, len) = (7, 7 * width);
            let of = |len: usize, seed: usize, at: usize, steps: [isize; 2]| {
                let axes = [rows, width].into_iter().zip(steps).map(|(size, step)| Axis { size, step });
                Source::Memory(numbers(dtype, len, seed), at, axes.collect())
            };
            let apart = width as isize + 5;
            let inputs = [
                of(7 * (width + 5), 1, 3, [apart, 1]),
                of(rows, 2, 0, [1, 0]),
                of(width, 3, 0, [0, 1]),
                Source::row(numbers(dtype, len, 4)),
                of(len, 5, len - width, [-(width as isize), 1]),
            ];
            let add = |a, b| Instruction::new(Binary::Add, dtype, &[a, b]);
            let code = [
                add(In(0), In(1)),
                Instruction::new(Binary::Mul, dtype, &[Reg(0), In(2)]),
                Instruction::new(Binary::Max, dtype, &[In(1), In(4)]),
                add(Reg(1), Reg(2)),
                Instruction::new(Unary::Abs, dtype, &[In(1)]),
                add(Reg(4), In(3)),
            ];
            check(&format!("rows of {width}, {dtype}"), len, &inputs, &code, &[3, 5, 2], &[(0, 3)]);
        }
    }
}
