//! A recurrence run in both directions of time.

use cornu_graph::{Error, Result};
use serde_json::{Map, Value};

use super::rnn::ARGUMENTS;
use super::{Argument, Child, Inputs, Keywords, Layer, LayerRef, Recurrence, Recurrent, Wire};
use crate::config::{Field, unknown};
use crate::trace::Cx;

const MODES: [&str; 4] = ["sum", "mul", "concat", "ave"];

crate::config! {
    /// Runs a recurrence forwards and backwards, and merges what both give.
    "keras.layers" pub layer Bidirectional {
        /// How outputs become one: `"concat"`, `"sum"`, `"ave"` or `"mul"`; with `None` both are given.
        merge_mode: Option<String> = Some("concat".into()),
        /// The recurrence, of which both directions are made.
        layer: LayerRef,
        /// Another one for the way back, which runs that way.
        backward_layer: Option<LayerRef> = None,
    }
}

/// A direction of a recurrence, with the name that Keras gives it.
fn made(recurrent: &dyn Recurrent, prefix: &str, name: &str, go_backwards: bool) -> Child {
    let how = recurrent.recurrence();
    // What is merged by place has nothing where the mask says that nothing counts.
    let how = Recurrence { go_backwards, zero_output_for_mask: how.return_sequences, ..how };
    Child::New(recurrent.that_runs(&format!("{prefix}{}", name.strip_prefix("forward_").unwrap_or(name)), how))
}

/// How a recurrence runs.
///
/// # Errors
/// A layer that is none.
fn how(layer: &LayerRef) -> Result<Recurrence> {
    let none = || Error::usage(format!("`layer` needs a recurrence, got `{}`", layer.layer().class_name()));
    Ok(layer.layer().recurrent().ok_or_else(none)?.recurrence())
}

impl Layer for Bidirectional {
    fn call_all(&self, cx: &mut Cx, inputs: &Inputs) -> Result<Vec<Wire>> {
        let (how, sequences, states) = (how(&self.layer)?, inputs.needed("sequences")?, inputs.list("initial_state"));
        let (forwards, backwards) = states.split_at(states.len() / 2);
        let mut run = |way: &str, states: &[&Wire]| {
            let wires = [sequences].into_iter().chain(states.iter().copied()).cloned().collect();
            inputs.within(way)?.call_all(cx, wires, &Keywords::default())
        };
        let (mut there, mut back) = (run("forward_layer", forwards)?, run("backward_layer", backwards)?);
        let states = [there.split_off(1), back.split_off(1)].concat();
        let (there, mut back) = (there.remove(0).tensor, back.remove(0).tensor);
        let mask = sequences.mask.as_ref().filter(|_| how.return_sequences);
        if how.return_sequences {
            back = back.reverse([if how.time_major { 0 } else { 1 }]);
        }
        if let (Some(mask), Some(_)) = (mask, &self.backward_layer) {
            back = mask.reshape([back.dim(0), back.dim(1), 1]).select(back, 0.0);
        }
        let merged = match self.merge_mode.as_deref() {
            None => vec![there, back],
            Some("sum") => vec![there + back],
            Some("ave") => vec![(there + back) / 2.0],
            Some("mul") => vec![there * back],
            Some(_) => vec![there.concatenate(&[&back], -1)],
        };
        Ok(merged.into_iter().map(|y| Wire::from(y).masked(mask.cloned())).chain(states).collect())
    }

    fn arguments(&self) -> Vec<Argument> {
        ARGUMENTS.to_vec()
    }

    fn supports_masking(&self) -> bool {
        true
    }

    fn children(&self) -> Vec<(&'static str, Child)> {
        let Some(recurrent) = self.layer.layer().recurrent() else { return Vec::new() };
        let (name, backwards) = (self.layer.name(), recurrent.recurrence().go_backwards);
        let back = || made(recurrent, "backward_", name, !backwards);
        let back = self.backward_layer.as_ref().map_or_else(back, Child::from);
        vec![("forward_layer", made(recurrent, "forward_", name, backwards)), ("backward_layer", back)]
    }

    fn write_children(&self, children: &[(&'static str, LayerRef)], config: &mut Map<String, Value>) {
        let pairs = ["layer", "backward_layer"].into_iter().zip(children);
        config.extend(pairs.map(|(key, (_, child))| (key.to_owned(), child.to_json())));
    }

    fn check_settings(&self) -> Result<()> {
        if let Some(mode) = self.merge_mode.as_deref().filter(|mode| !MODES.contains(mode)) {
            return Err(unknown("merge mode", mode, MODES));
        }
        let (needed, Some(other)) = (how(&self.layer)?, &self.backward_layer) else { return Ok(()) };
        let (needed, got) = (Recurrence { go_backwards: !needed.go_backwards, ..needed }, how(other)?);
        let flags = |how: Recurrence| [how.go_backwards, how.stateful, how.return_sequences, how.return_state];
        let names = ["go_backwards", "stateful", "return_sequences", "return_state"].into_iter();
        match names.zip(flags(needed).into_iter().zip(flags(got))).find(|(_, (needed, got))| needed != got) {
            None => Ok(()),
            Some((name, (needed, got))) => {
                Err(Error::usage(format!("`backward_layer` needs `{name}` {needed} beside this `layer`, got {got}")))
            }
        }
    }
}
