//! Programs of a session, and their runs. An executable is made when a step first needs it: for whole inputs, for rows of
//! data of that size, for so many steps at once.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use cornu_graph::{Array, Data, Error, Feed, Graph, Number, Origin, Outcome, Program, Result, Run, Type, check_feeds};

use crate::hlo::{Module, Source};
use crate::plugin::{Done, Executable, Held};
use crate::session::{Store, Var, locked};

/// A program that is ready.
pub(crate) struct Compiled(Arc<Ready>);

/// Where inputs come from, and how many steps are one run.
type Way = (Vec<Source>, usize);

struct Ready {
    store: Arc<Store>,
    module: Module,
    /// In the order of the parameters.
    vars: Vec<Arc<Var>>,
    outputs: Vec<Type>,
    /// Bytes of each result.
    results: Vec<usize>,
    executables: Mutex<HashMap<Way, Arc<Executable>>>,
}

impl Compiled {
    /// Writes a graph as text.
    ///
    /// # Errors
    /// Variables that are not there.
    pub(crate) fn new(store: &Arc<Store>, graph: &Graph) -> Result<Compiled> {
        let module = Module::new(graph);
        let vars = store.vars(module.vars.iter().map(|&(id, _)| id))?;
        let updated = module.vars[..module.updated].iter().map(|(_, ty)| ty);
        let results = updated.chain(&module.results).map(|ty| ty.size() * ty.dtype.size()).collect();
        let outputs = module.results[..module.outputs].to_vec();
        store.programs.fetch_add(1, Ordering::Relaxed);
        let executables = Mutex::default();
        Ok(Compiled(Arc::new(Ready { store: Arc::clone(store), module, vars, outputs, results, executables })))
    }
}

