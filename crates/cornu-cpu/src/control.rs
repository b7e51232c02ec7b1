//! Steps that run steps: loops, branches and calls.
//!
//! A body is planned once, over a table of its own: its memory, its inputs, its outputs, its constants. The loop moves the
//! pointers of slices, of carries and of stacked results, so that steps read and write them where they lie.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use cornu_graph::ops::{Op, Scan};
use cornu_graph::{DType, Graph, Result, Value};

use crate::kernels::memory::{LINE, Room, Slots};
use crate::kernels::operand::{Bases, Place, Span};
use crate::kernels::threads::{Threads, share};
use crate::step::{self, Machine, Step};

/// A planned body.
pub(crate) struct Frame {
    pub(crate) graph: Graph,
    pub(crate) steps: Vec<Step>,
    /// For each step, the values it leaves in memory.
    pub(crate) makes: Vec<Vec<Value>>,
    /// For each carry, the output that is the same value and is written in its place.
    pub(crate) twins: Vec<Option<usize>>,
    /// For each carry, the stacked output that is what a step is given of it.
    pub(crate) kept: Vec<Option<usize>>,
    /// Into how many rows each step can be cut, such that the next needs the same row alone.
    pub(crate) rows: Option<usize>,
    /// Where the table around has its constants.
    pub(crate) constants: Vec<u32>,
    /// What is done once before a loop, and the bytes of each matrix that is turned by it: the last buffers.
    pub(crate) before: Vec<Step>,
    pub(crate) turned: Vec<usize>,
    /// Bytes between inputs and outputs.
    pub(crate) memory: usize,
}

/// An op with bodies.
pub(crate) struct Control {
    pub(crate) op: Op,
    pub(crate) frames: Vec<Arc<Frame>>,
    pub(crate) args: Vec<Place>,
    pub(crate) results: Vec<Place>,
}

/// What a loop reads or writes of a stacked value in step `t`.
fn row(all: Place, t: usize, scan: &Scan) -> Place {
    let len = all.len / scan.length;
    let row = Place { len, ..all };
    Place { span: Span { at: all.span.at + t * row.bytes(), ..all.span }, ..row }
}

/// Where each of some stretches begins that lie one behind the other.
fn ends(bytes: &[usize]) -> impl Iterator<Item = usize> {
    bytes.iter().scan(0, |end, bytes| Some(std::mem::replace(end, *end + bytes)))
}

/// A body that can run.
struct Running<'a> {
    frame: &'a Frame,
    table: Slots<'a>,
    machine: Machine<'a>,
}

impl Frame {
    fn inputs(&self) -> usize {
        self.graph.inputs.len()
    }

    fn buffers(&self) -> usize {
        1 + self.inputs() + self.graph.outputs.len() + self.constants.len() + self.turned.len()
    }

    /// Bytes of its table and its memory.
    fn own(&self) -> usize {
        Slots::bytes(self.buffers()).saturating_add(self.memory.checked_next_multiple_of(LINE).unwrap_or(usize::MAX))
    }

    /// The body with its memory, the constants of the table around, and the matrices that were turned before the loop;
    /// inputs and outputs are still to be told.
    fn enter<'a>(&'a self, machine: Machine<'a>, turned: Room) -> Running<'a> {
        let (table, rest) = Slots::new(machine.scratch, self.buffers());
        let (memory, scratch) = rest.cut(self.memory);
        table.set(0, memory.start());
        let first = self.buffers() - self.turned.len() - self.constants.len();
        for (number, &base) in self.constants.iter().enumerate() {
            table.set(first + number, machine.bases.at(Span { base, at: 0 }));
        }
        for (number, at) in ends(&self.turned).enumerate() {
            table.set(first + self.constants.len() + number, turned.start().wrapping_add(at));
        }
        Running { frame: self, table, machine: Machine { scratch, ..machine } }
    }
}

impl<'a> Running<'a> {
    fn set_input(&self, number: usize, to: *mut u8) {
        self.table.set(1 + number, to);
    }

    /// Where an output is in the table.
    fn output(&self, number: usize) -> usize {
        1 + self.frame.inputs() + number
    }

    fn set_output(&self, number: usize, to: *mut u8) {
        self.table.set(self.output(number), to);
    }

    /// An output becomes an input.
    fn feed_back(&self, output: usize, input: usize) {
        self.set_input(input, self.table.get(self.output(output)));
    }

    fn run(&self) -> Result<()> {
        step::run(&self.frame.steps, Machine { bases: self.table.bases(), ..self.machine })
    }

    /// Some of so many rows, on this thread. All steps are kernels.
    fn run_rows(&self, rows: Range<usize>, count: usize) -> Result<()> {
        let Machine { level, scratch, .. } = self.machine;
        for step in &self.frame.steps {
            if let Step::Kernel(task) = step {
                task.stretch(level, self.table.bases(), rows.clone(), count, scratch);
            }
        }
        Ok(())
    }

