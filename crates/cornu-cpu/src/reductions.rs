//! Reductions as steps, alone and as parts of programs over rows.

use std::collections::HashMap;

use cornu_graph::ops::Op;
use cornu_graph::{Result, Value};

use crate::jobs::Job;
use crate::kernels::dot::Product;
use crate::kernels::moves::Move;
use crate::kernels::operand::{Kernel, Place, Span};
use crate::kernels::over_rows::{Block, OverRows};
use crate::kernels::reduce::Reduce;
use crate::lower::Lowering;
use crate::row_programs::RowProgram;
use crate::step::Step;

impl Lowering<'_, '_> {
    /// A reduction by itself, in one part or two.
    pub(crate) fn reduction(&mut self, value: Value, is_copy: bool, from: Place, to: Place) -> Vec<Step> {
        if is_copy {
            return vec![Step::new(Move::whole(from, to))];
        }
        let kernel = self.reduce(value, [from, to]);
        match kernel.parts() {
            0 => vec![Step::new(kernel)],
            len => kernel.in_parts(self.more(Place { len, ..to }).span).map(Step::new).into(),
        }
    }

    /// A program over rows, with a table of buffers of its own: values between have blocks behind the run's.
    pub(crate) fn over_rows(&mut self, program: &RowProgram) -> Result<Vec<Step>> {
        let graph = self.graph();
        let (mut bases, mut numbers, mut places) = (Vec::new(), HashMap::new(), Vec::new());
        let mut inside = |mut place: Place| {
            place.span.base = *numbers.entry(place.span.base).or_insert_with_key(|&base| {
                bases.push(base);
                bases.len() as u32 - 1
            });
            place
        };
        // The results of blocks, and the steps that bring them together.
        let (mut of_blocks, mut last) = (HashMap::new(), Vec::new());
        for part in program.parts.iter().filter(|_| program.block.is_some()) {
            let &Job::Single(value) = part else { continue };
            let to = self.place(value);
            let all = self.more(Place { len: program.rows * to.len, ..to });
            let [_, second] = self.reduce(value, [to; 2]).in_parts(all.span);
            of_blocks.insert(value, inside(all).span);
            last.push(Step::new(second));
        }
        for value in program.reads.iter().map(|&(value, _)| value).chain(program.writes.iter().copied()) {
            places.push((value, Some(inside(self.place(value)))));
        }
        let together = program.together(graph);
        let (offsets, bytes) = program.blocks(graph, together);
        let mut blocks = Vec::new();
        for ((&(value, _), at), base) in program.between.iter().zip(offsets).zip(bases.len() as u32..) {
            places.push((value, Some(Place::new(graph.ty(value), Span::of(base)))));
            blocks.push(Block { at, row: program.row(graph, value) });
        }
        places.iter_mut().for_each(|(value, place)| std::mem::swap(&mut self.places[value.index()], place));
        let parts = program.parts.iter().map(|part| self.part(part, program, &of_blocks)).collect::<Result<_>>();
        places.iter_mut().for_each(|(value, place)| std::mem::swap(&mut self.places[value.index()], place));
        let first = Step::new(OverRows::new([program.rows, together], bases, (blocks, bytes), parts?));
        Ok(std::iter::once(first).chain(last).collect())
    }

    /// The kernel of a part of a program over rows, and its units of a row.
    fn part(
        &self,
        job: &Job,
        program: &RowProgram,
        of_blocks: &HashMap<Value, Span>,
    ) -> Result<(Box<dyn Kernel>, usize)> {
        let row = |len: usize| program.block.unwrap_or(len / program.rows);
        match job {
            Job::Fused(drafts) => Ok((Box::new(self.fused(drafts)?), row(drafts[0].size))),
            &Job::Single(value) => {
                let from = self.place(self.graph().node(value).args[0]);
                let kernel = self.reduce(value, [from, self.place(value)]);
                let kernel = match of_blocks.get(&value) {
                    Some(&all) => kernel.in_parts(all)[0].clone(),
                    None => kernel,
                };
                let each = kernel.units() / program.rows;
                Ok((Box::new(kernel), each))
            }
            &Job::Product(job) if let Op::Dot(dot) = self.graph().op(job.value) => {
                let product = Product { by_rows: true, ..self.matrices(dot, job) };
                Ok((product.kernel(self.place(job.value).dtype, self.target.level), 1))
            }
            other => unreachable!("{other:?} is no part of a program over rows"),
        }
    }

    fn reduce(&self, value: Value, places: [Place; 2]) -> Reduce {
        let node = self.graph().node(value);
        let Op::Reduce(reduce) = &node.op else { unreachable!("`{}` is no reduction", node.op) };
        Reduce::new(reduce.kind, self.graph().ty(node.args[0]), &reduce.axes, places.map(|place| place.span))
    }
}
