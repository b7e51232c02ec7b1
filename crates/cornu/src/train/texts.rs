//! What a model gives that ends with texts.
#![allow(clippy::needless_pass_by_value, reason = "data may be handed over, and is lent from here on")]

use cornu_graph::{AnyArray, Error, Result, TextArray, ToArrays, lending};

use super::Predict;
use crate::model::Model;
use crate::net::HostStage;

impl Model {
    /// What the model makes of the rows of `x`, for each output numbers or texts: [`Model::predict_all`] of models that end
    /// with a layer that gives texts, as a `StringLookup` that inverts.
    ///
    /// # Errors
    /// Data that does not fit the model.
    pub fn predict_any(&self, x: impl ToArrays, settings: Predict) -> Result<Vec<AnyArray>> {
        let outputs = lending(|loan| self.predict_graph(x.lend_arrays(loan)?, settings, Vec::new()))?;
        match &self.net().host {
            None => Ok(outputs.into_iter().map(AnyArray::Numbers).collect()),
            Some(host) => host.behind(outputs),
        }
    }

    /// The texts that a model of one output makes of the rows of `x`.
    ///
    /// # Errors
    /// Data that does not fit the model, and a model that gives numbers.
    pub fn predict_texts(&self, x: impl ToArrays) -> Result<TextArray> {
        match &self.predict_any(x, Predict::new())?[..] {
            [AnyArray::Texts(texts)] => Ok(texts.clone()),
            outputs => {
                let got = if outputs.len() > 1 { "several outputs" } else { "numbers" };
                let error =
                    Error::usage(format!("`predict_texts` needs a model that gives texts, got one that gives {got}"));
                Err(error.help("`predict` gives numbers, `predict_any` the outputs of any model"))
            }
        }
    }

    /// Whether no output is texts.
    pub(super) fn gives_numbers(&self) -> Result<()> {
        let net = self.net();
        let texts = |host: &HostStage| (0..net.outputs.len()).any(|output| host.is_behind(output));
        if net.host.as_deref().is_some_and(texts) {
            let error = Error::usage(format!("`predict` gives numbers, but model `{}` gives texts", self.name()));
            return Err(error.help("`predict_texts` gives them, `predict_any` the outputs of any model"));
        }
        Ok(())
    }
}