    /// What is left of the scratch memory.
    fn rest(&self) -> Machine<'a> {
        self.machine
    }
}

impl Control {
    pub(crate) fn run(&self, machine: Machine) -> Result<()> {
        match &self.op {
            Op::Scan(scan) => self.scan(scan, machine),
            Op::While(op) => self.repeat(op.consts, machine),
            Op::If(_) => {
                let condition = machine.bases.number(self.args[0]).f64();
                self.once(&self.frames[usize::from(condition == 0.0)], &self.args[1..], machine)
            }
            _ => self.once(&self.frames[0], &self.args, machine),
        }
    }

    fn once(&self, frame: &Frame, args: &[Place], machine: Machine) -> Result<()> {
        let body = frame.enter(machine, machine.scratch);
        args.iter().enumerate().for_each(|(i, arg)| body.set_input(i, machine.bases.at(arg.span)));
        self.results.iter().enumerate().for_each(|(i, to)| body.set_output(i, machine.bases.at(to.span)));
        body.run()
    }

    fn scan(&self, scan: &Scan, machine: Machine) -> Result<()> {
        let frame = &*self.frames[0];
        let (places, scratch) = self.places(&self.results[..scan.carries], machine.scratch);
        let (turned, scratch) = scratch.cut(frame.turned.iter().sum());
        let inside = Machine { scratch, ..machine };
        let body = frame.enter(inside, turned);
        (0..scan.consts).for_each(|i| body.set_input(i, machine.bases.at(self.args[i].span)));
        for (i, kept) in frame.kept.iter().enumerate() {
            if let (Some(output), Some(t)) = (kept, scan.order().next()) {
                machine.bases.copy(self.args[scan.consts + i], row(self.results[*output], t, scan));
            }
        }
        step::run(&frame.before, Machine { bases: body.table.bases(), ..body.machine })?;
        let is_map = self.is_map();
        let count = if is_map { Some(scan.length) } else { frame.rows };
        match count.map(|count| (count, self.parts(scan, count, machine.threads))) {
            Some((count, parts @ 2..)) => {
                let own = self.own_of_rows();
                machine.threads.run(parts, &|part, parts| {
                    let body = frame.enter(Machine { scratch: scratch.piece(part * own, own), ..machine }, turned);
                    let share = share(count, part, parts);
                    let (steps, rows, count) = if is_map { (share, 0..1, 1) } else { (0..scan.length, share, count) };
                    let run = |body: &Running| body.run_rows(rows.clone(), count);
                    self.steps(scan, steps, &body, &places, machine.bases, &run).expect("no step is a check");
                });
            }
            _ => self.steps(scan, 0..scan.length, &body, &places, machine.bases, &|body: &Running| body.run())?,
        }
        for (i, &result) in self.results[..scan.carries].iter().enumerate() {
            match (frame.twins[i], scan.order().last()) {
                (_, None) => machine.bases.copy(self.args[scan.consts + i], result),
                (Some(twin), Some(t)) => machine.bases.copy(row(self.results[twin], t, scan), result),
                (None, Some(_)) => {}
            }
        }
        Ok(())
    }

    /// Whether it is a loop that carries nothing, of kernels alone: each thread may run some of its steps.
    fn is_map(&self) -> bool {
        let is_kernel = |step: &Step| matches!(step, Step::Kernel(_));
        matches!(&self.op, Op::Scan(scan) if scan.carries == 0) && self.frames[0].steps.iter().all(is_kernel)
    }

    /// Those steps of a loop; all, where it has carries. They go to and fro between their results and other places, such that
    /// the last are results.
    fn steps(
        &self,
        scan: &Scan,
        steps: Range<usize>,
        body: &Running,
        places: &(impl Iterator<Item = *mut u8> + Clone),
        bases: Bases,
        run: &dyn Fn(&Running) -> Result<()>,
    ) -> Result<()> {
        let (carries, stacked) = self.results.split_at(scan.carries);
        let (same, rows) = self.args.split_at(scan.inputs());
        let at = |place: Place| bases.at::<u8>(place.span);
        let kept = |i: usize, t: usize| body.frame.kept[i].map(|output| at(row(self.results[output], t, scan)));
        let first = |i: usize| kept(i.checked_sub(scan.consts)?, scan.order().next()?);
        same.iter().enumerate().for_each(|(i, &arg)| body.set_input(i, first(i).unwrap_or_else(|| at(arg))));
        let nexts = scan.order().skip(1).map(Some).chain([None]);
        for (done, (t, next)) in scan.order().zip(nexts).enumerate().take(steps.end).skip(steps.start) {
            rows.iter().enumerate().for_each(|(i, &x)| body.set_input(same.len() + i, at(row(x, t, scan))));
            stacked.iter().enumerate().for_each(|(i, &y)| body.set_output(carries.len() + i, at(row(y, t, scan))));
            for (i, (&result, place)) in carries.iter().zip(places.clone()).enumerate() {
                let own = if (scan.length - done) % 2 == 1 { at(result) } else { place };
                let own = next.and_then(|next| kept(i, next)).unwrap_or(own);
                body.set_output(i, body.frame.twins[i].map_or(own, |twin| body.table.get(body.output(twin))));
            }
            run(body)?;
            (0..carries.len()).for_each(|i| body.feed_back(i, scan.consts + i));
        }
        Ok(())
    }

