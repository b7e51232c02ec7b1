//! A model as the last step of a pipeline, and as what cross-validation judges.

use std::path::Path;

use cornu_data::{Estimator, Stored};
use cornu_graph::{Array, Result, ToArray};

use crate::model::{Model, Sequential};
use crate::train::{Fit, Predict};

impl Estimator for Model {
    type Fit = Fit;

    fn fit(&mut self, x: &Array, y: &Array, fit: Fit) -> Result<()> {
        Model::fit(self, x, y, fit).map(drop)
    }

    fn predict(&mut self, x: &Array) -> Result<Array> {
        Model::predict_with(self, x, Predict::new().verbose(0))?.to_array()
    }
}

impl Estimator for Sequential {
    type Fit = Fit;

    fn fit(&mut self, x: &Array, y: &Array, fit: Fit) -> Result<()> {
        Estimator::fit(&mut **self, x, y, fit)
    }

    fn predict(&mut self, x: &Array) -> Result<Array> {
        Estimator::predict(&mut **self, x)
    }
}

impl Stored for Sequential {
    const EXTENSION: &'static str = "keras";

    fn save(&self, place: &Path) -> Result<()> {
        Model::save(self, place)
    }

    fn load(place: &Path) -> Result<Sequential> {
        Sequential::load(place)
    }
}
