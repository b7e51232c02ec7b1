//! Figures of right and wrong decisions at thresholds: precision and recall.

use cornu_graph::ops::Reduction;
use cornu_graph::{Array, DType, Tensor, Type};

use super::{Direction, Metric, Total};
use crate::config::OneOrMany;
use crate::losses::same_rank;

/// Below every prediction.
const BELOW_ALL: f64 = -1e10;

/// What is decided at thresholds: `[thresholds, samples]`, each with its weight.
pub(super) struct Decisions {
    /// Whether the prediction is above the threshold.
    positive: Tensor,
    /// Whether it should be, `[1, samples]`.
    truth: Tensor,
    weights: Option<Tensor>,
}

impl Decisions {
    /// Of predictions `[n, …]`, each compared with all thresholds. Where labels are told apart, they are the last axis,
    /// `[thresholds, samples, labels]`.
    pub(super) fn new(
        y: &Tensor,
        p: &Tensor,
        weights: Option<&Tensor>,
        thresholds: &[f64],
        by_label: bool,
    ) -> Decisions {
        let p = p.cast(DType::F32);
        let shape = p.shape();
        let labels = if by_label { shape.last().copied().unwrap_or(1) } else { 1 };
        let flat = |x: &Tensor| match by_label {
            true => x.reshape([1, shape.size() / labels.max(1), labels]),
            false => x.reshape([1, shape.size()]),
        };
        let thresholds = Array::vector(thresholds.iter().map(|&x| x as f32).collect());
        let count = thresholds.len();
        let thresholds =
            p.trace().constant(thresholds).reshape(if by_label { vec![count, 1, 1] } else { vec![count, 1] });
        let weights = weights.map(|weights| {
            let mut own = weights.shape().to_vec();
            own.resize(shape.rank().max(own.len()), 1);
            flat(&weights.cast(DType::F32).reshape(own).broadcast_to(shape.clone()))
        });
        Decisions { positive: flat(&p).gt(&thresholds), truth: flat(&y.broadcast_to(shape.clone()).ne(0.0)), weights }
    }

    /// The same, each label with a weight of its own: `[1, samples]`, as they lie.
    pub(super) fn weighted(self, own: &Tensor) -> Decisions {
        let weights = Some(self.weights.map_or_else(|| own.clone(), |weights| weights * own));
        Decisions { weights, ..self }
    }

    /// How many have that truth and are decided so, at each threshold.
    pub(super) fn count(&self, truth: bool, positive: bool) -> Tensor {
        let as_is = |x: &Tensor, wanted: bool| x.cast(DType::F32).eq(if wanted { 1.0 } else { 0.0 }).cast(DType::F32);
        let both = as_is(&self.positive, positive) * as_is(&self.truth, truth);
        let both = self.weights.as_ref().map_or(both.clone(), |weights| both * weights);
        both.reduce(Reduction::Sum, &[1])
    }
}

/// The predictions that are among the `k` largest of their row; the others are below all thresholds.
fn largest(p: &Tensor, k: usize) -> Tensor {
    let classes = p.shape().last().copied().unwrap_or(1);
    let mut rest = p.cast(DType::F32);
    let mut chosen = rest.number(0.0).broadcast_to(rest.shape());
    for _ in 0..k.min(classes) {
        let hot = rest.argmax(-1).one_hot(classes).cast(DType::F32);
        chosen = chosen + &hot;
        rest = hot.gt(0.5).select(rest.number(f64::NEG_INFINITY), &rest);
    }
    chosen.gt(0.5).select(p.cast(DType::F32), p.cast(DType::F32).number(BELOW_ALL))
}

macro_rules! confusion {
    ($($(#[$doc:meta])* $class:ident = $name:literal, $other:literal, $truth:literal, $positive:literal;)*) => { $(
        crate::config! {
            $(#[$doc])*
            "keras.metrics" pub struct $class {
                /// The name in logs and files.
                name: String = $name.into(),
                /// The type of the figures; only `float32` is known.
                dtype: String = "float32".into(),
                /// What a prediction must be above to count as positive, 0.5 where nothing is said; of a list there is a
                /// figure for each, which needs [`Running`](super::Running).
                thresholds: Option<OneOrMany<f64>> = None,
                /// How many of the largest predictions of a row are looked at, if not all.
                top_k: Option<usize> = None,
                /// The one class that is looked at, if not all.
                class_id: Option<usize> = None,
            }
        }

        impl $class {
            fn thresholds_or_default(&self) -> Vec<f64> {
                let default = vec![if self.top_k.is_some() { BELOW_ALL } else { 0.5 }];
                self.thresholds.as_ref().map_or(default, |thresholds| thresholds.as_slice().to_vec())
            }
        }

        impl Metric for $class {
            fn key(&self) -> &str {
                &self.name
            }

            fn direction(&self) -> Option<Direction> {
                Some(Direction::Up)
            }

            fn state(&self, _: &Type, _: &Type) -> Vec<Total> {
                ["true_positives", $other].map(|name| Total::zeros(name, [self.thresholds_or_default().len()])).into()
            }

            #[track_caller]
            fn update(&self, state: &[Tensor], y: &Tensor, p: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
                let (mut y, mut p) = same_rank(y, p);
                p = self.top_k.map_or(p.clone(), |k| largest(&p, k));
                if let Some(class) = self.class_id {
                    let of = |x: &Tensor| x.slice_axis(-1, class..class + 1);
                    (y, p) = (of(&y), of(&p));
                }
                let decisions = Decisions::new(&y, &p, weights, &self.thresholds_or_default(), false);
                vec![&state[0] + decisions.count(true, true), &state[1] + decisions.count($truth, $positive)]
            }

            fn result(&self, state: &[Tensor]) -> Tensor {
                let parts = state[0].div_no_nan(&(&state[0] + &state[1]));
                if parts.dim(0) == 1 { parts.reshape(cornu_graph::Shape::scalar()) } else { parts }
            }
        }
    )* };
}

confusion! {
    // class = name, the variable beside the true positives: of that truth, decided so
    /// How many of those that are taken for positive are.
    Precision = "precision", "false_positives", false, true;
    /// How many of those that are positive are taken for it.
    Recall = "recall", "false_negatives", true, false;
}
