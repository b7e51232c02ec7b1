//! Where batches come from, if they are not rows of arrays that lie in memory.

use cornu_graph::{Arrays, Error, Result, ToArrays};
use serde_json::Value;

use super::batches::Batches;
use crate::flavor::Flavor;
use crate::random::{Seeds, Shuffle};
use crate::step::Given;

/// Gives the batches of a training, epoch by epoch, or of an evaluation or prediction: Keras's generators, `Sequence`s and
/// data sets.
///
/// ```
/// use cornu::prelude::*;
/// use cornu::train::{Batch, Source};
///
/// /// Points on a line, ever new ones.
/// struct Line(f64);
///
/// impl Source for Line {
///     fn batches(&self) -> Option<usize> {
///         Some(4)
///     }
///
///     fn next(&mut self) -> cornu::Result<Option<Batch>> {
///         self.0 += 0.125;
///         let x = [[self.0], [1.0 - self.0]];
///         Batch::new(x, x.map(|[x]| 2.0 * x + 1.0)).map(Some)
///     }
/// }
///
/// let mut model = sequential![Dense::new(1)];
/// model.compile(Compile::new().loss("mse").optimizer(SGD::from(0.1)))?;
/// let history = model.fit_source(Line(0.0), Fit::new().epochs(10).verbose(0))?;
/// assert!(history["loss"][9] < history["loss"][0]);
/// # Ok::<(), cornu::Error>(())
/// ```
pub trait Source: Send {
    /// How many batches an epoch has, if that is known. Else it ends when there is no next.
    fn batches(&self) -> Option<usize> {
        None
    }

    /// An epoch begins, counted from 0, or the validation after it; an evaluation or prediction is one epoch.
    ///
    /// # Errors
    /// Whatever is wrong: it ends the fit.
    fn begin(&mut self, _epoch: usize) -> Result<()> {
        Ok(())
    }

    /// The next batch; nothing where the epoch ends. All have the same inputs, outputs, types and sizes but for the number
    /// of rows.
    ///
    /// # Errors
    /// Whatever is wrong: it ends the fit.
    fn next(&mut self) -> Result<Option<Batch>>;

    /// Where it stands, for snapshots, and for validations that are all of the same batches; nothing, if it cannot go on
    /// from there.
    fn position(&self) -> Option<Value> {
        None
    }

    /// Goes on from there.
    ///
    /// # Errors
    /// It is no position of such a source.
    fn seek(&mut self, _position: &Value) -> Result<()> {
        Err(Error::usage("this source cannot go on from where it stood"))
    }
}

/// Rows of features and labels.
pub struct Batch(pub(super) Given);

impl Batch {
    /// Rows and their labels: an array each, or several by position or name, as [`Model::fit`](crate::Model::fit) takes.
    ///
    /// # Errors
    /// Numbers that make no array.
    pub fn new(x: impl ToArrays, y: impl ToArrays) -> Result<Batch> {
        Given::labelled(x, y).map(Batch)
    }

    /// Features alone, to predict from.
    ///
    /// # Errors
    /// Numbers that make no array.
    pub fn features(x: impl ToArrays) -> Result<Batch> {
        x.into_arrays().map(Given::features).map(Batch)
    }

    /// The same, each row with a weight.
    ///
    /// # Errors
    /// Numbers that make no array.
    pub fn weighted(self, sample_weight: impl ToArrays) -> Result<Batch> {
        self.0.weighted(Some(sample_weight.into_arrays())).map(Batch)
    }
}

/// Rows of arrays as a [`Source`]: what [`Model::fit`](crate::Model::fit) does with the same arrays, batch by batch.
pub struct Rows {
    x: Arrays,
    y: Arrays,
    rows: usize,
    batches: Batches,
    /// The batches of this epoch.
    given: usize,
}

impl Rows {
    /// In their own order, 32 in a batch.
    ///
    /// # Errors
    /// Numbers that make no array, and none at all.
    pub fn new(x: impl ToArrays, y: impl ToArrays) -> Result<Rows> {
        let (x, y) = (x.into_arrays()?, y.into_arrays()?);
        let rows = x.iter().next().and_then(|array| array.shape().first().copied()).unwrap_or_default();
        let fits = x.iter().chain(y.iter()).all(|array| array.shape().first() == Some(&rows));
        if rows == 0 || !fits {
            return Err(Error::data("`Rows` needs rows, the same number of features and labels"));
        }
        Ok(Rows { x, y, rows, batches: Batches::new(None, rows, super::fit::BATCH_SIZE), given: 0 })
    }

    /// So many rows in a batch, the last may have fewer.
    ///
    /// # Errors
    /// None in a batch.
    pub fn batch_size(mut self, rows: usize) -> Result<Rows> {
        super::fit::positive("Rows", "batch_size", Some(rows))?;
        self.batches.size = rows;
        Ok(self)
    }

    /// In the orders that Keras gives rows for those seeds.
    #[must_use]
    pub fn shuffle(mut self, flavor: Flavor, seeds: &Seeds) -> Rows {
        let shuffle = Shuffle::new(flavor, seeds, self.rows);
        self.batches = Batches::new(Some(shuffle), self.rows, self.batches.size);
        self
    }
}

impl Source for Rows {
    fn batches(&self) -> Option<usize> {
        Some(self.rows.div_ceil(self.batches.size))
    }

    fn begin(&mut self, _: usize) -> Result<()> {
        self.given = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<Option<Batch>> {
        if Some(self.given) == self.batches() {
            return Ok(None);
        }
        self.given += 1;
        self.batches.next(1);
        let rows: Vec<usize> = self.batches.rows().iter().map(|&row| row as usize).collect();
        Batch::new(self.x.rows(&rows), self.y.rows(&rows)).map(Some)
    }

    fn position(&self) -> Option<Value> {
        Some(serde_json::json!({ "order": self.batches.position(), "given": self.given }))
    }

    fn seek(&mut self, position: &Value) -> Result<()> {
        let given = position["given"].as_u64().filter(|_| self.batches.seek(&position["order"]));
        let given = given.ok_or_else(|| Error::file("the snapshot is of other rows, or of another order"))?;
        self.given = given as usize;
        Ok(())
    }
}
