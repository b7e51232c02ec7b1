//! Trials without hope are given up before their end.

/// Says after each epoch whether a trial is given up. It compares costs: less is better.
pub trait Pruner: Send + Sync {
    /// Whether a trial, whose best epoch so far costs `cost`, is given up after that epoch, counted from 0; `others` are what
    /// the best epochs of other trials cost by then, sorted.
    fn prunes(&self, epoch: usize, cost: f64, others: &[f64]) -> bool;

    /// Whether trials count as soon as they have got so far, instead of when they have ended.
    fn counts_at_once(&self) -> bool {
        false
    }
}

/// Gives up what is worse than the median of the trials before, after the same epoch (Golovin, Solnik, Moitra, Kochanski,
/// Karro and Sculley, 2017).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MedianPruner {
    startup_trials: usize,
    warmup_epochs: usize,
}

impl Default for MedianPruner {
    fn default() -> Self {
        MedianPruner { startup_trials: 5, warmup_epochs: 0 }
    }
}

impl MedianPruner {
    /// From the sixth trial on, after each epoch.
    pub fn new() -> MedianPruner {
        MedianPruner::default()
    }

    /// How many trials must have ended before one is given up.
    #[must_use]
    pub fn startup_trials(mut self, trials: usize) -> MedianPruner {
        self.startup_trials = trials;
        self
    }

    /// How many epochs each trial has in any case.
    #[must_use]
    pub fn warmup_epochs(mut self, epochs: usize) -> MedianPruner {
        self.warmup_epochs = epochs;
        self
    }
}

impl Pruner for MedianPruner {
    fn prunes(&self, epoch: usize, cost: f64, others: &[f64]) -> bool {
        let count = others.len();
        if epoch < self.warmup_epochs || count < self.startup_trials.max(1) {
            return false;
        }
        let median = (others[(count - 1) / 2] + others[count / 2]) / 2.0;
        cost > median || cost.is_nan()
    }
}

/// Lets the best part of the trials go on at each rung, whose epochs are powers of a factor (Li, Jamieson, Rostamizadeh,
/// Gonina, Ben-tzur, Hardt, Recht and Talwalkar, 2020). It waits for nobody: the first to come to a rung go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SuccessiveHalvingPruner {
    min_epochs: usize,
    factor: usize,
}

impl Default for SuccessiveHalvingPruner {
    fn default() -> Self {
        SuccessiveHalvingPruner { min_epochs: 1, factor: 4 }
    }
}

impl SuccessiveHalvingPruner {
    /// Rungs after 1, 4, 16, … epochs; a fourth goes on.
    pub fn new() -> SuccessiveHalvingPruner {
        SuccessiveHalvingPruner::default()
    }

    /// The epochs of the first rung.
    #[must_use]
    pub fn min_epochs(mut self, epochs: usize) -> SuccessiveHalvingPruner {
        self.min_epochs = epochs.max(1);
        self
    }

    /// How many times as many epochs the next rung has, and of how many trials one goes on.
    #[must_use]
    pub fn factor(mut self, factor: usize) -> SuccessiveHalvingPruner {
        self.factor = factor.max(2);
        self
    }

    fn is_rung(self, epochs: usize) -> bool {
        let mut rung = self.min_epochs;
        while rung < epochs {
            rung = rung.saturating_mul(self.factor);
        }
        rung == epochs
    }
}

impl Pruner for SuccessiveHalvingPruner {
    fn prunes(&self, epoch: usize, cost: f64, others: &[f64]) -> bool {
        if !self.is_rung(epoch + 1) {
            return false;
        }
        // Of this trial and the others, so many go on.
        let go_on = (others.len() + 1).div_ceil(self.factor);
        let better = others.partition_point(|other| *other <= cost);
        better >= go_on || cost.is_nan()
    }

    fn counts_at_once(&self) -> bool {
        true
    }
}

/// What the best epochs of all trials cost, after each epoch, sorted.
pub(crate) struct Pruning {
    pruner: Box<dyn Pruner>,
    epochs: Vec<Vec<f64>>,
}

impl Pruning {
    pub(crate) fn new(pruner: Box<dyn Pruner>) -> Pruning {
        Pruning { pruner, epochs: Vec::new() }
    }

    pub(crate) fn into_pruner(self) -> Box<dyn Pruner> {
        self.pruner
    }

    fn add(&mut self, epoch: usize, cost: f64) {
        if self.epochs.len() <= epoch {
            self.epochs.resize(epoch + 1, Vec::new());
        }
        let costs = &mut self.epochs[epoch];
        costs.insert(costs.partition_point(|other| *other <= cost), cost);
    }

    /// Whether the trial of those costs is given up, after its last epoch.
    pub(crate) fn prunes(&mut self, costs: &[f64]) -> bool {
        let Some(&cost) = best_so_far(costs).last() else { return false };
        let epoch = costs.len() - 1;
        let prunes = self.pruner.prunes(epoch, cost, self.epochs.get(epoch).map_or(&[], Vec::as_slice));
        if self.pruner.counts_at_once() {
            self.add(epoch, cost);
        }
        prunes
    }

    /// A trial has ended with those costs, in this process or another: `counted`, where it was asked about here.
    pub(crate) fn ended(&mut self, costs: &[f64], counted: bool) {
        if !(counted && self.pruner.counts_at_once()) {
            best_so_far(costs).into_iter().enumerate().for_each(|(epoch, cost)| self.add(epoch, cost));
        }
    }
}

fn best_so_far(costs: &[f64]) -> Vec<f64> {
    let best = costs.iter().scan(f64::INFINITY, |best, cost| {
        *best = best.min(*cost);
        Some(*best)
    });
    best.collect()
}
