//! Everything that training remembers, in a file: a zip archive of `.npy` arrays and a JSON text.

use std::path::Path;

use cornu_files::bundle::Bundle;
use cornu_graph::{Array, Context, Error, Result};
use serde_json::{Value, json};

use super::Scores;
use super::callback::{At, Memory};
use crate::model::Model;
use crate::step::{Ended, History, OptimizerState};
use crate::variables::Named;

/// What the text calls itself.
const FORMAT: &str = "cornu snapshot";

/// Other versions are refused.
const VERSION: u64 = 1;

/// From where a fit goes on: what was read and looked at.
pub(super) struct Resumed {
    /// Epochs that are done, and batches of the next.
    pub(super) epoch: usize,
    pub(super) batch: usize,
    /// Batches in all, and the epoch that the training began with.
    pub(super) seen: usize,
    pub(super) first: usize,
    /// Where the order of rows stands.
    pub(super) order: Value,
    /// The history so far.
    pub(super) epochs: Vec<usize>,
    pub(super) figures: Vec<(String, Vec<f64>)>,
    /// What callbacks had seen.
    pub(super) memories: Vec<Memory>,
    state: Remembered,
}

/// What the model is to remember.
struct Remembered {
    variables: Vec<Array>,
    optimizer: OptimizerState,
    totals: Vec<Array>,
    /// The seeds of streams, and when streams begin anew.
    streams: Value,
    retraces: Value,
}

/// Where a training is, and on what data.
pub(super) fn position(at: &At) -> Value {
    json!({
        "epoch": at.epoch,
        "batch": at.batch,
        "seen": at.seen,
        "first": at.first,
        "data": at.feeding.told(),
        "order": at.feeding.position(),
    })
}

/// Saves what a model that trains remembers; `logs` are figures of an epoch that has just ended.
pub(super) fn save(model: &Model, at: &At, logs: Option<&Scores>, memories: &[Memory], path: &Path) -> Result<()> {
    let mut history = at.history.clone();
    if let Some(logs) = logs {
        history.push(at.epoch - 1, logs);
    }
    write(model, &history, &position(at), memories, path)
}

impl Model {
    /// Everything that the last [`fit`](Model::fit) remembers, in a file from which another goes on as if it were the same
    /// ([`Fit::resume`](super::Fit::resume)). While it trains, a callback saves it by
    /// [`Control::save_snapshot`](super::Control::save_snapshot).
    ///
    /// ```
    /// use cornu::prelude::*;
    /// # let path = std::env::temp_dir().join("cornu-doc.snapshot");
    /// # let (x, y) = ([[0.0], [1.0], [2.0]], [1.0, 3.0, 5.0]);
    /// # let model = || -> cornu::Result<Sequential> {
    /// # let mut model = sequential![Dense::new(1).input_shape([1]).kernel_initializer("ones")];
    /// # model.compile(Compile::new().loss("mse").optimizer("adam"))?;
    /// # Ok(model)
    /// # };
    /// # let (mut first, mut second) = (model()?, model()?);
    /// first.fit(&x, &y, Fit::new().epochs(3).verbose(0))?;
    /// first.save_snapshot(&path)?;
    /// // In another process, with the same model and data:
    /// let history = second.fit(&x, &y, Fit::new().epochs(6).verbose(0).resume(&path))?;
    /// assert_eq!(history.epoch, [0, 1, 2, 3, 4, 5]);
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// A model that was not fitted, and a place that cannot be written to, where an old file stays as it is.
    pub fn save_snapshot(&self, path: impl AsRef<Path>) -> Result<()> {
        let missing = || Error::usage("`save_snapshot` needs a model that was fitted").help("call `fit` first");
        let Ended { history, position, memories } = self.training().ended().ok_or_else(missing)?;
        if position["order"].is_null() {
            return Err(Error::usage("a snapshot needs a source that says where it stands"));
        }
        let memories = memories.downcast_ref::<Vec<Memory>>().map_or(&[][..], Vec::as_slice);
        write(self, &history, &position, memories, path.as_ref())
    }
}

/// What tells a variable: its name in the layer, type and purpose. Names of models and layers may be others.
fn told(variable: &Named) -> Value {
    json!([variable.name, variable.ty.to_string(), format!("{:?}", variable.role)])
}

/// What tells the optimizer: its class, and its settings but for its name.
fn optimizer(model: &Model) -> Result<Value> {
    let compiled = model.training().compiled("a snapshot")?;
    let mut settings = compiled.optimizer.to_json();
    settings.shift_remove("name");
    Ok(json!([compiled.optimizer.class_name(), settings]))
}

