//! Convolutions as steps: what is made of a kernel before, and of its gradient after.

use cornu_graph::ops::{ConvWeights, Reduction, Window};
use cornu_graph::{Type, Value};

use crate::jobs;
use crate::kernels::conv::{Convolution, Makes};
use crate::kernels::moves::{Along, Move};
use crate::kernels::operand::Place;
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
        let mut steps = Vec::new();
        if let Some(sizes) = conv.turned() {
            let turned = self.between(kernel);
            steps.push(Step::new(turn(sizes, kernel, turned)));
            kernel = turned;
        }
        let places = if makes == Makes::Output { [from, kernel, out] } else { [out, kernel, from] };
        let kernel = conv.kernel(places.map(|place| place.span), self.ending(job), out.dtype, self.target.level);
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
        let kernel = conv.kernel([args[0], to, args[1]].map(|place| place.span), None, out.dtype, level);
        let mut steps = vec![Step::Kernel(Task::new(kernel))];
        if shards > 1 {
            let all = Type::new(w.dtype, [shards, out.len]);
            steps.push(Step::new(Reduce::new(Reduction::Sum, &all, &[0], [to.span, out.span])));
        }
        steps
    }
}

/// `[taps, c, groups, k]` as `[taps, k, groups, c]`.
fn turn([taps, c, groups, k]: [usize; 4], from: Place, to: Place) -> Move {
    let along = |size: usize, from: usize, to: usize| Along { size, from: from.cast_signed(), to: to.cast_signed() };
    let (row, turned) = (groups * k, groups * c);
    let axes = [along(taps, c * row, k * turned), along(k, 1, turned), along(groups, k, c), along(c, row, 1)];
    Move::new(from.dtype.size(), [from.span, to.span], axes)
}
