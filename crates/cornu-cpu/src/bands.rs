//! Products side by side and the program behind them that reads their elements, as one step. It is for one thread: on
//! several each would find what it reads in the cache of another.

use std::collections::HashSet;

use cornu_graph::{Result, Value};

use crate::fuse::Draft;
use crate::jobs::{Job, Product};
use crate::kernels::bands::{Band, Bands};
use crate::lower::Lowering;
use crate::step::Step;

impl Lowering<'_, '_> {
    /// Adds the step of the first jobs, if they are such, and says how many these are.
    ///
    /// # Errors
    /// Those of the program.
    pub(crate) fn bands(&mut self, jobs: &[Job]) -> Result<usize> {
        let product = |job: &Job| if let Job::Product(product) = job { Some(*product) } else { None };
        let products: Vec<Product> = jobs.iter().map_while(product).collect();
        let count = products.len() + 1;
        let Some(Job::Fused(drafts)) = jobs.get(count - 1).filter(|_| count > 1 && self.target.threads == 1) else {
            return Ok(0);
        };
        if self.plan.is_body || !self.are_apart(&jobs[..count - 1], drafts) {
            return Ok(0);
        }
        let mut made = HashSet::new();
        jobs[..count - 1].iter().for_each(|job| job.each_write(&self.plan.view, |value| _ = made.insert(value)));
        let bands: Option<Vec<Band>> = products.iter().map(|product| self.band(*product, drafts, &made)).collect();
        let Some(bands) = bands else { return Ok(0) };
        let program = self.fused(drafts)?;
        if !program.is_one_pass() {
            return Ok(0);
        }
        let mut makes = Vec::new();
        jobs[..count].iter().for_each(|job| job.each_write(&self.plan.view, |value| makes.push(value)));
        self.add(Step::new(Bands::new(bands, program)), makes);
        Ok(count)
    }

    /// Whether drafts write variables alone, none of which those jobs read.
    fn are_apart(&self, jobs: &[Job], drafts: &[Draft]) -> bool {
        let mut read = HashSet::from([0]);
        let base = |value| self.place(value).span.base;
        jobs.iter().for_each(|job| job.each_read(&self.plan.view, |value, _| _ = read.insert(base(value))));
        drafts.iter().flat_map(|draft| &draft.outputs).all(|&(_, (value, _))| !read.contains(&base(value)))
    }

    /// A product and its place in the program, if one draft goes over its elements, and nothing else that those jobs make.
    fn band(&self, product: Product, drafts: &[Draft], made: &HashSet<Value>) -> Option<Band> {
        let value = product.end.map_or(product.value, |end| end.makes);
        let mut readers = (0..drafts.len()).filter(|&i| drafts[i].reads().any(|read| read == value));
        let (place, None) = (readers.next()?, readers.next()) else { return None };
        let (draft, kernel) = (&drafts[place], self.beside(product)?);
        let (len, rows) = (self.graph().ty(value).size(), kernel.units());
        let is_whole = draft.inputs.contains(&(value, None)) && draft.size == len && rows > 0;
        let is_alone = draft.reads().filter(|read| made.contains(read)).count() == 1;
        let first = drafts[..place].iter().map(|draft| draft.size).sum();
        (is_whole && is_alone).then(|| Band { product: kernel, first, width: len / rows })
    }
}