fn write(model: &Model, history: &History, position: &Value, memories: &[Memory], path: &Path) -> Result<()> {
    let (variables, training) = (model.variables(), model.training());
    let mut arrays = Vec::new();
    for (i, variable) in variables.all().iter().enumerate() {
        arrays.push((format!("variables/{i}"), variable.value().context(&variable.path)?));
    }
    let state = model.optimizer_state().ok_or_else(|| Error::usage("a snapshot needs a model that was trained"))?;
    arrays.push(("optimizer/iterations".into(), Array::scalar(state.iterations)));
    arrays.push(("optimizer/learning_rate".into(), Array::scalar(state.learning_rate)));
    let slots = state.slots.into_iter().enumerate();
    arrays.extend(slots.map(|(i, (.., value))| (format!("optimizer/slots/{i}"), value)));
    let totals = model.stage().totals()?;
    arrays.extend(totals.into_iter().enumerate().map(|(i, total)| (format!("totals/{i}"), total)));
    let figures = history.iter().enumerate();
    arrays.extend(figures.map(|(i, (_, values))| (format!("history/{i}"), Array::vector(values.to_vec()))));
    for (i, memory) in memories.iter().enumerate() {
        arrays.push((format!("callbacks/{i}/numbers"), Array::vector(memory.numbers.clone())));
        let own = memory.arrays.iter().enumerate();
        arrays.extend(own.map(|(j, array)| (format!("callbacks/{i}/{j}"), array.clone())));
    }
    let told_of = |memory: &Memory| json!([memory.class, memory.arrays.len()]);
    let text = json!({
        "format": FORMAT,
        "version": VERSION,
        "cornu": env!("CARGO_PKG_VERSION"),
        "flavor": model.flavor().version(),
        "variables": variables.all().iter().map(told).collect::<Vec<_>>(),
        "optimizer": optimizer(model)?,
        "streams": variables.stream_seeds(),
        "retraces": training.streams(),
        "position": position,
        "history": { "epoch": history.epoch, "keys": history.keys() },
        "callbacks": memories.iter().map(told_of).collect::<Vec<_>>(),
    });
    Bundle { text, arrays }.save(path)
}

/// Reads a snapshot, and looks whether it is of that model and fit.
pub(super) fn load(model: &Model, at: &At, path: &Path) -> Result<Resumed> {
    Bundle::open(path).and_then(|bundle| read(model, at, bundle)).context(format_args!("`{}`", path.display()))
}

fn read(model: &Model, at: &At, mut bundle: Bundle) -> Result<Resumed> {
    let text = std::mem::take(&mut bundle.text);
    check(model, at, &text)?;
    let variables = model.variables();
    let value = |bundle: &mut Bundle, i: usize, variable: &Named| {
        let array = bundle.take(&format!("variables/{i}"))?.cast(variable.ty.dtype);
        let fits = array.ty() == variable.ty;
        if fits {
            Ok(array)
        } else {
            Err(Error::file(format!("`{}` needs {}, got {}", variable.path, variable.ty, array.ty())))
        }
    };
    let all = variables.all().iter().enumerate();
    let values = all.map(|(i, variable)| value(&mut bundle, i, variable)).collect::<Result<Vec<Array>>>()?;
    let mut state = model.optimizer_state().unwrap_or_default();
    state.iterations = bundle.take("optimizer/iterations")?.to_vec().first().copied().unwrap_or_default();
    state.learning_rate = bundle.take("optimizer/learning_rate")?.get(0);
    for (i, (.., slot)) in state.slots.iter_mut().enumerate() {
        let ty = slot.ty();
        *slot = bundle.take(&format!("optimizer/slots/{i}"))?.cast(ty.dtype);
    }
    let count = model.stage().totals()?.len();
    let totals = (0..count).map(|i| bundle.take(&format!("totals/{i}"))).collect::<Result<Vec<Array>>>()?;
    let (streams, retraces) = (text["streams"].clone(), text["retraces"].clone());
    resumed(&text, &mut bundle, Remembered { variables: values, optimizer: state, totals, streams, retraces })
}

