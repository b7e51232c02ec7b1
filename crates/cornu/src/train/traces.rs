//! Keras 2's traces of the training step, each of which has random streams of its own.
//!
//! TensorFlow traces the step anew for data of another kind: other element types, weights where there were none, or
//! batches of another size. The second size of a kind is traced for batches of any size. All this was measured on Keras
//! 2.13; `tests/main/dropout.rs` has the figures.

use cornu_graph::{Array, Result, Type};

use super::Compile;
use super::feed::Data;
use super::step::{Stage, Training};
use crate::choice::Choice;
use crate::metrics::Metric;
use crate::random::Seeds;
use crate::variables::OpSeed;

/// For batches of how many rows Keras 2 has drawn up a model that was not told the shape of its input.
#[derive(Clone, Copy, Default)]
pub(crate) enum Drawn {
    /// Of any number; or the model was told.
    #[default]
    ForAny,
    /// Of just as many.
    For(usize),
    /// It is to be drawn up for the next batches.
    ToCome,
}

/// The traces since the model was compiled.
#[derive(Default)]
pub(crate) struct Traces {
    all: Vec<Trace>,
    /// Whose streams the session has; none of theirs during a fit with seeds of its own and after it.
    current: Option<usize>,
    /// Whether the optimizer had its variables before the first trace, as in a model that was loaded.
    pub(super) has_optimizer: bool,
    /// Whether the metrics that go by name were looked up before it, by an evaluation.
    pub(super) has_metrics: bool,
    /// How often a seed had been set when the streams last started.
    generation: u64,
}

struct Trace {
    /// What a sample consists of.
    kind: Vec<Type>,
    /// The rows of a batch, if it is for one size only.
    rows: Option<usize>,
    /// The seeds of its streams.
    seeds: Vec<OpSeed>,
    /// The streams at their start, once the process's seeds have been used. A trace keeps the seed that was set then.
    start: Option<Vec<Array>>,
    /// The streams while another trace is current.
    now: Vec<Array>,
}

impl Trace {
    fn start(&self, seeds: &Seeds) -> Vec<Array> {
        self.seeds.iter().map(|seed| seed.start(seeds)).collect()
    }
}

impl Traces {
    /// The trace for such batches: that for just their size before that for any.
    fn find(&self, kind: &[Type], rows: Option<usize>) -> Option<usize> {
        let find = |rows| self.all.iter().position(|trace| trace.kind == kind && trace.rows == rows);
        find(rows).or_else(|| find(None))
    }
}

impl Drawn {
    /// Batches of `rows` rows each, or of several sizes, come; says whether the model is drawn up again, for any. That
    /// is once, for the first that are not as those before.
    pub(super) fn meet(&mut self, rows: Option<usize>) -> bool {
        let before = *self;
        *self = match (before, rows) {
            (Drawn::ToCome, Some(rows)) => Drawn::For(rows),
            (Drawn::For(drawn), Some(rows)) if rows == drawn => before,
            _ => Drawn::ForAny,
        };
        matches!((before, *self), (Drawn::For(_), Drawn::ForAny))
    }
}

impl Stage<'_> {
    /// Takes up the streams for training on such data, in batches of `rows` rows each, or of several sizes. With seeds of
    /// one's `own`, streams start by them and are given up afterwards; the process's go on later where they were.
    pub(super) fn enter_trace(&mut self, data: &Data, rows: Option<usize>, seeds: &Seeds, own: bool) -> Result<()> {
        self.open()?;
        if !self.variables.has_streams() {
            return Ok(());
        }
        let named = self.training.settings().is_some_and(names_metrics);
        let Stage { variables, training: Training { traces, drawn, .. }, .. } = self;
        let kind = data.types(0);
        if let Some(trace) = traces.current.and_then(|current| traces.all.get_mut(current)) {
            trace.now = variables.streams();
        }
        if !own && std::mem::replace(&mut traces.generation, seeds.generation()) != seeds.generation() {
            // Setting a seed makes TensorFlow forget how far the streams of its traces have come.
            traces.all.iter_mut().for_each(|trace| trace.now = trace.start.clone().unwrap_or_default());
        }
        let place = traces.find(&kind, rows).unwrap_or_else(|| {
            let is_complete = traces.has_optimizer && (traces.has_metrics || !named);
            if traces.all.is_empty() && !is_complete {
                // The first trace finds that the step makes variables, and is thrown away.
                variables.next_trace();
            }
            let rows = rows.filter(|_| traces.all.iter().all(|trace| trace.kind != kind));
            if drawn.meet(rows) {
                // In training, drawing up the model is a trace of its own.
                variables.next_trace();
            }
            traces.all.push(Trace { kind, rows, seeds: variables.next_trace(), start: None, now: Vec::new() });
            traces.all.len() - 1
        });
        let trace = &mut traces.all[place];
        if own {
            traces.current = None;
            return variables.set_streams(&trace.start(seeds));
        }
        if trace.start.is_none() {
            trace.now = trace.start(seeds);
            trace.start = Some(trace.now.clone());
        }
        traces.current = Some(place);
        variables.set_streams(&trace.now)
    }
}

/// Whether a metric goes by name.
fn names_metrics(settings: &Compile) -> bool {
    let by_name = |metric: &Choice<dyn Metric>| matches!(metric, Choice::Name(_));
    settings.metrics.iter().chain(&settings.weighted_metrics).any(by_name)
}
