//! One `Fit` for many models, on many threads.

use std::fmt;
use std::sync::Arc;

use cornu_display::Verbose;
use cornu_graph::{Error, Result};

use super::{Again, Fit};

/// What makes [`Fit`]s that are alike.
#[derive(Clone)]
pub struct Fits {
    make: Arc<dyn Fn() -> Fit + Send + Sync>,
    epochs: usize,
    validates: bool,
    verbose: Verbose,
    told: Vec<(&'static str, String)>,
}

impl Fits {
    /// As many as are wanted of that one.
    ///
    /// # Errors
    /// A callback that cannot be copied ([`Callback::again`](super::Callback::again)), or a `validation_source`, of which
    /// there is one.
    pub fn new(fit: Fit) -> Result<Fits> {
        fit.check()?;
        let one = |what: &str| Error::usage(format!("a fit for several models needs {what}"));
        if fit.validation_source.is_some() {
            return Err(one("`validation_data`, got a `validation_source`, which is for one"));
        }
        let again = fit.callbacks.iter().map(|callback| callback.again()).collect::<Option<Vec<Again>>>();
        let again = again.ok_or_else(|| {
            let error = one("callbacks that can be copied, got one that writes a file, or does not write `again`");
            error.help("give it where each model is trained, or write `again` of the `Callback`")
        })?;
        let validates = fit.validation_split > 0.0 || fit.validation_data.is_some();
        let (epochs, verbose, told) = (fit.epochs, fit.verbose, told(&fit));
        Ok(Fits { make: maker(fit, again), epochs, validates, verbose, told })
    }

    /// The next.
    pub fn fit(&self) -> Fit {
        (self.make)()
    }

    /// The number after the last epoch.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Whether there are figures of a validation.
    pub fn validates(&self) -> bool {
        self.validates
    }

    /// How much is printed.
    pub fn verbose(&self) -> Verbose {
        self.verbose
    }

    /// The settings that decide what a model learns, by name.
    pub fn settings(&self) -> &[(&'static str, String)] {
        &self.told
    }
}

impl fmt::Debug for Fits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.told.iter().map(|(name, value)| (name, value))).finish()
    }
}

fn told(fit: &Fit) -> Vec<(&'static str, String)> {
    let number = |number: Option<usize>| number.map_or_else(|| "None".into(), |number| number.to_string());
    vec![
        ("epochs", fit.epochs.to_string()),
        ("initial_epoch", fit.initial_epoch.to_string()),
        ("batch_size", number(fit.batch_size)),
        ("steps_per_epoch", number(fit.steps_per_epoch)),
        ("shuffle", fit.shuffle.to_string()),
        ("validation_split", fit.validation_split.to_string()),
        ("validation_data", fit.validation_data.is_some().to_string()),
        ("validation_freq", fit.validation_freq.to_string()),
        ("sample_weight", fit.sample_weight.is_some().to_string()),
        ("class_weight", format!("{:?}", fit.class_weight)),
        ("callbacks", fit.callbacks.len().to_string()),
    ]
}

/// Copies all fields: the compiler names one that is new.
fn maker(fit: Fit, again: Vec<Again>) -> Arc<dyn Fn() -> Fit + Send + Sync> {
    let Fit { epochs, initial_epoch, batch_size, steps_per_epoch, shuffle, seeds, validation_split, .. } = fit;
    let Fit { validation_data, validation_source: _, validation_weights, validation_steps, validation_freq, .. } = fit;
    let Fit { validation_batch_size, sample_weight, class_weight, verbose, callbacks: _, .. } = fit;
    Arc::new(move || Fit {
        epochs,
        initial_epoch,
        batch_size,
        steps_per_epoch,
        shuffle,
        seeds: seeds.clone(),
        validation_split,
        validation_data: validation_data.clone(),
        validation_source: None,
        validation_weights: validation_weights.clone(),
        validation_steps,
        validation_freq,
        validation_batch_size,
        sample_weight: sample_weight.clone(),
        class_weight: class_weight.clone(),
        verbose,
        callbacks: again.iter().map(Again::make).collect(),
    })
}
