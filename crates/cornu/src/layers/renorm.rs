//! Batch renormalization (Ioffe 2017): batches corrected towards running means of their own.

use cornu_graph::{Error, Result, Tensor};

use super::moments::keep;
use crate::config::Dictionary;
use crate::trace::Cx;

/// How batches are corrected.
pub(super) struct Renorm<'a> {
    /// What is added to the variance.
    pub(super) epsilon: f64,
    /// How much stays at each step of the running variance, and of the running means of its own.
    pub(super) momentum: f64,
    pub(super) own: f64,
    /// The ends of the correction: `rmax`, `rmin`, `dmax`.
    pub(super) clipping: Option<&'a Dictionary<f64>>,
}

impl Renorm<'_> {
    fn end(&self, name: &str) -> Option<f64> {
        self.clipping.and_then(|ends| ends.get(name))
    }

    /// Whether the ends fit each other.
    ///
    /// # Errors
    /// Ends that do not, or others than there are.
    pub(super) fn check(&self) -> Result<()> {
        let Some(clipping) = self.clipping else { return Ok(()) };
        let [rmax, rmin, dmax] = ["rmax", "rmin", "dmax"].map(|name| self.end(name));
        let known = [rmax, rmin, dmax].into_iter().flatten().count();
        if known == clipping.0.len() && (rmax.is_none() || rmax >= rmin) && dmax.is_none_or(|dmax| dmax >= 0.0) {
            return Ok(());
        }
        let needed = "`renorm_clipping` needs `rmax` of `rmin` or more, `dmax` of 0 or more, and nothing else";
        Err(Error::usage(format!("{needed}, got {clipping}")))
    }

    /// What batch renormalization multiplies by and adds, held fixed; its running means, and the variance, move on.
    pub(super) fn corrections(
        &self,
        cx: &mut Cx,
        [mean, variance]: [&Tensor; 2],
        states: &[Tensor; 3],
        kept: &Tensor,
    ) -> [Tensor; 2] {
        let stddev = (variance + self.epsilon).sqrt();
        let [_, running_mean, running_stddev] = states.each_ref().map(|state| state.cast(mean.dtype()));
        let floor = running_stddev.maximum(self.epsilon.sqrt());
        let [r, d] = [&stddev / &floor, (mean - running_mean) / floor].map(|t| t.stop_gradient());
        keep(cx, &states[1], mean, self.own);
        keep(cx, &states[2], &stddev, self.own);
        let variance = keep(cx, &states[0], &stddev, self.momentum).square() - self.epsilon;
        cx.update(kept, variance.maximum(0.0).cast(kept.dtype()));
        let end = |name: &str, none: f64| self.end(name).unwrap_or(none);
        let d_end = end("dmax", f64::INFINITY);
        [r.maximum(end("rmin", 0.0)).minimum(end("rmax", f64::INFINITY)), d.maximum(-d_end).minimum(d_end)]
    }
}
