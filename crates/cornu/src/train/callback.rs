//! What is called while a model trains, evaluates and predicts, and what it may do.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use cornu_graph::{Array, Context, Error, Result, tell};

use super::feeding::Feeding;
use super::snapshot::{self, Resumed};
use super::{Code, History, Params, Scores, Warning};
use crate::model::Model;
use crate::variables::locked;

/// Declares the hooks: the one list of them, in the order in which a fit calls them.
macro_rules! hooks {
    ($(#[$trait_doc:meta])* { $($(#[$doc:meta])* $hook:ident $method:ident $(($at:ident))?;)* }) => {
        /// The hooks of a [`Callback`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Hook { $($(#[$doc])* $hook,)* }

        impl Hook {
            /// Every hook.
            pub const ALL: &[Hook] = &[$(Hook::$hook,)*];

            /// The method: `on_epoch_end`.
            pub fn name(self) -> &'static str {
                match self { $(Hook::$hook => stringify!($method),)* }
            }

            /// Calls the method, with the number of the epoch or the batch if it takes one.
            fn call(self, callback: &mut dyn Callback, at: usize, control: &mut Control) -> Result<()> {
                match self { $(Hook::$hook => callback.$method($({ _ = stringify!($at); at },)? control),)* }
            }
        }

        $(#[$trait_doc])*
        #[allow(unused_variables)]
        pub trait Callback: Send {
            /// What it has seen, for snapshots; nothing, if it has seen nothing that counts.
            fn memory(&self) -> Option<Memory> {
                None
            }

            /// How to make others like it, which have seen nothing: so one `Fit` is of use to many models, on many threads.
            /// Nothing, where there cannot be several, as of one that writes a file. A callback that can be copied says
            /// [`Again::copies`](super::Again::copies)`(self)`.
            fn again(&self) -> Option<Again> {
                None
            }

            /// Whether it is called before the training, between epochs and after it only: then models that it is called
            /// for may be trained side by side ([`fit_together`](super::fit_together)).
            fn between_epochs(&self) -> bool {
                false
            }

            /// Takes up what a callback of its kind had seen, after `on_train_begin`.
            ///
            /// # Errors
            /// A memory of another kind.
            fn recall(&mut self, memory: Memory) -> Result<()> {
                Ok(())
            }

            $($(#[$doc])*
            ///
            /// # Errors
            /// Whatever is wrong: it ends the run, and the model keeps its weights and its history.
            fn $method(&mut self, $($at: usize,)? control: &mut Control) -> Result<()> {
                control.unused();
                Ok(())
            })*
        }

        /// So that callbacks of several kinds fit in one list.
        impl<C: Callback + ?Sized> Callback for Box<C> {
            fn memory(&self) -> Option<Memory> {
                (**self).memory()
            }

            fn again(&self) -> Option<Again> {
                (**self).again()
            }

            fn between_epochs(&self) -> bool {
                (**self).between_epochs()
            }

            fn recall(&mut self, memory: Memory) -> Result<()> {
                (**self).recall(memory)
            }

            $(fn $method(&mut self, $($at: usize,)? control: &mut Control) -> Result<()> {
                (**self).$method($($at,)? control)
            })*
        }

        /// So that one can look at a callback afterwards.
        impl<C: Callback + ?Sized> Callback for Arc<Mutex<C>> {
            fn memory(&self) -> Option<Memory> {
                locked(self).memory()
            }

            fn between_epochs(&self) -> bool {
                locked(self).between_epochs()
            }

            fn recall(&mut self, memory: Memory) -> Result<()> {
                locked(self).recall(memory)
            }

            $(fn $method(&mut self, $($at: usize,)? control: &mut Control) -> Result<()> {
                locked(self).$method($($at,)? control)
            })*
        }
    };
}

hooks! {
    /// Called while a model trains, evaluates and predicts: Keras's `Callback`. A hook that is not written costs nothing:
    /// its default says so when it is first called, and is not called again.
    ///
    /// ```
    /// use cornu::prelude::*;
    ///
    /// /// Ends the training once the loss is small enough.
    /// struct StopBelow(f64);
    ///
    /// impl Callback for StopBelow {
    ///     fn on_epoch_end(&mut self, _: usize, control: &mut Control) -> cornu::Result<()> {
    ///         if control.logs()?["loss"] < self.0 {
    ///             control.stop();
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let mut model = sequential![Dense::new(1)];
    /// model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.1)))?;
    /// let fit = Fit::new().epochs(1000).verbose(0).callback(StopBelow(0.01));
    /// let history = model.fit([[0.0], [1.0]], [1.0, 3.0], fit)?;
    /// assert!(history.epoch.len() < 1000);
    /// # Ok::<(), cornu::Error>(())
    /// ```
    {
        /// Before the first epoch.
        TrainBegin on_train_begin;
        /// Before each epoch, counted from 0.
        EpochBegin on_epoch_begin(epoch);
        /// Before each batch, counted from 0.
        TrainBatchBegin on_train_batch_begin(batch);
        /// After each batch, counted from 0. Reading the running figures costs more than a small step.
        TrainBatchEnd on_train_batch_end(batch);
        /// Before an evaluation, also that of the validation data.
        TestBegin on_test_begin;
        /// Before each batch of an evaluation.
        TestBatchBegin on_test_batch_begin(batch);
        /// After each batch of an evaluation.
        TestBatchEnd on_test_batch_end(batch);
        /// After an evaluation, with its figures.
        TestEnd on_test_end;
        /// After each epoch, with its figures, those of the validation included.
        EpochEnd on_epoch_end(epoch);
        /// After the last epoch, with its figures.
        TrainEnd on_train_end;
        /// Before a prediction.
        PredictBegin on_predict_begin;
        /// Before each batch of a prediction.
        PredictBatchBegin on_predict_batch_begin(batch);
        /// After each batch of a prediction.
        PredictBatchEnd on_predict_batch_end(batch);
        /// After a prediction.
        PredictEnd on_predict_end;
    }
}

/// What makes callbacks that are alike.
#[derive(Clone)]
pub struct Again(Arc<dyn Fn() -> Box<dyn Callback> + Send + Sync>);

impl Again {
    /// Calls that each time.
    pub fn new<C: Callback + 'static>(make: impl Fn() -> C + Send + Sync + 'static) -> Again {
        Again(Arc::new(move || Box::new(make())))
    }

    /// Copies of that callback.
    pub fn copies<C: Callback + Clone + Send + Sync + 'static>(callback: &C) -> Again {
        let callback = callback.clone();
        Again::new(move || callback.clone())
    }

    /// The next.
    pub fn make(&self) -> Box<dyn Callback> {
        (self.0)()
    }
}

