//! The random streams of a model that follows Keras 2, where each trace of the training step has its own.
//!
//! TensorFlow traces the step anew for data of another kind: other element types, weights where there were none, or
//! batches of another size. The second size of a kind is traced for batches of any size. All this was measured on Keras
//! 2.13; `tests/main/dropout.rs` has the figures. Nothing else in this crate knows of it.

use cornu_graph::{Array, DType, Result, Type};
use serde_json::{Value, json};

use super::feed::Fed;
use super::stage::Stage;
use crate::choice::Choice;
use crate::metrics::Metric;
use crate::random::{OpSeed, Seeds};
use crate::variables::{Variables, locked};

/// What decides which streams a training step of Keras 2 draws from.
#[derive(Default)]
pub(crate) struct Keras2Streams {
    /// The traces since the model was compiled.
    traces: Vec<Traced>,
    /// Whose streams the session has; none of theirs during a fit with seeds of its own and after it.
    current: Option<usize>,
    /// Whether the optimizer had its variables before the first trace, as in a model that was loaded.
    has_optimizer: bool,
    /// Whether the metrics that go by name were looked up before it, by an evaluation.
    has_metrics: bool,
    /// How often a seed had been set when the streams last started.
    generation: u64,
    forward: Forward,
}

/// For batches of how many rows TensorFlow has traced a forward pass that was not told the shape of its input.
#[derive(Clone, Copy, Default)]
enum Forward {
    /// Of any number; or the model was told.
    #[default]
    ForAny,
    /// Of just as many.
    For(usize),
    /// It is to be traced for the next batches.
    ToCome,
}

/// A trace of the training step.
struct Traced {
    /// What a sample consists of.
    kind: Vec<Type>,
    /// The rows of a batch, if it is for one size only.
    rows: Option<usize>,
    /// The seeds of its streams.
    seeds: Vec<OpSeed>,
    /// The streams at their start, once the model's seeds have been used. A trace keeps the seed that was set then.
    start: Option<Vec<Array>>,
    /// The streams while another trace is current.
    now: Vec<Array>,
}

/// A training that is about to start: what decides which trace it takes.
pub(crate) struct Training<'a> {
    /// What a sample consists of.
    pub(crate) kind: Vec<Type>,
    /// The rows of each batch, if all have as many.
    pub(crate) rows: Option<usize>,
    /// The state of the generators.
    pub(crate) seeds: &'a Seeds,
    /// Whether those are the fit's own: streams start by them and are given up afterwards; the model's go on later where
    /// they were.
    pub(crate) own: bool,
    /// Whether a metric goes by name, so that it is made by the first trace.
    pub(crate) names_metrics: bool,
}

impl Traced {
    fn start(&self, seeds: &Seeds) -> Vec<Array> {
        self.seeds.iter().map(|seed| seed.start(seeds)).collect()
    }
}

impl Forward {
    /// Batches of `rows` rows each, or of several sizes, come; says whether the pass is traced again, for any. That is
    /// once, for the first that are not as those before.
    fn meet(&mut self, rows: Option<usize>) -> bool {
        let before = *self;
        *self = match (before, rows) {
            (Forward::ToCome, Some(rows)) => Forward::For(rows),
            (Forward::For(traced), Some(rows)) if rows == traced => before,
            _ => Forward::ForAny,
        };
        matches!((before, *self), (Forward::For(_), Forward::ForAny))
    }
}

impl Keras2Streams {
    /// The model was compiled, or its layers are others: the step is traced anew.
    pub(crate) fn forget_traces(&mut self) {
        *self = Keras2Streams { forward: self.forward, ..Keras2Streams::default() };
    }

    /// The optimizer has its variables.
    pub(crate) fn restored(&mut self) {
        self.has_optimizer = true;
    }

    /// A model that was not told the shape of its input was built, by data to train on or by other data.
    pub(crate) fn built(&mut self, variables: &Variables, to_train: bool) {
        self.forward = Forward::ToCome;
        if to_train {
            // TensorFlow builds it by a trace that it throws away.
            variables.next_trace();
        }
    }

    /// Rows are evaluated, in batches of `rows` each or of several sizes.
    pub(crate) fn evaluating(&mut self, rows: Option<usize>) {
        self.has_metrics = true;
        self.predicting(rows);
    }

    /// Rows are predicted, in batches of `rows` each or of several sizes.
    pub(crate) fn predicting(&mut self, rows: Option<usize>) {
        self.forward.meet(rows);
    }

    /// Takes up the streams for a training.
    ///
    /// # Errors
    /// Those of a session.
    pub(crate) fn training(&mut self, variables: &Variables, training: Training) -> Result<()> {
        let Training { kind, rows, seeds, own, names_metrics } = training;
        if let Some(traced) = self.current.and_then(|current| self.traces.get_mut(current)) {
            traced.now = variables.streams();
        }
        if !own && std::mem::replace(&mut self.generation, seeds.generation()) != seeds.generation() {
            // Setting a seed makes TensorFlow forget how far the streams of its traces have come.
            self.traces.iter_mut().for_each(|traced| traced.now = traced.start.clone().unwrap_or_default());
        }
        let found = self.find(&kind, rows);
        let place = found.unwrap_or_else(|| self.trace(variables, kind, rows, names_metrics));
        let traced = &mut self.traces[place];
        if own {
            self.current = None;
            return variables.set_streams(&traced.start(seeds));
        }
        if traced.start.is_none() {
            traced.now = traced.start(seeds);
            traced.start = Some(traced.now.clone());
        }
        self.current = Some(place);
        variables.set_streams(&traced.now)
    }

