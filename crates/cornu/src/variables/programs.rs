//! The programs of a store: of all models that share it, for each size of batch that occurred.

use std::sync::{Arc, Mutex};

use cornu_graph::{Program, Type};

use super::locked;

/// How many programs a store keeps: with one more, the one that was not used for longest goes.
pub(crate) const MOST_PROGRAMS: usize = 32;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Train,
    Test,
    Predict,
}

/// The one used last is the last.
#[derive(Default)]
pub(crate) struct Programs(Mutex<Vec<Kept>>);

struct Kept {
    owner: usize,
    kind: Kind,
    types: Vec<Type>,
    program: Arc<dyn Program>,
}

impl Programs {
    /// The program of that owner for inputs whose types fit.
    pub(crate) fn find(&self, owner: usize, kind: Kind, fits: impl Fn(&[Type]) -> bool) -> Option<Arc<dyn Program>> {
        let mut all = locked(&self.0);
        let is_it = |kept: &Kept| kept.owner == owner && kept.kind == kind && fits(&kept.types);
        let place = all.iter().rposition(is_it)?;
        all[place..].rotate_left(1);
        all.last().map(|kept| Arc::clone(&kept.program))
    }

    /// Keeps a program, unless another thread was faster; gives the one that is kept.
    pub(crate) fn keep(
        &self,
        owner: usize,
        kind: Kind,
        types: Vec<Type>,
        program: Arc<dyn Program>,
    ) -> Arc<dyn Program> {
        if let Some(kept) = self.find(owner, kind, |known| *known == *types) {
            return kept;
        }
        let mut all = locked(&self.0);
        let gone = (all.len() == MOST_PROGRAMS).then(|| all.remove(0));
        all.push(Kept { owner, kind, types, program: Arc::clone(&program) });
        drop(all);
        drop(gone);
        program
    }

    /// Gives up programs of some kinds.
    pub(crate) fn remove(&self, owner: usize, which: impl Fn(Kind) -> bool) {
        let mut all = locked(&self.0);
        let gone: Vec<Kept> = all.extract_if(.., |kept| kept.owner == owner && which(kept.kind)).collect();
        drop(all);
        drop(gone);
    }
}