/// What a callback has seen, as snapshots keep it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    /// Whose it is.
    pub class: String,
    /// Numbers, in an order of its own.
    pub numbers: Vec<f64>,
    /// Arrays, such as weights.
    pub arrays: Vec<Array>,
}

/// What a hook may look at and do.
pub struct Control<'a> {
    /// The model, as the last step has left it: to be saved, read, evaluated.
    pub model: &'a Model,
    hook: Hook,
    at: Option<At<'a>>,
    shared: &'a mut Shared,
    unused: bool,
}

/// What the callbacks of a run share.
#[derive(Default)]
pub(super) struct Shared {
    params: Params,
    /// Whether evaluations are validations, and whether there are any.
    pub(super) trains: bool,
    pub(super) validates: bool,
    pub(super) stop: bool,
    /// The figures of the present hook, once they are known.
    pub(super) logs: Option<Scores>,
    pub(super) warnings: Vec<Warning>,
    /// Snapshots that are to be written.
    snapshots: Vec<PathBuf>,
    /// From where to go on.
    pub(super) resumed: Option<Resumed>,
}

/// Where a training is.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    pub(super) feeding: &'a Feeding,
    pub(super) history: &'a History,
    /// The epoch, the batches of it that are done, and those that were done in all.
    pub(super) epoch: usize,
    pub(super) batch: usize,
    pub(super) seen: usize,
    /// The epoch that it began with.
    pub(super) first: usize,
}

