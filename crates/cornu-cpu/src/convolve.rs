//! Convolutions as steps: what is made of a kernel before, and of its gradient after.

use cornu_graph::ops::{ConvWeights, Reduction, Window};
use cornu_graph::{Type, Value};

use crate::jobs;
use crate::kernels::conv::{Convolution, Makes, Packing};
use crate::kernels::moves::{Along, Move};
use crate::kernels::operand::{Place, Span};
use crate::kernels::parallel::Task;
use crate::kernels::reduce::Reduce;
use crate::lower::Lowering;
use crate::step::Step;

impl Lowering<'_, '_> {
    /// A convolution that slides over images, with what is done to its elements.
    pub(crate) fn conv(&mut self, makes: Makes, window: &Window, groups: usize, job: jobs::Product) -> Vec<Step> {
        let (graph, args) = (self.graph(), &self.graph().node(job.value).args);
        let [source, made] = [args[0], job.value].map(|value: Value| &graph.ty(value).shape);
        let [x, y] = if makes == Makes::Output { [source, made] } else { [made, source] };
        let conv = Convolution::new(makes, window, groups, x, y);
        let [from, mut kernel] = [0, 1].map(|i| self.place(args[i]));
        let out = self.place(job.end.map_or(job.value, |end| end.makes));
        let prepared = conv.prepared(out.dtype, self.target.level);
        let mut steps = Vec::new();
        if let Some(Packing { len, parts }) = prepared.packing {
            let to = self.between(Place { len, ..kernel });
            steps.extend(parts.into_iter().map(|(starts, axes)| Step::new(copy([kernel, to], starts, axes))));
            kernel = to;
        }
        let places = if makes == Makes::Output { [from, kernel, out] } else { [out, kernel, from] };
        let kernel = (prepared.kernel)(places.map(|place| place.span), self.ending(job));
        steps.push(Step::Kernel(Task::new(kernel)));
        steps
    }

    /// The gradient of a kernel: of each shard, then their sum.
    pub(crate) fn conv_weights(
        &mut self,
        op: &ConvWeights,
        types: [&Type; 3],
        args: &[Place],
        out: Place,
    ) -> Vec<Step> {
        let [x, y, w] = types;
        let conv = Convolution::new(Makes::Weights, &op.window, op.groups, &x.shape, &y.shape);
        let (shards, level) = (conv.shards(), self.target.level);
        let to = if shards == 1 { out } else { self.between(Place { len: shards * out.len, ..out }) };
        let kernel = (conv.prepared(out.dtype, level).kernel)([args[0], to, args[1]].map(|place| place.span), None);
        let mut steps = vec![Step::Kernel(Task::new(kernel))];
        if shards > 1 {
            let all = Type::new(w.dtype, [shards, out.len]);
            steps.push(Step::new(Reduce::new(Reduction::Sum, &all, &[0], [to.span, out.span])));
        }
        steps
    }
}

/// A copy of a part of a kernel.
fn copy(places: [Place; 2], starts: [usize; 2], axes: Vec<[usize; 3]>) -> Move {
    let width = places[0].dtype.size();
    let span = |i: usize| Span { at: places[i].span.at + starts[i] * width, ..places[i].span };
    let along = |[size, from, to]: [usize; 3]| Along { size, from: from.cast_signed(), to: to.cast_signed() };
    Move::new(width, [span(0), span(1)], axes.into_iter().map(along))
}
