//! The programs of a store: of all models that share it, for each size of batch that occurred; and the runs of the one
//! that is in use, which callers hand on to each other.

use std::sync::{Arc, Mutex};

use cornu_graph::{Program, Result, Run, Type};

use super::locked;

/// How many programs a store keeps: with one more, the one that was not used for longest goes.
pub(crate) const MOST_PROGRAMS: usize = 32;

/// How many runs that nobody has are kept: as many as callers come at once.
const MOST_IDLE: usize = 16;

/// What a step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Train,
    Test,
    Predict,
}

/// The programs, of which the one used last is the last.
#[derive(Default)]
pub(crate) struct Programs(Mutex<Known>);

#[derive(Default)]
struct Known {
    all: Vec<Kept>,
    /// Runs of the last program that nobody has. Those of others give their memory back.
    idle: Vec<Box<dyn Run>>,
    /// How many programs there have been.
    made: u64,
}

struct Kept {
    owner: usize,
    kind: Kind,
    types: Vec<Type>,
    program: Arc<dyn Program>,
    number: u64,
}

/// A run that one caller has; the next may have it after him.
pub(crate) struct Lent {
    run: Option<Box<dyn Run>>,
    programs: Arc<Programs>,
    number: u64,
}

impl Programs {
    /// A run of the program of that owner for inputs whose types fit, if there is one.
    ///
    /// # Errors
    /// There must be memory for it.
    pub(crate) fn lend(
        self: &Arc<Self>,
        owner: usize,
        kind: Kind,
        fits: impl Fn(&[Type]) -> bool,
    ) -> Result<Option<Lent>> {
        let mut known = locked(&self.0);
        let is_it = |kept: &Kept| kept.owner == owner && kept.kind == kind && fits(&kept.types);
        let Some(place) = known.all.iter().rposition(is_it) else { return Ok(None) };
        let last = known.all.len() - 1;
        let others = if place == last { Vec::new() } else { std::mem::take(&mut known.idle) };
        known.all[place..].rotate_left(1);
        let number = known.all[last].number;
        let run = match known.idle.pop() {
            Some(run) => run,
            None => {
                let program = Arc::clone(&known.all[last].program);
                drop(known);
                drop(others);
                program.room()?
            }
        };
        Ok(Some(Lent { run: Some(run), programs: Arc::clone(self), number }))
    }

    /// Keeps a program, unless another thread was faster.
    pub(crate) fn keep(&self, owner: usize, kind: Kind, types: Vec<Type>, program: Arc<dyn Program>) {
        let mut known = locked(&self.0);
        if known.all.iter().any(|kept| kept.owner == owner && kept.kind == kind && kept.types == types) {
            return;
        }
        let others = std::mem::take(&mut known.idle);
        let gone = (known.all.len() == MOST_PROGRAMS).then(|| known.all.remove(0));
        let number = known.made;
        known.made += 1;
        known.all.push(Kept { owner, kind, types, program, number });
        drop(known);
        drop((others, gone));
    }

    /// Gives up programs of some kinds.
    pub(crate) fn remove(&self, owner: usize, which: impl Fn(Kind) -> bool) {
        let mut known = locked(&self.0);
        let others = std::mem::take(&mut known.idle);
        let gone: Vec<Kept> = known.all.extract_if(.., |kept| kept.owner == owner && which(kept.kind)).collect();
        drop(known);
        drop((others, gone));
    }

    /// Takes a run of the program of that number back. It is given back if another is in use.
    fn take_back(&self, number: u64, run: Box<dyn Run>) -> Option<Box<dyn Run>> {
        let mut known = locked(&self.0);
        if known.idle.len() < MOST_IDLE && known.all.last().is_some_and(|last| last.number == number) {
            known.idle.push(run);
            return None;
        }
        Some(run)
    }
}

impl Lent {
    pub(crate) fn run(&mut self) -> &mut dyn Run {
        self.run.as_deref_mut().expect("a run is there until it is handed on")
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let run = self.run.take();
        // Whoever drops it has no lock.
        drop(run.and_then(|run| self.programs.take_back(self.number, run)));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use cornu_graph::{Array, Feed, Origin};

    use super::*;

    /// A program whose runs are counted: those there are.
    #[derive(Clone, Default)]
    struct Counted(Arc<AtomicUsize>);

    impl Counted {
        fn runs(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Program for Counted {
        fn room(&self) -> Result<Box<dyn Run>> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(Box::new(Idle(self.clone())))
        }

        fn changes(&self) -> bool {
            false
        }

        fn describe(&self) -> String {
            String::new()
        }
    }

    struct Idle(Counted);

    impl Drop for Idle {
        fn drop(&mut self) {
            self.0.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl Run for Idle {
        fn start(&mut self, _: &[Feed]) -> Result<()> {
            Ok(())
        }

        fn outputs(&self) -> &[Type] {
            &[]
        }

        fn output_into(&mut self, _: usize, _: &mut Array) -> Result<()> {
            Ok(())
        }

        fn wait(&mut self) -> Result<()> {
            Ok(())
        }

        fn profile(&mut self, _: &[Feed], _: &dyn Fn() -> u64) -> Result<Vec<(Origin, u64)>> {
            Ok(Vec::new())
        }
    }

    #[test]
    fn callers_hand_on_the_runs_of_the_program_in_use() -> Result<()> {
        let (programs, small, large) = (Arc::new(Programs::default()), Counted::default(), Counted::default());
        let lend = |rows: usize| programs.lend(1, Kind::Predict, |types| types[0].shape[0] == rows);
        assert!(lend(1)?.is_none());
        let keep = |rows, program: &Counted| {
            programs.keep(1, Kind::Predict, vec![Type::f32([rows])], Arc::new(program.clone()));
        };
        keep(1, &small);
        (0..3).try_for_each(|_| lend(1).map(drop))?;
        assert_eq!(small.runs(), 1);
        let both = (lend(1)?, lend(1)?);
        assert_eq!(small.runs(), 2);
        drop(both);
        let many = (0..2 * MOST_IDLE).map(|_| lend(1)).collect::<Result<Vec<_>>>()?;
        assert_eq!(small.runs(), 2 * MOST_IDLE);
        drop(many);
        assert_eq!(small.runs(), MOST_IDLE);
        // The memory of those that wait is there for another program, and a run that comes back later goes as well.
        let late = lend(1)?;
        keep(2, &large);
        assert_eq!(small.runs(), 1);
        drop((lend(2)?, late));
        assert_eq!((small.runs(), large.runs()), (0, 1));
        drop(lend(1)?);
        assert_eq!((small.runs(), large.runs()), (1, 0));
        programs.remove(1, |_| true);
        assert_eq!((small.runs(), lend(1)?.is_none()), (0, true));
        Ok(())
    }
}