impl Control<'_> {
    /// How the run was asked for.
    pub fn params(&self) -> Params {
        self.shared.params
    }

    /// The figures that Keras hands to this hook: the running ones after a batch, those of the epoch or the evaluation
    /// after it, and none before. They are read when they are first asked for.
    ///
    /// # Errors
    /// Those of a session.
    pub fn logs(&mut self) -> Result<&Scores> {
        let running = matches!(self.hook, Hook::TrainBatchEnd | Hook::TestBatchEnd);
        let logs = match self.shared.logs.take() {
            Some(known) => known,
            None if running => Scores::new(self.model.stage().logs()?),
            None => Scores::default(),
        };
        Ok(self.shared.logs.insert(logs))
    }

    /// Adds a figure to those of this hook, for the callbacks after this one and, after an epoch, for the history.
    ///
    /// # Errors
    /// Those of [`Control::logs`].
    pub fn log(&mut self, name: &str, value: f64) -> Result<()> {
        self.logs()?;
        self.shared.logs.iter_mut().for_each(|logs| logs.set(name, value));
        Ok(())
    }

    /// Ends the training after this batch, with validation and epoch as ever: Keras's `stop_training`. Ends an evaluation
    /// that is none of a training.
    pub fn stop(&mut self) {
        self.shared.stop = true;
    }

    /// The weights, as [`Model::weights`] has them, in their own types.
    ///
    /// # Errors
    /// Those of a session.
    pub fn weights(&self) -> Result<Vec<Array>> {
        self.model.variables().read_weights()
    }

    /// Sets all weights. Nothing changes if one does not fit.
    ///
    /// # Errors
    /// Weights of another number, type or shape.
    pub fn set_weights(&mut self, weights: &[Array]) -> Result<()> {
        self.model.write_weights(weights)
    }

    /// The learning rate of the next step.
    ///
    /// # Errors
    /// A model that is not compiled.
    pub fn learning_rate(&self) -> Result<f64> {
        self.model.learning_rate()
    }

    /// Sets the learning rate of the next steps.
    ///
    /// # Errors
    /// A rate below 0.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.model.write_learning_rate(rate)
    }

    /// Prints a line to the standard output, as callbacks of Keras do where they are `verbose`. Where that takes nothing
    /// it is lost.
    pub fn print(&self, line: &str) {
        _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
    }

    /// Says what is probably a mistake: on the standard error unless the run is silent, and in `history.warnings`.
    pub fn warn(&mut self, code: Code, message: impl Into<String>) {
        let warning = Warning::new(code, message);
        if self.shared.params.verbose > 0 {
            tell(&warning);
        }
        self.shared.warnings.push(warning);
    }

    /// Whether figures of a validation may come in a later epoch.
    pub(super) fn validates(&self) -> bool {
        self.shared.validates
    }

    /// Where the training is.
    pub(super) fn at(&self) -> Option<At<'_>> {
        self.at
    }

    /// Everything that the training remembers, in a file: weights, states and random streams, what the optimizer keeps,
    /// order and place of the rows, history, what callbacks have seen. A fit that goes on from it
    /// ([`Fit::resume`](super::Fit::resume)), in another process as well, does what this one does, to the bit. The file is
    /// written when all callbacks have been called for this hook; if it cannot be, the fit ends with that error, and an
    /// old file stays as it is.
    ///
    /// # Errors
    /// A hook that is none of a training.
    pub fn save_snapshot(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let at = self.at.ok_or_else(|| Error::usage("a snapshot is of a training: this hook is none of one"))?;
        if at.feeding.position().is_none() {
            let error = Error::usage("a snapshot needs a source that says where it stands");
            return Err(error.help("write `position` and `seek` of the `Source`"));
        }
        self.shared.snapshots.push(path.as_ref().to_path_buf());
        Ok(())
    }

    /// Goes on from a snapshot instead of from the beginning, in `on_train_begin`, when all callbacks have been called.
    ///
    /// # Errors
    /// A file that is damaged, or of another model, another version or other data.
    pub fn load_snapshot(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let at = self.at.filter(|_| self.hook == Hook::TrainBegin);
        let at = at.ok_or_else(|| Error::usage("a snapshot can be loaded in `on_train_begin` alone"))?;
        self.shared.resumed = Some(snapshot::load(self.model, &at, path.as_ref())?);
        Ok(())
    }

    /// This hook need not be called again.
    pub fn unused(&mut self) {
        self.unused = true;
    }
}

