//! Loops in layers, and the same steps one by one.

use cornu_graph::{Shape, Tensor, Trace, VarId};

use super::Cx;
use crate::variables::Role;

/// The next carries, and rows of outputs.
type Next = (Vec<Tensor>, Vec<Tensor>);

impl Cx {
    /// [`Trace::scan`] with steps that may ask for all that a layer asks for. What such a step changes of the layer, and of
    /// those within it, is carried from step to step: each step has random numbers of its own. What it draws before the
    /// loop is the same for all.
    #[track_caller]
    pub fn scan(
        &mut self,
        length: usize,
        reverse: bool,
        carries: &[Tensor],
        xs: &[Tensor],
        step: impl FnOnce(&mut Cx, &[Tensor], &[Tensor]) -> Next,
    ) -> Next {
        let kept = self.kept();
        let first: Vec<Tensor> = carries.iter().chain(kept.iter().map(|(_, first)| first)).cloned().collect();
        let (trace, losses, mut changed) = (self.trace.clone(), self.losses.len(), Vec::new());
        let before = (self.updates.clone(), self.updated.clone());
        let body = |inner: &Trace, given: &[Tensor], xs: &[Tensor]| {
            self.trace = inner.clone();
            let (carries, own) = given.split_at(carries.len());
            kept.iter().zip(own).for_each(|((id, _), now)| self.set(*id, now.clone()));
            let (mut next, ys) = step(self, carries, xs);
            let new = kept.iter().map(|(id, first)| self.present(*id, first.ty()));
            next.extend(new);
            changed.extend(next.iter().rev().zip(own.iter().rev()).map(|(new, now)| !new.is(now)));
            (next, ys)
        };
        let (mut last, ys) = trace.scan(length, reverse, &first, xs, body);
        (self.trace, (self.updates, self.updated)) = (trace, before);
        for ((id, _), changed) in kept.iter().rev().zip(changed) {
            let new = last.pop().filter(|_| changed);
            new.into_iter().for_each(|new| self.set(*id, new));
        }
        // A penalty on what is made in a step is no number of the model.
        for loss in self.losses.split_off(losses) {
            match self.trace.takes(&loss, "`add_loss`") {
                Ok(()) => self.losses.push(loss),
                Err(error) => self.fail(error),
            }
        }
        (last, ys)
    }

    /// What the layer and those within it keep, but for weights, as it is now.
    fn kept(&mut self) -> Vec<(VarId, Tensor)> {
        let states = self.scope.state.with_those_within();
        let all = states.iter().flat_map(|state| state.variables().to_vec());
        let kept = all.filter(|kept| kept.role != Role::Weight && kept.is_placed());
        kept.map(|kept| (kept.id(), self.present(kept.id(), kept.ty.clone()))).collect()
    }

    /// The same as [`Cx::scan`], of which each step is part of the graph by itself.
    #[track_caller]
    pub fn unrolled(
        &mut self,
        length: usize,
        reverse: bool,
        carries: &[Tensor],
        xs: &[Tensor],
        mut step: impl FnMut(&mut Cx, &[Tensor], &[Tensor]) -> Next,
    ) -> Next {
        // To find types a loop will do, whose length may be open.
        if self.is_building() || length == 0 {
            return self.scan(length, reverse, carries, xs, step);
        }
        let (mut carries, mut made) = (carries.to_vec(), Vec::new());
        for t in 0..length {
            let t = if reverse { length - 1 - t } else { t };
            let (next, ys) = step(self, &carries, &xs.iter().map(|x| row(x, t)).collect::<Vec<_>>());
            carries = next;
            made.push(ys.into_iter().map(|y| alone(&y)).collect::<Vec<_>>());
        }
        if reverse {
            made.reverse();
        }
        let (first, rest) = made.split_first().expect("a step or more");
        let stacked = |(i, y): (usize, &Tensor)| y.concatenate(&rest.iter().map(|ys| &ys[i]).collect::<Vec<_>>(), 0);
        (carries, first.iter().enumerate().map(stacked).collect())
    }
}

/// A row along the first axis, which disappears.
pub(crate) fn row(x: &Tensor, t: usize) -> Tensor {
    x.slice_axis(0, t..t + 1).reshape(x.shape().without(0))
}

/// With a first axis of one.
fn alone(y: &Tensor) -> Tensor {
    y.reshape([1].into_iter().chain(y.shape().iter().copied()).collect::<Shape>())
}