    /// The trace for such batches: that for just their size before that for any.
    fn find(&self, kind: &[Type], rows: Option<usize>) -> Option<usize> {
        let find = |rows| self.traces.iter().position(|traced| traced.kind == kind && traced.rows == rows);
        find(rows).or_else(|| find(None))
    }

    /// Adds the trace for such batches.
    fn trace(&mut self, variables: &Variables, kind: Vec<Type>, rows: Option<usize>, names_metrics: bool) -> usize {
        let has_all = self.has_optimizer && (self.has_metrics || !names_metrics);
        if self.traces.is_empty() && !has_all {
            // The first trace finds that the step makes variables, and is thrown away.
            variables.next_trace();
        }
        let rows = rows.filter(|_| self.traces.iter().all(|traced| traced.kind != kind));
        if self.forward.meet(rows) {
            // In training, tracing the forward pass is a trace of its own.
            variables.next_trace();
        }
        self.traces.push(Traced { kind, rows, seeds: variables.next_trace(), start: None, now: Vec::new() });
        self.traces.len() - 1
    }
}

impl Keras2Streams {
    /// As a snapshot has it.
    pub(crate) fn to_json(&self) -> Value {
        let arrays = |arrays: &[Array]| json!(arrays.iter().map(Array::to_vec::<u32>).collect::<Vec<_>>());
        let of = |traced: &Traced| {
            let kind = traced.kind.iter().map(|ty| json!([ty.dtype.keras_name(), ty.shape.to_vec()]));
            json!({
                "kind": kind.collect::<Vec<_>>(),
                "rows": traced.rows,
                "seeds": traced.seeds.iter().map(|seed| seed.to_json()).collect::<Vec<_>>(),
                "start": traced.start.as_deref().map(arrays),
                "now": arrays(&traced.now),
            })
        };
        let forward = match self.forward {
            Forward::ForAny => json!("for any"),
            Forward::For(rows) => json!(rows),
            Forward::ToCome => json!("to come"),
        };
        json!({
            "traces": self.traces.iter().map(of).collect::<Vec<_>>(),
            "current": self.current,
            "has_optimizer": self.has_optimizer,
            "has_metrics": self.has_metrics,
            "forward": forward,
        })
    }

    /// What [`Keras2Streams::to_json`] wrote. The seeds are those of now: how often one was set is no part of it.
    pub(crate) fn from_json(json: &Value, generation: u64) -> Option<Keras2Streams> {
        let arrays = |json: &Value| -> Option<Vec<Array>> {
            let words = |words: &Value| -> Option<Array> {
                let words = words.as_array()?.iter().map(|word| u32::try_from(word.as_u64()?).ok());
                Some(Array::vector(words.collect::<Option<Vec<u32>>>()?))
            };
            json.as_array()?.iter().map(words).collect()
        };
        let ty = |json: &Value| -> Option<Type> {
            let sizes = json[1].as_array()?.iter().map(|size| Some(size.as_u64()? as usize));
            Some(Type::new(DType::from_keras_name(json[0].as_str()?)?, sizes.collect::<Option<Vec<usize>>>()?))
        };
        let of = |json: &Value| -> Option<Traced> {
            Some(Traced {
                kind: json["kind"].as_array()?.iter().map(ty).collect::<Option<_>>()?,
                rows: json["rows"].as_u64().map(|rows| rows as usize),
                seeds: json["seeds"].as_array()?.iter().map(OpSeed::from_json).collect::<Option<_>>()?,
                start: if json["start"].is_null() { None } else { Some(arrays(&json["start"])?) },
                now: arrays(&json["now"])?,
            })
        };
        let traces: Vec<Traced> = json["traces"].as_array()?.iter().map(of).collect::<Option<_>>()?;
        let current = json["current"].as_u64().map(|place| place as usize);
        Some(Keras2Streams {
            current: current.filter(|place| *place < traces.len()),
            traces,
            has_optimizer: json["has_optimizer"].as_bool()?,
            has_metrics: json["has_metrics"].as_bool()?,
            generation,
            forward: match &json["forward"] {
                Value::Number(rows) => Forward::For(rows.as_u64()? as usize),
                word if word == "to come" => Forward::ToCome,
                _ => Forward::ForAny,
            },
        })
    }

    /// How often a seed had been set when the streams last started.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }
}

impl Stage<'_> {
    /// Takes up the random streams for training on such data, in batches of `rows` rows each, or of several sizes, if
    /// there are any. `own` are seeds of the fit alone.
    pub(crate) fn take_up_streams(&mut self, data: &Fed, rows: Option<usize>, seeds: &Seeds, own: bool) -> Result<()> {
        self.open()?;
        if !self.variables.has_streams() {
            return Ok(());
        }
        let by_name = |metric: &Choice<dyn Metric>| matches!(metric, Choice::Name(_));
        let names_metrics = self.training.settings().is_some_and(|settings| settings.all_metrics().any(by_name));
        let mut streams = locked(&self.training.streams);
        let Some(streams) = &mut *streams else { return Ok(()) };
        streams.training(self.variables, Training { kind: data.types(0), rows, seeds, own, names_metrics })
    }
}
