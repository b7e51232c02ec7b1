//! What training needs to know of a model and remembers of it: `compile`, the optimizer's state, the learning rate.

use std::borrow::Cow;

use cornu_graph::{Array, Error, Result};

use super::Model;
use crate::metrics::Direction;
use crate::net::InputSpec;
use crate::optimizers::Optimizer;
use crate::random::Seeds;
use crate::step::{Compile, Ends, Given, History, OptimizerState};
use crate::variables::Named;

impl Model {
    /// Says how the model is to be trained. Weights stay as they are; the optimizer starts anew.
    ///
    /// ```
    /// use cornu::prelude::*;
    /// let mut model = sequential![Input::new([8]), Dense::new(1).activation("sigmoid")];
    /// model.compile(Compile::new().loss("binary_crossentropy").optimizer("adam").metrics(["accuracy"]))?;
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// Names that are not known, and settings that cannot be right.
    pub fn compile(&mut self, compile: Compile) -> Result<()> {
        self.check()?;
        let compiled = compile.resolve(self.flavor(), &self.output_names())?;
        self.training.compile(compiled);
        Ok(())
    }

    /// The names of the figures that training and evaluation report: the loss, then the metrics; none before `compile`.
    /// Those of a validation are the same behind `val_`.
    pub fn metrics_names(&self) -> Vec<String> {
        self.training().figures()
    }

    /// Which way the figure of that name is better, with or without `val_`; nothing where that is not known.
    pub fn direction(&self, figure: &str) -> Option<Direction> {
        let plain = figure.strip_prefix("val_").unwrap_or(figure);
        if plain == "loss" || plain.ends_with("_loss") {
            Some(Direction::Down)
        } else {
            self.training().direction(plain)
        }
    }

    /// How the model was compiled, if it was.
    pub fn compiled(&self) -> Option<&Compile> {
        self.training().settings()
    }

    /// Says that its loss is scaled once it is compiled.
    pub(crate) fn scale_loss(&mut self) {
        self.training.scale_loss();
    }

    /// The optimizer it is trained with, if it is compiled. In a model that was made while `mixed_float16` was the policy it
    /// is a [`LossScaleOptimizer`](crate::optimizers::LossScaleOptimizer) around that of [`Model::compiled`].
    pub fn optimizer(&self) -> Option<&dyn Optimizer> {
        self.training().optimizer()
    }

    /// What the optimizer remembers; nothing before the first step.
    pub fn optimizer_state(&self) -> Option<OptimizerState> {
        let live = self.training().live();
        live.optimizer_state(self.training()).or_else(|| live.awaited_state(self.training(), self.variables()))
    }

    /// Sets what the optimizer remembers, so that training goes on where it ended.
    ///
    /// # Errors
    /// A model that is not compiled and built, or slots that are not those of its optimizer and weights.
    pub fn set_optimizer_state(&mut self, state: OptimizerState) -> Result<()> {
        self.ready()?;
        self.stage().set_optimizer_state(state)
    }

    /// The learning rate of the next step of training.
    ///
    /// # Errors
    /// A model that is not compiled.
    pub fn learning_rate(&self) -> Result<f64> {
        let mut stage = self.stage();
        stage.open()?;
        stage.learning_rate()
    }

    /// Sets the learning rate of the next steps of training.
    ///
    /// # Errors
    /// A model that was not trained yet (give the rate to the optimizer), or a rate below 0.
    pub fn set_learning_rate(&mut self, rate: f64) -> Result<()> {
        self.write_learning_rate(rate)
    }

    /// [`Model::set_learning_rate`] while it trains.
    pub(crate) fn write_learning_rate(&self, rate: f64) -> Result<()> {
        if !(rate >= 0.0 && (rate as f32).is_finite()) {
            let needed = "a number of 0 or more within the range of `f32`";
            return Err(Error::usage(format!("the learning rate needs {needed}, got {rate:?}")));
        }
        let mut stage = self.stage();
        stage.open()?;
        stage.set_learning_rate(rate)
    }

    /// What the last `fit` reported, also if it ended with an error.
    pub fn history(&self) -> Option<History> {
        Some(self.training().ended()?.history)
    }

    /// Whether the model can take a list of so many weights.
    pub(super) fn expects_weights(&self, got: usize) -> Result<()> {
        self.ready()?;
        match self.variables().weights().count() {
            own if own == got => Ok(()),
            own => Err(Error::data(format!("model `{}` has {own} weights, got a list of {got}", self.name))),
        }
    }

    /// Sets all weights while it trains. Nothing changes if one does not fit.
    pub(crate) fn write_weights(&self, weights: &[Array]) -> Result<()> {
        self.expects_weights(weights.len())?;
        let own: Vec<&Named> = self.variables().weights().collect();
        let misfit = own.iter().zip(weights).find(|(variable, new)| new.ty() != variable.ty);
        if let Some((variable, new)) = misfit {
            return Err(Error::data(format!("weight `{}` needs {}, got {}", variable.path, variable.ty, new.ty())));
        }
        own.iter().zip(weights).try_for_each(|(variable, array)| variable.write(array))
    }

    /// The names of the outputs.
    pub fn output_names(&self) -> Vec<String> {
        let names = self.net().output_names();
        // Layers may still be added to a line of none.
        if names.is_empty() { vec!["output".into()] } else { names }
    }

    /// What such features, and labels if there are any, are for.
    pub(crate) fn ends(&self, given: &Given) -> Ends<'_> {
        let (mut inputs, host) = (self.net().named_inputs(), self.net().host.clone());
        if let (true, Some(x)) = (inputs.is_empty(), given.x.iter().next()) {
            // A layer that takes numbers as they are is given whole ones whole.
            let as_they_are = self.net().layers.first().is_some_and(|layer| !layer.layer().autocast());
            let whole =
                as_they_are && x.kind().dtype().is_some_and(|dtype| !dtype.is_float()) && self.input.1.is_none();
            let kind = if whole { x.kind() } else { self.input_kind() };
            inputs = Cow::Owned(vec![InputSpec { name: "x".into(), shape: Vec::new(), kind }]);
        }
        match given.y {
            Some(_) => Ends { inputs, outputs: self.output_names(), judged: self.training().judged(), host },
            None => Ends { inputs, outputs: Vec::new(), judged: Vec::new(), host },
        }
    }

    /// From now on the model draws from generators of its own. They stand where those stand that it drew from: the
    /// process's, or those of [`scoped`](crate::random::scoped) work, which it can so be trained without.
    pub fn own_seeds(&mut self) {
        let seeds = self.copy_of_seeds();
        *self.parts().1.seeds() = seeds.into();
    }

    /// The state of the generators that the model draws from.
    pub(crate) fn copy_of_seeds(&mut self) -> Seeds {
        self.parts().1.seeds().with(|seeds| seeds.clone())
    }
}