    /// How many threads are worth a loop over rows.
    fn parts(&self, scan: &Scan, rows: usize, threads: &Threads) -> usize {
        let kernels = self.frames[0].steps.iter();
        let worth = kernels.map(|step| if let Step::Kernel(task) = step { task.worth() } else { 0.0 });
        threads.count().min(rows).min((worth.sum::<f64>() * scan.length as f64) as usize)
    }

    /// Bytes of scratch memory of a thread that runs a loop for some rows.
    fn own_of_rows(&self) -> usize {
        let kernels = self.frames[0].steps.iter();
        let most = kernels.map(|step| if let Step::Kernel(task) = step { task.scratch(1) } else { 0 }).max();
        let own = self.frames[0].own().saturating_add(most.unwrap_or(0)).saturating_add(2 * LINE);
        own.checked_next_multiple_of(LINE).unwrap_or(usize::MAX)
    }

    /// Carries go to and fro between their results and other places.
    fn repeat(&self, consts: usize, machine: Machine) -> Result<()> {
        let (places, scratch) = self.places(&self.results, machine.scratch);
        let (truth, scratch) = scratch.cut(LINE);
        let condition = self.frames[0].enter(Machine { scratch, ..machine }, scratch);
        let body = self.frames[1].enter(condition.rest(), scratch);
        let condition = Running { machine: body.rest(), ..condition };
        for (i, arg) in self.args.iter().enumerate() {
            [&condition, &body].into_iter().for_each(|running| running.set_input(i, machine.bases.at(arg.span)));
        }
        condition.set_output(0, truth.start());
        let span = Span { base: condition.output(0) as u32, at: 0 };
        let holds = || condition.table.bases().number(Place { dtype: DType::Bool, span, len: 1 }).f64() != 0.0;
        let mut is_even = true;
        while condition.run().map(|()| holds())? {
            for (i, (result, place)) in self.results.iter().zip(places.clone()).enumerate() {
                body.set_output(i, if is_even { machine.bases.at(result.span) } else { place });
            }
            body.run()?;
            (0..self.results.len()).for_each(|i| {
                condition.set_input(consts + i, body.table.get(body.output(i)));
                body.feed_back(i, consts + i);
            });
            is_even = !is_even;
        }
        let last = self.results.iter().enumerate();
        last.for_each(|(i, &result)| body.table.copy(1 + consts + i, machine.bases, result));
        Ok(())
    }

    /// A place more for each carry, and the memory behind.
    fn places<'a>(
        &'a self,
        carries: &'a [Place],
        room: Room<'a>,
    ) -> (impl Iterator<Item = *mut u8> + Clone + use<'a>, Room<'a>) {
        let (places, rest) = room.cut(carries.iter().map(|carry| carry.padded()).sum());
        let mut end = 0;
        let starts = carries.iter().map(move |carry| {
            end += carry.padded();
            places.start().wrapping_add(end - carry.padded())
        });
        (starts, rest)
    }

    /// How many bytes of scratch memory it needs.
    pub(crate) fn scratch(&self, threads: &Threads) -> usize {
        let steps = self.frames.iter().flat_map(|frame| frame.steps.iter().chain(&frame.before));
        let steps = steps.map(|step| step.scratch(threads)).max().unwrap_or(0);
        let own = self.frames.iter().map(|frame| frame.own());
        let (carries, own) = match &self.op {
            Op::Scan(scan) => {
                let is_shared = self.frames[0].rows.is_some() || self.is_map();
                let rows = if is_shared { self.own_of_rows().saturating_mul(threads.count()) } else { 0 };
                (scan.carries, own.fold(rows, usize::max))
            }
            Op::While(_) => (self.results.len(), own.fold(LINE, usize::saturating_add)),
            _ => (0, own.fold(0, usize::max)),
        };
        let turned = self.frames.iter().flat_map(|frame| frame.turned.iter().copied());
        let places = self.results[..carries].iter().map(|carry| carry.padded()).chain(turned);
        places.fold(steps.saturating_add(own), usize::saturating_add)
    }
}

impl fmt::Display for Control {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.op, f)?;
        if self.frames[0].rows.is_some() {
            return f.write_str(" by rows");
        }
        if self.is_map() { f.write_str(" by steps") } else { Ok(()) }
    }
}
