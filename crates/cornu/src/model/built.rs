//! Models whose layers were not told the shape of their input: the first data says it, also where it only predicts.

use cornu_graph::Result;

use super::Model;
use crate::random::SeedSource;
use crate::step::Data;
use crate::variables::locked;

impl Model {
    /// The model, as far as it is built.
    pub(super) fn known(&self) -> &Model {
        self.built.get().map_or(self, |built| built)
    }

    /// The same layers, to be built.
    fn twin(&self) -> Model {
        Model {
            input: self.input.clone(),
            net: self.net.clone(),
            variables: self.variables.again(),
            places: self.places.clone(),
            problem: self.problem.clone(),
            ..Model::following(self.flavor(), SeedSource::Process, self.name.clone())
        }
    }

    /// Takes over what was built.
    pub(super) fn settle(&mut self) {
        if let Some(built) = self.built.take() {
            (self.net, self.variables) = (built.net, built.variables);
        }
    }

    /// Builds a model whose layers were not told the shape of their input, for data to train on or for other data.
    pub(crate) fn build_for(&mut self, data: &Data, to_train: bool) -> Result<()> {
        if self.is_built() {
            return self.check();
        }
        self.build_batch(&data.batch_shape())?;
        self.training.built(&self.variables, to_train);
        Ok(())
    }

    /// The model, built for such data if its layers were not told the shape of their input. Where several threads come at
    /// once, one of them builds it.
    pub(crate) fn built_for(&self, data: &Data) -> Result<&Model> {
        if !self.is_built() {
            let _building = locked(&self.building);
            if !self.is_built() {
                let mut twin = self.twin();
                twin.build_batch(&data.batch_shape())?;
                self.training.built(&twin.variables, false);
                _ = self.built.set(Box::new(twin));
            }
        }
        self.check()?;
        Ok(self.known())
    }
}
