//! The rows of a training on their way: those of data on the machine, or what a source gives.

use std::collections::BTreeMap;

use cornu_graph::{Error, Result, Type};
use serde_json::{Value, json};

use super::batches::Batches;
use super::model::weigh;
use super::source::{Batch, Source};
use crate::step::{Data, Ends, Fed, checks};

/// Where the rows of a training come from.
pub(super) enum Feeding {
    /// From data on the machine, in an order.
    Rows(Fed, Batches),
    /// From a source.
    Drawn(Box<Drawn>),
}

/// What a source gives.
pub(super) struct Drawn {
    source: Box<dyn Source>,
    ends: Ends<'static>,
    class_weight: Option<BTreeMap<i64, f64>>,
    /// The types of the first batch.
    types: Vec<Type>,
    /// The present batch, and all its rows in order.
    now: Fed,
    rows: Vec<u32>,
    /// Whether it is still to come, as the first is, which the model was built for.
    waits: bool,
    /// The batches of this epoch.
    given: usize,
}

impl Drawn {
    /// The source begins with that epoch; gives its first batch, as the model takes it once it is known what for.
    pub(super) fn first(source: &mut dyn Source, epoch: usize) -> Result<Batch> {
        source.begin(epoch)?;
        source.next()?.ok_or_else(|| Error::data("the source has no batch").help("`next` gives the first one"))
    }

    pub(super) fn new(
        source: Box<dyn Source>,
        ends: Ends<'static>,
        class_weight: Option<BTreeMap<i64, f64>>,
        first: Data,
    ) -> Result<Drawn> {
        let now = first.here()?;
        let (types, rows) = (now.types(0), now.order()?);
        Ok(Drawn { source, ends, class_weight, types, now, rows, waits: true, given: 0 })
    }

    /// Takes the next batch, if there is one.
    fn next(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.waits) {
            self.given = 1;
            return Ok(true);
        }
        let Some(Batch(given)) = self.source.next()? else { return Ok(false) };
        self.given += 1;
        let place = format!("batch {} of the source", self.given);
        let data = || {
            let mut data = given.of(&self.ends)?;
            checks::numbers(&data)?;
            if let Some(classes) = &self.class_weight {
                weigh(&mut data, classes)?;
            }
            data.here()
        };
        let now = data().map_err(|error| error.context(&place))?;
        let types = now.types(0);
        if types != self.types {
            let told = |types: &[Type]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let (needed, got) = (told(&self.types), told(&types));
            let error = Error::data(format!("{place} needs what the first had, {needed}, got {got}"));
            return Err(error.help("0 stands for the number of rows, which may differ; inputs come first, then labels"));
        }
        (self.rows, self.now) = (now.order()?, now);
        Ok(true)
    }
}

impl Feeding {
    /// How many batches an epoch has, if that is known.
    pub(super) fn batches(&self) -> Option<usize> {
        match self {
            Feeding::Rows(data, batches) => Some(data.rows().div_ceil(batches.size)),
            Feeding::Drawn(drawn) => drawn.source.batches(),
        }
    }

    /// An epoch begins.
    pub(super) fn begin(&mut self, epoch: usize) -> Result<()> {
        match self {
            // Its first batch is here already.
            Feeding::Drawn(drawn) if !drawn.waits => {
                drawn.given = 0;
                drawn.source.begin(epoch)
            }
            _ => Ok(()),
        }
    }

    /// Takes the next batches, so many at most; says whether there is any.
    pub(super) fn next(&mut self, most: usize) -> Result<bool> {
        match self {
            Feeding::Rows(_, batches) => {
                batches.next(most);
                Ok(true)
            }
            Feeding::Drawn(drawn) => drawn.next(),
        }
    }

    /// The rows of the present batches, and how many are in one.
    pub(super) fn rows(&self) -> (&Fed, &[u32], usize) {
        match self {
            Feeding::Rows(data, batches) => (data, batches.rows(), batches.size),
            Feeding::Drawn(drawn) => (&drawn.now, &drawn.rows, drawn.rows.len()),
        }
    }

    /// The rows of each batch, if all have as many.
    pub(super) fn one_size(&self) -> Option<usize> {
        match self {
            Feeding::Rows(data, batches) => data.one_size(batches.size),
            Feeding::Drawn(_) => None,
        }
    }

    /// Whether every row of the present order has been in a batch.
    pub(super) fn is_used_up(&self) -> bool {
        match self {
            Feeding::Rows(_, batches) => batches.is_used_up(),
            Feeding::Drawn(_) => false,
        }
    }

    /// What tells the data of one fit from that of another.
    pub(super) fn told(&self) -> Value {
        match self {
            Feeding::Rows(data, batches) => {
                let shuffled = !batches.position()["start"].is_null();
                json!({ "rows": data.rows(), "batch size": batches.size, "shuffle": shuffled })
            }
            Feeding::Drawn(drawn) => json!({ "source": drawn.types.iter().map(Type::to_string).collect::<Vec<_>>() }),
        }
    }

    /// Where it stands; nothing, if it cannot go on from there.
    pub(super) fn position(&self) -> Option<Value> {
        match self {
            Feeding::Rows(_, batches) => Some(batches.position()),
            Feeding::Drawn(drawn) => drawn.source.position(),
        }
    }

    /// Goes on from there.
    ///
    /// # Errors
    /// It is no position of such rows.
    pub(super) fn seek(&mut self, position: &Value) -> Result<()> {
        match self {
            Feeding::Rows(_, batches) => match batches.seek(position) {
                true => Ok(()),
                false => Err(Error::file("what the snapshot says of the order of rows is damaged")),
            },
            Feeding::Drawn(drawn) => {
                drawn.waits = false;
                drawn.source.seek(position)
            }
        }
    }
}