impl Resumed {
    /// Brings back what the snapshot holds of the model.
    ///
    /// # Errors
    /// Those of a session; a file that is damaged.
    pub(super) fn set(self, model: &Model) -> Result<()> {
        let Remembered { variables, optimizer, totals, streams, retraces } = self.state;
        let mut stage = model.stage();
        stage.set_optimizer_state(optimizer)?;
        stage.set_totals(&totals)?;
        drop(stage);
        model.variables().all().iter().zip(&variables).try_for_each(|(variable, value)| variable.write(value))?;
        model.variables().set_stream_seeds(streams.as_array().map_or(&[], Vec::as_slice));
        match model.training().set_streams(&retraces) {
            true => Ok(()),
            false => Err(Error::file("what the snapshot says of random streams is damaged")),
        }
    }
}

/// From where to go on.
fn resumed(text: &Value, bundle: &mut Bundle, state: Remembered) -> Result<Resumed> {
    let position = &text["position"];
    let number = |key: &str| position[key].as_u64().map(|number| number as usize);
    let damaged = || Error::file("what it says of the position is damaged");
    let (Some(epoch), Some(batch)) = (number("epoch"), number("batch")) else { return Err(damaged()) };
    let (Some(seen), Some(first)) = (number("seen"), number("first")) else { return Err(damaged()) };
    let epochs = text["history"]["epoch"].as_array().into_iter().flatten().filter_map(Value::as_u64);
    let epochs = epochs.map(|epoch| epoch as usize).collect();
    let keys = text["history"]["keys"].as_array().into_iter().flatten().filter_map(Value::as_str).enumerate();
    let figures = keys.map(|(i, key)| Ok((key.to_owned(), bundle.take(&format!("history/{i}"))?.to_vec())));
    let figures = figures.collect::<Result<_>>()?;
    let callbacks = text["callbacks"].as_array().into_iter().flatten().enumerate();
    let memories = callbacks.map(|(i, told)| memory(i, told, bundle)).collect::<Result<_>>()?;
    Ok(Resumed { epoch, batch, seen, first, order: position["order"].clone(), epochs, figures, memories, state })
}

/// What a callback had seen.
fn memory(i: usize, told: &Value, bundle: &mut Bundle) -> Result<Memory> {
    let numbers = bundle.take(&format!("callbacks/{i}/numbers"))?.to_vec();
    let arrays = (0..told[1].as_u64().unwrap_or_default()).map(|j| bundle.take(&format!("callbacks/{i}/{j}")));
    Ok(Memory { class: told[0].as_str().unwrap_or_default().into(), numbers, arrays: arrays.collect::<Result<_>>()? })
}

/// Whether a snapshot is of this version, model, optimizer and data.
fn check(model: &Model, at: &At, text: &Value) -> Result<()> {
    if text["format"] != FORMAT {
        return Err(Error::file("this is no snapshot of a training"));
    }
    if text["version"] != VERSION {
        let message = format!("snapshots of version {VERSION} are read, got version {}", text["version"]);
        return Err(Error::unsupported(message).help("go on with the version of cornu that wrote it"));
    }
    if text["flavor"] != model.flavor().version() {
        let (own, other) = (model.flavor().version(), &text["flavor"]);
        return Err(Error::file(format!("the model follows Keras {own}, that of the snapshot Keras {other}")));
    }
    let other =
        |what: String| Error::file(what).help("a snapshot goes with the model, the optimizer and the data it is of");
    let (own, saved) = (model.variables().all(), text["variables"].as_array().map_or(&[][..], Vec::as_slice));
    if own.len() != saved.len() {
        return Err(other(format!("the model has {} variables, that of the snapshot {}", own.len(), saved.len())));
    }
    if let Some((variable, saved)) = own.iter().zip(saved).find(|(variable, saved)| told(variable) != **saved) {
        let got = format!("`{}` {}", saved[0].as_str().unwrap_or_default(), saved[1].as_str().unwrap_or_default());
        return Err(other(format!("the model has `{}` {}, that of the snapshot {got}", variable.path, variable.ty)));
    }
    let own = optimizer(model)?;
    if own != text["optimizer"] {
        let class = |json: &Value| json[0].as_str().unwrap_or_default().to_owned();
        let (own, got) = (class(&own), class(&text["optimizer"]));
        let what = if own == got { format!("`{own}` with other settings") } else { format!("`{got}`") };
        return Err(other(format!("the optimizer is `{own}`, that of the snapshot {what}")));
    }
    let (own, saved) = (at.feeding.told(), &text["position"]["data"]);
    let own = own.as_object().into_iter().flatten();
    if let Some((what, own)) = own.into_iter().find(|(what, own)| saved[what] != **own) {
        return Err(other(format!("the {what} is {own}, that of the snapshot {}", saved[what])));
    }
    Ok(())
}
