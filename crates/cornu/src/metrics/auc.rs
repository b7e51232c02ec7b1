//! The area under a curve of decisions at all thresholds.

use cornu_graph::{Tensor, Type};

use super::confusion::Decisions;
use super::{Direction, Metric, Total};
use crate::losses::same_rank;

/// How far the first and the last threshold lie beyond 0 and 1.
const EPSILON: f64 = 1e-7;

crate::names! {
    /// Which curve.
    "\"ROC\" or \"PR\"" pub enum Curve {
        /// True positives among all positives, over false positives among all negatives.
        Roc = "ROC",
        /// Precision over recall.
        Pr = "PR",
    }
}

crate::names! {
    /// How the area between two thresholds is found.
    "\"interpolation\", \"majoring\" or \"minoring\"" pub enum Summation {
        /// By the mean of both heights; of precision over recall as Davis and Goadrich (2006) do.
        Interpolation = "interpolation",
        /// By the greater height.
        Majoring = "majoring",
        /// By the smaller height.
        Minoring = "minoring",
    }
}

crate::config! {
    /// The area under the curve of decisions at many thresholds: how well predictions tell two classes apart.
    "keras.metrics" pub struct AUC {
        /// The name in logs and files.
        name: String = "auc".into(),
        /// The type of the figures; only `float32` is known.
        dtype: String = "float32".into(),
        /// How many thresholds there are, evenly from 0 to 1.
        num_thresholds: usize = 200,
        /// Which curve.
        curve: Curve = Curve::Roc,
        /// How the area between two thresholds is found.
        summation_method: Summation = Summation::Interpolation,
        /// Whether each label has a curve of its own, of whose areas the figure is the mean.
        multi_label: bool = false,
        /// How many labels there are; found by itself.
        num_labels: Option<usize> = None,
        /// What each label counts.
        label_weights: Option<Vec<f64>> = None,
        /// Whether predictions are what goes into a sigmoid.
        from_logits: bool = false,
        /// The thresholds between 0 and 1, if they are not even.
        thresholds: Option<Vec<f64>> = None => HIDE_NULL,
    }
}

impl AUC {
    fn all_thresholds(&self) -> Vec<f64> {
        let last = self.num_thresholds.max(2) - 1;
        let mut inner: Vec<f64> = match &self.thresholds {
            Some(own) => own.clone(),
            None => (1..last).map(|i| i as f64 / last as f64).collect(),
        };
        inner.sort_by(f64::total_cmp);
        [vec![-EPSILON], inner, vec![1.0 + EPSILON]].concat()
    }

    fn weights_of_labels(&self, like: &Tensor) -> Option<Tensor> {
        let own = self.label_weights.as_ref()?;
        let own = cornu_graph::Array::vector(own.iter().map(|&weight| weight as f32).collect());
        Some(like.trace().constant(own))
    }

    /// The areas between thresholds under precision over recall.
    fn interpolated(counts: &[Tensor; 4]) -> Tensor {
        let [tp, fp, _, missed] = counts;
        let (positive, (low, high)) = (tp + fp, ends(tp));
        let (p_low, p_high) = ends(&positive);
        let (dtp, dp) = (&low - &high, &p_low - &p_high);
        let slope = dtp.div_no_nan(&dp.maximum(0.0));
        let intercept = &high - &slope * &p_high;
        let ratio = p_low.div_no_nan(&p_high.maximum(0.0));
        let both = p_low.minimum(&p_high).gt(0.0);
        let ratio = both.select(&ratio, ratio.number(1.0));
        let (_, all) = ends(&(tp + missed));
        (slope * (dtp + intercept * ratio.log())).div_no_nan(&all.maximum(0.0))
    }
}

/// All but the last, and all but the first.
fn ends(x: &Tensor) -> (Tensor, Tensor) {
    let count = x.dim(0);
    (x.slice_axis(0, 0..count - 1), x.slice_axis(0, 1..count))
}

impl Metric for AUC {
    fn key(&self) -> &str {
        &self.name
    }

    fn direction(&self) -> Option<Direction> {
        Some(Direction::Up)
    }

    fn state(&self, _: &Type, y_pred: &Type) -> Vec<Total> {
        let mut shape = vec![self.all_thresholds().len()];
        shape.extend(self.multi_label.then(|| y_pred.shape.last().copied().unwrap_or(1)));
        let names = ["true_positives", "false_positives", "true_negatives", "false_negatives"];
        names.map(|name| Total::zeros(name, shape.clone())).into()
    }

    #[track_caller]
    fn update(&self, state: &[Tensor], y: &Tensor, p: &Tensor, weights: Option<&Tensor>) -> Vec<Tensor> {
        let (y, p) = same_rank(y, p);
        let p = if self.from_logits { p.sigmoid() } else { p };
        let mut decisions = Decisions::new(&y, &p, weights, &self.all_thresholds(), self.multi_label);
        if let Some(own) = self.weights_of_labels(&p).filter(|_| !self.multi_label) {
            decisions = decisions.weighted(&own.broadcast_to(p.shape()).reshape([1, p.shape().size()]));
        }
        let counts = [(true, true), (false, true), (false, false), (true, false)];
        state.iter().zip(counts).map(|(total, (truth, positive))| total + decisions.count(truth, positive)).collect()
    }

    fn result(&self, state: &[Tensor]) -> Tensor {
        let counts: [Tensor; 4] = std::array::from_fn(|i| state[i].clone());
        let [tp, fp, tn, missed] = &counts;
        let recall = tp.div_no_nan(&(tp + missed));
        let (x, y) = match self.curve {
            Curve::Roc => (fp.div_no_nan(&(fp + tn)), recall),
            Curve::Pr => (recall, tp.div_no_nan(&(tp + fp))),
        };
        let ((left, right), (low, high)) = (ends(&x), ends(&y));
        let areas = match self.summation_method {
            Summation::Interpolation if self.curve == Curve::Pr => AUC::interpolated(&counts),
            Summation::Interpolation => (left - right) * ((low + high) / 2.0),
            Summation::Majoring => (left - right) * low.maximum(&high),
            Summation::Minoring => (left - right) * low.minimum(&high),
        };
        let area = areas.sum([0]);
        match self.weights_of_labels(&area).filter(|_| self.multi_label) {
            Some(own) => (&area * &own).sum_all().div_no_nan(&own.sum_all()),
            None if self.multi_label => area.mean([0]),
            None => area,
        }
    }
}
