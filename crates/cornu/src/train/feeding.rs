//! The rows of a training on their way: those of data on the machine, or what a source gives.

use std::collections::BTreeMap;

use cornu_graph::room::room;
use cornu_graph::{Error, Result, Type};
use serde_json::{Value, json};

use super::batches::{Batches, InOrder};
use super::model::weigh;
use super::source::{Batch, Source};
use crate::step::{Data, Ends, Fed, Given, ORDER, checks};

/// Where the rows of a training come from.
pub(super) enum Feeding {
    /// From data on the machine, in an order.
    Rows(Fed, Batches),
    /// From a source.
    Drawn(Box<Drawn>),
}

/// A source that has begun, and its first batch.
pub(super) struct Begun {
    /// What messages call it.
    what: &'static str,
    source: Box<dyn Source>,
    /// The epoch that it has last begun.
    epoch: usize,
    /// Where it stood at first, if it can go back there.
    start: Option<Value>,
    first: Given,
}

/// What a source gives.
pub(super) struct Drawn {
    begun: Begun,
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

impl Begun {
    /// The source begins with that epoch.
    ///
    /// # Errors
    /// Those of the source, and none at all; a batch without labels, unless it is to predict from.
    pub(super) fn new(what: &'static str, mut source: Box<dyn Source>, epoch: usize) -> Result<Begun> {
        let start = source.position();
        source.begin(epoch)?;
        let first = source.next()?;
        let none = || Error::data(format!("the {what} has no batch")).help("`next` gives the first one");
        let Batch(first) = first.ok_or_else(none)?;
        Ok(Begun { what, source, epoch, start, first })
    }

    /// The first batch, with labels.
    ///
    /// # Errors
    /// There are none.
    pub(super) fn labelled(&mut self) -> Result<Given> {
        if self.first.y.is_none() {
            let error = Error::data(format!("batch 1 of the {} has no labels", self.what));
            return Err(error.help("give them as well: `Batch::new(x, y)`"));
        }
        Ok(std::mem::take(&mut self.first))
    }

    /// The features of the first batch.
    pub(super) fn features(&mut self) -> Given {
        Given { x: std::mem::take(&mut self.first.x), ..Given::default() }
    }

    /// What it gives, from the first batch on, as the model takes it.
    pub(super) fn feeding(self, ends: Ends, class_weight: Option<BTreeMap<i64, f64>>, first: Data) -> Result<Feeding> {
        let ends = ends.owned();
        let now = first.here()?;
        let (types, rows) = (now.types(0), now.order()?);
        let drawn = Drawn { begun: self, ends, class_weight, types, now, rows, waits: true, given: 0 };
        Ok(Feeding::Drawn(Box::new(drawn)))
    }
}

impl Drawn {
    /// An epoch begins; where the source has begun it already, its first batch is here.
    fn begin(&mut self, epoch: usize) -> Result<()> {
        if self.waits && self.begun.epoch == epoch {
            return Ok(());
        }
        (self.waits, self.given, self.begun.epoch) = (false, 0, epoch);
        self.begun.source.begin(epoch)
    }

    /// An epoch begins, with the batches that the first had, if the source can go back to them.
    fn restart(&mut self, epoch: usize) -> Result<()> {
        if let Some(start) = self.begun.start.as_ref().filter(|_| !self.waits || self.begun.epoch != epoch) {
            self.begun.source.seek(start)?;
        }
        self.begin(epoch)
    }

    /// Takes the next batch, if there is one.
    fn next(&mut self) -> Result<bool> {
        if std::mem::take(&mut self.waits) {
            self.given = 1;
            return Ok(true);
        }
        let Some(Batch(given)) = self.begun.source.next()? else { return Ok(false) };
        self.given += 1;
        let place = format!("batch {} of the {}", self.given, self.begun.what);
        let judged = !self.ends.judged.is_empty();
        let data = || {
            // To predict from, labels are passed over, and whatever the numbers are.
            let given = if judged { given } else { Given { x: given.x, ..Given::default() } };
            let mut data = given.of(&self.ends)?;
            if judged { checks::numbers(&data) } else { checks::rows(&data) }?;
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
            Feeding::Drawn(drawn) => drawn.begun.source.batches(),
        }
    }

    /// An epoch begins.
    pub(super) fn begin(&mut self, epoch: usize) -> Result<()> {
        match self {
            Feeding::Rows(..) => Ok(()),
            Feeding::Drawn(drawn) => drawn.begin(epoch),
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

    /// The rows of a batch.
    pub(super) fn size(&self) -> usize {
        self.rows().2
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
            Feeding::Drawn(drawn) => drawn.begun.source.position(),
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
                drawn.begun.source.seek(position)
            }
        }
    }
}

/// What is evaluated or predicted, from its beginning.
pub(super) struct Whole {
    pub(super) feeding: Feeding,
    /// How many batches at most.
    pub(super) steps: usize,
}

impl Whole {
    /// Rows in their own order.
    ///
    /// # Errors
    /// No room for that order.
    pub(super) fn rows(data: Fed, batches: InOrder) -> Result<Whole> {
        room::<u32>(ORDER, &[data.rows()])?;
        let order = Batches::new(None, data.rows(), batches.size);
        Ok(Whole { feeding: Feeding::Rows(data, order), steps: batches.steps })
    }

    /// What a source gives, so many batches at most.
    pub(super) fn drawn(feeding: Feeding, steps: Option<usize>) -> Whole {
        let all = feeding.batches().unwrap_or(usize::MAX);
        Whole { steps: steps.map_or(all, |steps| steps.min(all)), feeding }
    }

    /// How many batches there are; 0 where that is not known, as Keras tells it.
    pub(super) fn told(&self) -> usize {
        if self.steps == usize::MAX { 0 } else { self.steps }
    }

    /// It begins, after that epoch.
    pub(super) fn begin(&mut self, epoch: usize) -> Result<()> {
        match &mut self.feeding {
            Feeding::Rows(_, batches) => {
                batches.restart();
                Ok(())
            }
            Feeding::Drawn(drawn) => drawn.restart(epoch),
        }
    }
}
