//! Which Keras a model follows, and every difference between the two: one method each.
//!
//! How progress looks is in `cornu-display`, where weights stand in files in `saving`.

use std::sync::atomic::{AtomicBool, Ordering};

use cornu_display::Style;
use cornu_graph::Tensor;
use cornu_graph::random::Stream;

/// Keras 3 reduces the seeds of stateless operations modulo this number.
pub(crate) const STATELESS_MODULUS: u32 = (1 << 31) - 2;

/// Which Keras to follow: whose random numbers to reproduce, and how to count epochs, losses and penalties where the two
/// differ. It is a value of each model, given when the model is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// Keras 2.13: initializers draw when a weight is created, dropout draws no seed, and each epoch has a new order.
    #[default]
    Keras2,
    /// Keras 3.15: initializers draw when they are made, dropout draws a seed, and each epoch repeats the first order.
    Keras3,
}

use Flavor::{Keras2, Keras3};

/// When seeds are drawn for what has none of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeedsAt {
    /// When a weight is made.
    Weight,
    /// When a layer is made, for all it will ask for.
    Layer,
}

/// Where a layer's random numbers come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    /// A stream that goes on from step to step: `u32[6]`.
    Stream,
    /// A seed and a count of the steps so far: `u32[2]`.
    Count,
}

/// What ends when rows have run out before `steps_per_epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsEnd {
    /// The training, once they have come for each epoch.
    Training,
    /// The epoch.
    Epoch,
}

impl Flavor {
    /// The Keras of the model that a tensor is traced for; Keras 2, if it is traced for none.
    pub fn of(tensor: &Tensor) -> Flavor {
        tensor.trace().context().unwrap_or_default()
    }

    /// The stream of a pair of seeds, which Keras 3 first reduces.
    pub fn stateless(self, seed: [i64; 2]) -> Stream {
        Stream::stateless(match self {
            Keras2 => seed,
            Keras3 => seed.map(|part| part.rem_euclid(STATELESS_MODULUS.into())),
        })
    }

    /// When seeds are drawn.
    pub(crate) fn seeds_at(self) -> SeedsAt {
        match self {
            Keras2 => SeedsAt::Weight,
            Keras3 => SeedsAt::Layer,
        }
    }

    /// Whether seeds come from Python's module `random`, not from a generator of Keras's own.
    pub(crate) fn draws_from_python(self) -> bool {
        self == Keras3
    }

    /// Where the random numbers of a layer come from.
    pub(crate) fn generator(self) -> Generator {
        match self {
            Keras2 => Generator::Stream,
            Keras3 => Generator::Count,
        }
    }

    /// Whether TensorFlow's retracing begins streams anew: see `train/keras2_streams.rs`.
    pub(crate) fn retraces(self) -> bool {
        self == Keras2
    }

    /// Whether each epoch of a fit has the order of the first.
    pub(crate) fn order_repeats(self, seeded: bool) -> bool {
        self == Keras3 && seeded
    }

    /// What ends when rows have run out.
    pub(crate) fn rows_end(self) -> RowsEnd {
        match self {
            Keras2 => RowsEnd::Training,
            Keras3 => RowsEnd::Epoch,
        }
    }

    /// Whether histories and progress have their figures by name.
    pub(crate) fn sorts_figures(self) -> bool {
        self == Keras3
    }