/// A set of hooks, a bit each.
type Hooks = u16;

fn bit(hook: Hook) -> Hooks {
    1 << hook as u16
}

/// The callbacks of a run: Keras's `CallbackList`.
pub(super) struct Callbacks {
    all: Vec<(Box<dyn Callback>, Hooks)>,
    /// The hooks that any of them uses.
    used: Hooks,
    pub(super) shared: Shared,
}

impl Callbacks {
    pub(super) fn new(all: Vec<Box<dyn Callback>>, params: Params) -> Callbacks {
        let used = if all.is_empty() { 0 } else { Hooks::MAX };
        let all = all.into_iter().map(|callback| (callback, used)).collect();
        Callbacks { all, used, shared: Shared { params, ..Shared::default() } }
    }

    /// Whether any of them uses a hook.
    pub(super) fn use_any(&self, hooks: &[Hook]) -> bool {
        hooks.iter().any(|hook| self.used & bit(*hook) != 0)
    }

    /// Whether all of them are called between epochs only.
    pub(super) fn between_epochs(&self) -> bool {
        self.all.iter().all(|(callback, _)| callback.between_epochs())
    }

    /// Calls a hook, with the number of the epoch or the batch.
    ///
    /// # Errors
    /// The first of a callback.
    pub(super) fn call(&mut self, model: &Model, hook: Hook, number: usize) -> Result<()> {
        self.call_at(model, hook, number, None)
    }

    /// [`Callbacks::call`] in a training.
    ///
    /// # Errors
    /// Those of [`Callbacks::call`].
    pub(super) fn call_at(&mut self, model: &Model, hook: Hook, number: usize, at: Option<At>) -> Result<()> {
        if self.used & bit(hook) == 0 {
            return Ok(());
        }
        for (callback, used) in self.all.iter_mut().filter(|(_, used)| used & bit(hook) != 0) {
            let mut control = Control { model, hook, at, shared: &mut self.shared, unused: false };
            let done = hook.call(&mut **callback, number, &mut control);
            if control.unused {
                *used &= !bit(hook);
            }
            done.context(hook.name())?;
        }
        self.used = self.all.iter().fold(0, |all, (_, used)| all | used);
        let Some(at) = at.filter(|_| !self.shared.snapshots.is_empty()) else { return Ok(()) };
        let logs = self.shared.logs.as_ref().filter(|_| hook == Hook::EpochEnd);
        for path in std::mem::take(&mut self.shared.snapshots) {
            snapshot::save(model, &at, logs, &self.memories(), &path).context(hook.name())?;
        }
        Ok(())
    }

    /// What callbacks have seen.
    pub(super) fn memories(&self) -> Vec<Memory> {
        self.all.iter().filter_map(|(callback, _)| callback.memory()).collect()
    }

    /// Lets callbacks take up what others of their kind had seen.
    ///
    /// # Errors
    /// They are other ones.
    pub(super) fn recall(&mut self, memories: Vec<Memory>) -> Result<()> {
        let own: Vec<String> = self.memories().into_iter().map(|memory| memory.class).collect();
        let saved: Vec<String> = memories.iter().map(|memory| memory.class.clone()).collect();
        if own != saved {
            let told = |all: &[String]| if all.is_empty() { "none".into() } else { all.join(", ") };
            let message =
                format!("the snapshot is of a fit with other callbacks: {}, not {}", told(&saved), told(&own));
            return Err(Error::file(message));
        }
        let all = self.all.iter_mut().filter(|(callback, _)| callback.memory().is_some());
        all.zip(memories).try_for_each(|((callback, _), memory)| callback.recall(memory))
    }

    /// [`Callbacks::call`] with figures, which are those of the callbacks afterwards.
    ///
    /// # Errors
    /// Those of [`Callbacks::call`].
    pub(super) fn call_with(&mut self, model: &Model, hook: Hook, number: usize, logs: Scores) -> Result<()> {
        self.shared.logs = Some(logs);
        self.call(model, hook, number)
    }
}