impl Drop for Ready {
    fn drop(&mut self) {
        self.store.programs.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Ready {
    /// The executable for inputs from there and so many steps.
    fn executable(&self, way: Way) -> Result<Arc<Executable>> {
        let mut executables = locked(&self.executables);
        if let Some(executable) = executables.get(&way) {
            return Ok(Arc::clone(executable));
        }
        let text = self.module.text(&way.0, way.1);
        let compiled = self.store.client.compile(&text, &self.results, &self.store.count);
        let executable = Arc::new(compiled.map_err(|error| error.context("compiling a step"))?);
        executables.insert(way, Arc::clone(&executable));
        Ok(executable)
    }
}

/// Data as its buffer.
///
/// # Errors
/// It was uploaded to another machine, or to another plugin.
fn held(data: &Data, store: &Store) -> Result<Arc<Held>> {
    let held = data.held::<Arc<Held>>()?;
    let other = || Error::usage("a step was given data of another plugin").help("upload it to this session");
    if held.is_of(store.client) { Ok(Arc::clone(held)) } else { Err(other()) }
}

impl Program for Compiled {
    fn room(&self) -> Result<Box<dyn Run>> {
        let outcome = Outcome::default();
        Ok(Box::new(XlaRun { ready: Arc::clone(&self.0), results: Vec::new(), done: None, outcome }))
    }

    fn changes(&self) -> bool {
        self.0.module.updated > 0
    }

    fn describe(&self) -> String {
        self.0.module.step().to_owned()
    }
}

struct XlaRun {
    ready: Arc<Ready>,
    /// Outputs of the last step, and what its checks say.
    results: Vec<Held>,
    done: Option<Done>,
    outcome: Outcome,
}

impl XlaRun {
    /// Begins a run of steps, and waits for what its checks say, if it has any.
    fn go(&mut self, way: Way, data: Vec<Arc<Held>>) -> Result<()> {
        let ready = Arc::clone(&self.ready);
        let (store, module) = (&ready.store, &ready.module);
        let executable = ready.executable(way)?;
        {
            let alone = module.updated > 0;
            let _alone = alone.then(|| store.turn.write().unwrap_or_else(PoisonError::into_inner));
            let _together = (!alone).then(|| store.turn.read().unwrap_or_else(PoisonError::into_inner));
            store.failure.check()?;
            let arguments: Vec<Arc<Held>> = ready.vars.iter().map(|var| var.held()).chain(data).collect();
            let (mut held, done) = self.noting(executable.run(&arguments))?;
            (self.results, self.done) = (held.split_off(module.updated), Some(done));
            ready.vars.iter().zip(held).for_each(|(var, held)| var.set(held));
        }
        self.checked()
    }

    /// A failure of a program that changes variables is that of the session.
    fn noting<T>(&self, result: Result<T>) -> Result<T> {
        if self.ready.module.updated > 0 { self.ready.store.noting(result) } else { result }
    }

    /// What the checks of the last step say.
    fn checked(&self) -> Result<()> {
        let Module { checks, outputs, results, .. } = &self.ready.module;
        if checks.is_empty() {
            return Ok(());
        }
        let number = |place: usize| -> Result<Number> {
            let mut array = Array::zeros(&results[place]);
            self.noting(self.results[place].read_into(&mut array))?;
            Ok(array.number(0))
        };
        let Number::Whole(first) = number(*outputs)? else { unreachable!("the number of a check is whole") };
        let Some(check) = checks.get(first as usize) else { return Ok(()) };
        let before: usize = checks[..first as usize].iter().map(|check| check.numbers.len()).sum();
        let places = (0..check.numbers.len()).map(|i| outputs + 1 + before + i);
        Err(check.error(places.map(number).collect::<Result<Vec<_>>>()?))
    }

    fn begin(&mut self, feeds: &[Feed]) -> Result<()> {
        let ready = Arc::clone(&self.ready);
        let (client, count) = (ready.store.client, &ready.store.count);
        check_feeds(feeds, ready.module.inputs.iter())?;
        ready.store.failure.check()?;
        let (mut sources, mut data, mut rows) = (Vec::new(), Vec::new(), Vec::<(&[u32], Arc<Held>)>::new());
        for feed in feeds {
            sources.push(Source::Whole);
            data.push(match feed {
                Feed::Host(array) => Arc::new(client.upload(array, count)?),
                Feed::Whole(data) => held(data, &ready.store)?,
                Feed::Rows(data, picked) => {
                    *sources.last_mut().expect("it was pushed") = Source::Rows(data.ty().shape[0]);
                    let same = rows.iter().find(|(known, _)| std::ptr::eq(*known, *picked));
                    let numbers = match same {
                        Some((_, numbers)) => Arc::clone(numbers),
                        None => Arc::new(client.send(picked, &[picked.len()], count)?),
                    };
                    rows.push((picked, numbers));
                    held(data, &ready.store)?
                }
            });
        }
        data.extend(rows.into_iter().map(|(_, numbers)| numbers));
        self.go((sources, 1), data)
    }

    fn begin_all(&mut self, data: &[&Data], order: &[u32], batch: usize) -> Result<()> {
        if batch == 0 || !order.len().is_multiple_of(batch) {
            return Err(Error::usage(format!("steps need whole batches of {batch} rows, got {} rows", order.len())));
        }
        let ready = Arc::clone(&self.ready);
        let mut feeds = Vec::with_capacity(data.len());
        for rows in order.chunks_exact(batch) {
            feeds.clear();
            feeds.extend(data.iter().map(|data| Feed::Rows(data, rows)));
            check_feeds(&feeds, ready.module.inputs.iter())?;
        }
        match order.len() / batch {
            0 => Ok(()),
            1 => self.begin(&feeds),
            steps => {
                let sources = data.iter().map(|data| Source::Rows(data.ty().shape[0])).collect();
                let mut data: Vec<Arc<Held>> =
                    data.iter().map(|data| held(data, &ready.store)).collect::<Result<_>>()?;
                if !data.is_empty() {
                    let order = ready.store.client.send(order, &[order.len()], &ready.store.count)?;
                    data.push(Arc::new(order));
                }
                self.go((sources, steps), data)
            }
        }
    }
}

/// Nothing ends under a step that runs: neither its program nor the process.
impl Drop for XlaRun {
    fn drop(&mut self) {
        // Whoever wanted to know has asked.
        self.done.iter().for_each(|done| _ = done.wait());
    }
}

impl Run for XlaRun {
    fn start(&mut self, feeds: &[Feed]) -> Result<()> {
        let result = self.begin(feeds);
        self.outcome.note(result)
    }

    fn steps(&mut self, data: &[&Data], order: &[u32], batch: usize) -> Result<()> {
        let result = self.begin_all(data, order, batch);
        if order.is_empty() { result } else { self.outcome.note(result) }
    }

    fn outputs(&self) -> &[Type] {
        &self.ready.outputs
    }

    fn output_into(&mut self, index: usize, to: &mut Array) -> Result<()> {
        self.outcome.check(index, self.ready.outputs.get(index), to)?;
        let read = self.noting(self.results[index].read_into(to));
        read.or_else(|error| self.outcome.note(Err(error)))
    }

    fn wait(&mut self) -> Result<()> {
        self.outcome.get()?;
        let waited = self.noting(self.done.as_ref().map_or(Ok(()), Done::wait));
        self.outcome.note(waited)
    }

    /// All of it takes as long as it takes.
    fn profile(&mut self, feeds: &[Feed], clock: &dyn Fn() -> u64) -> Result<Vec<(Origin, u64)>> {
        let begun = clock();
        self.start(feeds)?;
        self.wait()?;
        Ok(vec![(Origin::default(), clock().wrapping_sub(begun))])
    }
}
