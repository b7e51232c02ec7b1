//! What the steps of a model follow from, as a text: models of one text have steps that are alike.

use std::fmt::Write;

use cornu_graph::{Result, VarId};

use super::stage::Stage;
use crate::config::{Config, Field, Setting, is_keras};
use crate::optimizers::{LearningRate, Optimizer};

impl Stage<'_> {
    /// All that steps follow from but the data, as a text, and the variables of the model and of its training in an order of
    /// their own. Where texts are equal steps are, with these variables for those. Nothing, where a class is not Keras's: it
    /// may be more than its settings; and where names decide.
    pub(crate) fn told(&self) -> Result<Option<(String, Vec<VarId>)>> {
        let (state, compiled) = (self.state()?, self.training.compiled("fit")?);
        let (Some(mut text), Some(optimizer)) = (self.told_layers(), told_optimizer(&*compiled.optimizer)) else {
            return Ok(None);
        };
        let learn = state.weights.iter().map(|weight| weight.id()).collect::<Vec<_>>();
        let all = self.variables.all();
        for named in all {
            let learns = learn.contains(&named.id());
            _ = write!(text, "{} {:?} {learns} {:?};", named.ty, named.role, named.constraint);
        }
        for head in &compiled.heads {
            let losses_are = head.loss.iter().all(|loss| is_plain(&**loss));
            if !losses_are || !head.figures.iter().all(|figure| objects_are_plain(&figure.metric)) {
                return Ok(None);
            }
            _ = write!(text, "{head:?};");
        }
        let vars = all.iter().map(|named| named.id()).chain(state.declared().iter().copied()).collect();
        Ok(Some((text + &optimizer, vars)))
    }

    fn told_layers(&self) -> Option<String> {
        let (net, mut text) = (self.net, String::new());
        for layer in &net.layers {
            let settings = layer.layer();
            let is_known = layer.children().is_empty() && settings.module() == "keras.layers" && is_plain(settings);
            if !is_known || !objects_are_plain(&settings.base().activity_regularizer) {
                return None;
            }
            _ = write!(text, "{settings:?} {};", layer.trainable());
        }
        for input in &net.inputs {
            _ = write!(text, "{:?} {:?};", input.shape, input.kind);
        }
        _ = write!(text, "{:?} {:?};", net.calls, net.outputs);
        net.host.is_none().then_some(text)
    }
}

/// The settings of an optimizer, but for a rate that is a variable.
fn told_optimizer(optimizer: &dyn Optimizer) -> Option<String> {
    let common = optimizer.common();
    let is_variable = matches!(common.learning_rate, LearningRate::Fixed(_));
    let told = |setting: &Setting| format!("{} {:?};", setting.name, setting.value.to_json());
    let settings = optimizer.settings();
    let settings = settings.iter().filter(|setting| !(is_variable && setting.name == "learning_rate"));
    let is_known = is_plain(optimizer) && common.exclude_from_weight_decay.is_empty();
    is_known.then(|| format!("{} {}", optimizer.class_name(), settings.map(told).collect::<String>()))
}

/// Whether settings, and all objects in them, are of Keras's classes.
fn is_plain(config: &dyn Config) -> bool {
    is_keras(config.module()) && config.settings().iter().all(|setting| objects_are_plain(setting.value))
}

fn objects_are_plain(field: &dyn Field) -> bool {
    field.objects().into_iter().all(is_plain)
}
