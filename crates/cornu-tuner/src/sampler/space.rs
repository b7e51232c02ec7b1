//! The axes in an order in which each comes after those that it depends on; which exist, and what was seen of them.

use super::draw::Draws;
use super::{Axis, Kind, Point, Told, When};

/// The axes of a search.
pub(super) struct Space<'a> {
    axes: &'a [Axis],
    /// Parents first, else by name: the order in which axes were declared changes nothing.
    pub(super) order: Vec<usize>,
}

impl<'a> Space<'a> {
    pub(super) fn new(axes: &'a [Axis]) -> Space<'a> {
        let mut depth = vec![0; axes.len()];
        // A condition on itself, through others, settles nowhere: such an axis never exists.
        for _ in 0..axes.len() {
            for (i, axis) in axes.iter().enumerate() {
                let parents = axis.when.iter().filter_map(|when| depth.get(when.axis));
                depth[i] = parents.map(|depth| depth + 1).max().unwrap_or(0);
            }
        }
        let mut order: Vec<usize> = (0..axes.len()).collect();
        order.sort_by_key(|&i| (depth[i], &axes[i].name));
        Space { axes, order }
    }

    pub(super) fn axis(&self, i: usize) -> &'a Axis {
        &self.axes[i]
    }

    /// Whether other axes exist or not by where this one is.
    pub(super) fn is_parent(&self, i: usize) -> bool {
        self.axes.iter().any(|axis| axis.when.iter().any(|when| when.axis == i))
    }

    /// A point without coordinates.
    pub(super) fn nowhere(&self) -> Point {
        vec![None; self.axes.len()]
    }

    /// Whether axis `i` exists, given the coordinates of those before it.
    pub(super) fn exists(&self, i: usize, point: &Point) -> bool {
        self.axes[i].when.iter().all(|when| {
            point.get(when.axis).copied().flatten().is_some_and(|at| when.among.iter().any(|&c| c as f64 == at))
        })
    }

    /// The coordinate that was told for axis `i`; none if it is none of this axis.
    pub(super) fn seen(&self, i: usize, point: &Point) -> Option<f64> {
        let at = point.get(i).copied().flatten()?;
        let fits = match self.axes[i].kind {
            Kind::Real => (0.0..=1.0).contains(&at),
            Kind::Steps(count) | Kind::Choices(count) => at >= 0.0 && at < count as f64 && at.fract() == 0.0,
        };
        fits.then_some(at)
    }

    /// A point at random, the same for the same seed and trial.
    pub(super) fn draw(&self, seed: u64, trial: u64) -> Point {
        let mut point = self.nowhere();
        for &i in &self.order {
            if self.exists(i, &point) {
                point[i] = Some(any(self.axes[i].kind, &mut Draws::new(seed, trial, &self.axes[i].name)));
            }
        }
        point
    }
}

/// The points of an `answer` that sees the axes in the order of the space, so that sums along axes keep their bits in
/// whatever order these were declared.
pub(super) fn in_order(
    axes: &[Axis],
    told: &[Told],
    answer: impl FnOnce(&[Axis], &[Told]) -> Vec<Point>,
) -> Vec<Point> {
    let order = Space::new(axes).order;
    let place = |i: usize| order.iter().position(|&at| at == i);
    let moved = |when: &When| When { axis: place(when.axis).unwrap_or(usize::MAX), among: when.among.clone() };
    let axis = |&i: &usize| Axis { when: axes[i].when.iter().map(moved).collect(), ..axes[i].clone() };
    let turned = |told: &Told| Told {
        point: order.iter().map(|&i| told.point.get(i).copied().flatten()).collect(),
        outcome: told.outcome,
    };
    let points = answer(&order.iter().map(axis).collect::<Vec<_>>(), &told.iter().map(turned).collect::<Vec<_>>());
    let back = |point: Point| (0..axes.len()).map(|i| point[place(i)?]).collect();
    points.into_iter().map(back).collect()
}

/// Any coordinate of an axis, each as likely as the others.
fn any(kind: Kind, draws: &mut Draws) -> f64 {
    match kind {
        Kind::Real => draws.unit(),
        Kind::Steps(count) | Kind::Choices(count) => draws.below(count) as f64,
    }
}