    /// What callbacks call the learning rate among the figures.
    pub(crate) fn learning_rate_key(self) -> &'static str {
        match self {
            Keras2 => "lr",
            Keras3 => "learning_rate",
        }
    }

    /// Whether the best weights come back after every training, or only where one was stopped early.
    pub(crate) fn restores_at_the_end(self) -> bool {
        self == Keras3
    }

    /// Whether callbacks hand the learning rate on as a single, which prints shorter.
    pub(crate) fn rate_is_single(self) -> bool {
        self == Keras2
    }

    /// Whether callbacks tell by the name of a figure which way is better, where nothing else tells.
    pub(crate) fn tells_by_names(self) -> bool {
        self == Keras2
    }

    /// Whether checkpoints are made where the figure that they watch is missing.
    pub(crate) fn saves_without_figure(self) -> bool {
        self == Keras3
    }

    /// Whether checkpoints say when a file is finished.
    pub(crate) fn says_finished(self) -> bool {
        self == Keras3
    }

    /// What checkpoints call the best figure before the first, of those that are better if they are larger or smaller.
    pub(crate) fn no_best(self, upwards: bool) -> &'static str {
        match (self, upwards) {
            (Keras2, true) => "-inf",
            (Keras2, false) => "inf",
            (Keras3, _) => "None",
        }
    }

    /// Whether weights that do not decay are told by their paths, `dense/bias`, or by their own names.
    pub(crate) fn excludes_by_paths(self) -> bool {
        self == Keras2
    }

    /// Whether running means of weights begin with those after the first step, instead of those before.
    pub(crate) fn averages_from_first_step(self) -> bool {
        self == Keras3
    }

    /// Whether images are normalized by TensorFlow's fused operation, which knows no mask, and whose running variance is that
    /// of a sample.
    pub(crate) fn fuses_normalization(self) -> bool {
        self == Keras2
    }

    /// Whether steps that an infinite gradient has undone count.
    pub(crate) fn counts_skipped_steps(self) -> bool {
        self == Keras2
    }

    /// Below which a scale of the loss does not fall.
    pub(crate) fn least_loss_scale(self) -> f64 {
        if self == Keras2 { 1.0 } else { 0.0 }
    }

    /// Whether gradients are multiplied by the reciprocal of the scale, instead of being divided by it.
    pub(crate) fn unscales_by_product(self) -> bool {
        self == Keras2
    }

    /// Its number, for files of this crate.
    pub(crate) fn version(self) -> u64 {
        match self {
            Keras2 => 2,
            Keras3 => 3,
        }
    }

    /// Whether penalties on weights that do not learn count.
    pub(crate) fn penalises_frozen(self) -> bool {
        self == Keras2
    }

    /// Whether clipped probabilities get an epsilon once more inside logarithms.
    pub(crate) fn clips_twice(self) -> bool {
        self == Keras2
    }

    /// Whether a layer that has nothing to do hands on a copy of its input.
    pub(crate) fn copies_what_stays(self) -> bool {
        self == Keras2
    }

    /// Whether layers that merge their inputs look at masks, instead of handing them on.
    pub(crate) fn merges_what_masks_show(self) -> bool {
        self == Keras3
    }

    /// Whether the hard sigmoid goes from 0 to 1 between -2.5 and 2.5, instead of between -3 and 3.
    pub(crate) fn hard_sigmoid_is_steep(self) -> bool {
        self == Keras2
    }

    /// Whether losses are computed in single precision, whatever the predictions are.
    pub(crate) fn casts_for_losses(self) -> bool {
        self == Keras3
    }

    /// Whether metrics take predictions in single precision, whatever they are.
    pub(crate) fn casts_for_metrics(self) -> bool {
        self == Keras2
    }

    /// Whether masks weigh all metrics, instead of those that ask for it.
    pub(crate) fn masks_all_metrics(self) -> bool {
        self == Keras2
    }

    /// Whether a list of metrics is for each of several outputs, instead of having one for each.
    pub(crate) fn spreads_metrics(self) -> bool {
        self == Keras2
    }

    /// Whether the only loss of several outputs is a figure of its own, beside the whole loss.
    pub(crate) fn reports_lone_losses(self) -> bool {
        self == Keras2
    }

    /// Whether the running losses of single outputs count rows, or batches.
    pub(crate) fn weighs_losses_by_rows(self) -> bool {
        self == Keras2
    }

    /// Whether recurrences draw the noise of their dropout outside training too, where it is not used.
    pub(crate) fn draws_noise_outside_training(self) -> bool {
        self == Keras3
    }

    /// Whether cells draw noise for each of their gates, also where one is used for all.
    pub(crate) fn draws_noise_for_each_gate(self) -> bool {
        self == Keras2
    }

    /// Whether the noise of the input is drawn anew for each step of a recurrence that cuDNN has a kernel for.
    pub(crate) fn draws_noise_for_each_step(self) -> bool {
        self == Keras2
    }

    /// Whether a stateful recurrence goes on from what it remembers, unless that is zero, where it is given other states.
    pub(crate) fn remembers_over_given(self) -> bool {
        self == Keras2
    }

    /// Whether a loss that leaves out a class no longer sees the softmax behind the predictions.
    pub(crate) fn ignoring_hides_logits(self) -> bool {
        self == Keras3
    }
}

/// How the progress of such a model looks.
impl From<Flavor> for Style {
    fn from(flavor: Flavor) -> Style {
        match flavor {
            Keras2 => Style::Keras2,
            Keras3 => Style::Keras3,
        }
    }
}

/// Whether new models follow Keras 3.
static NEW_MODELS_FOLLOW_KERAS_3: AtomicBool = AtomicBool::new(false);

/// Chooses which Keras new models follow. Models that there are keep theirs.
pub fn set_flavor(flavor: Flavor) {
    NEW_MODELS_FOLLOW_KERAS_3.store(flavor == Keras3, Ordering::SeqCst);
}

/// Which Keras new models follow.
pub fn flavor() -> Flavor {
    if NEW_MODELS_FOLLOW_KERAS_3.load(Ordering::SeqCst) { Keras3 } else { Keras2 }
}
