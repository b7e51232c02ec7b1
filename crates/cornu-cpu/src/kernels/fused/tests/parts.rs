//! Outputs that lie in steps: parts of one matrix, written side by side.

use super::*;

/// Two outputs side by side in rows of `width`, from column 3 on, of an input and its double in so many rows.
fn program(dtype: DType, [rows, columns, width]: [usize; 3]) -> Program {
    let axes: Box<[Axis]> = [Axis { size: rows, step: width as isize }, Axis { size: columns, step: 1 }].into();
    let at = |column: usize| Span { base: 1, at: column * dtype.size() };
    Program {
        inputs: vec![dtype],
        code: vec![
            Instruction::new(Binary::Add, dtype, &[In(0), In(0)]),
            Instruction::new(Binary::Add, dtype, &[Reg(0), In(0)]),
        ],
        outputs: vec![1, 0, 0],
        segments: vec![Segment {
            len: rows * columns,
            inputs: vec![Input::Memory(Strided::whole(Span::of(0), rows * columns))],
            outputs: vec![
                Strided { span: at(3), axes: axes.clone() },
                Strided { span: at(3 + columns), axes },
                Strided::whole(Span::of(2), rows * columns),
            ],
        }],
    }
}

#[test]
fn parts_are_written_where_they_go() {
    for dtype in [DType::F32, DType::F64, DType::U8] {
        for sizes in [
            [1, 1, 9],
            [7, 20, 50],
            [9, 64, 131],
            [5, 128, 260],
            [4, 192, 400],
            [3, 300, 603],
            [3, 1000, 2010],
            [40, 1, 5],
        ] {
            let [rows, columns, width] = sizes;
            let program = program(dtype, sizes);
            let fused = Fused::new(&program).unwrap();
            let x = Array::from_fn(&Type::new(dtype, [rows * columns]), |i| (i % 50) as f64);
            let times = |n: f64| bytes(&Array::from_fn(&x.ty(), |i| (i % 50) as f64 * n));
            let size = dtype.size();
            let mut want = vec![CANARY; rows * width * size];
            for (first, part) in [(3, times(3.0)), (3 + columns, times(2.0))] {
                for (row, part) in part.chunks_exact(columns * size).enumerate() {
                    want[(row * width + first) * size..][..part.len()].copy_from_slice(part);
                }
            }
            let contents = [bytes(&x), vec![CANARY; want.len()], vec![CANARY; bytes(&x).len()]];
            for level in Level::all() {
                let memory = Memory::new(&contents);
                let scratch = Buffer::new("a test", fused.scratch()).unwrap();
                let len = rows * columns;
                for share in [len / 3..len, 0..len / 3] {
                    unsafe { fused.run(level, Bases::new(&memory.pointers), share, scratch.start()) };
                }
                assert_eq!(memory.read(1, want.len()), want, "{dtype}, {sizes:?}, {}", level.name());
                assert_eq!(memory.read(2, contents[0].len()), times(2.0), "{dtype}, {sizes:?}, {}", level.name());
            }
        }
    }
}

#[test]
fn parts_of_two_matrices_lie_one_behind_the_other() {
    let mut program = program(DType::F32, [4, 8, 20]);
    program.segments[0].outputs[1].span.at = 4 * 3 + 4 * 4 * 20;
    Fused::new(&program).expect("outputs apart");
}

#[test]
fn parts_that_meet_are_named() {
    let said = |change: fn(&mut Segment)| {
        let mut program = program(DType::F32, [4, 8, 20]);
        change(&mut program.segments[0]);
        Fused::new(&program).unwrap_err().message().to_owned()
    };
    let meet = "outputs of segments 0 and 0 need memory apart, got an overlap";
    assert_eq!(said(|segment| segment.outputs[1].span.at -= 4), meet);
    assert_eq!(
        said(|segment| segment.outputs[1].span.at += 4 * 8),
        meet,
        "the end of a row is the beginning of the next"
    );
    assert_eq!(said(|segment| segment.outputs[2].span = Span { base: 1, at: 4 * 70 }), meet);
    let over = said(|segment| segment.inputs[0] = Input::Memory(Strided::whole(Span::of(1), 32)));
    assert_eq!(over, "input 0 of segment 0 needs to lie where an output does, or apart, got an overlap");
    let few = said(|segment| segment.outputs[1].axes[1].size = 7);
    assert_eq!(few, "output 1 of segment 0 needs 32 elements, got 28");
    let backwards = said(|segment| segment.outputs[1].axes[0].step = -20);
    assert_eq!(backwards, "output 1 of segment 0 needs steps forwards");
}
