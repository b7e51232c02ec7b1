//! One step of an optimizer: the common settings around what the optimizer itself does.

use std::collections::BTreeMap;

use cornu_graph::{Array, DType, Error, Tensor, Trace, list};

use super::Optimizer;
use super::common::{AVERAGE, GATHERED, is_multiple, quotient};

/// What an optimizer has at hand while its update of one weight is traced. A role that [`Optimizer::slots`] or
/// [`Optimizer::scalars`] does not name is a mistake, which training reports.
pub struct Update {
    class: String,
    trace: Trace,
    rate: Tensor,
    count: Tensor,
    slots: BTreeMap<&'static str, Tensor>,
    scalars: BTreeMap<&'static str, Tensor>,
}

impl Update {
    /// The learning rate, a scalar of the weight's type.
    pub fn rate(&self) -> &Tensor {
        &self.rate
    }

    /// The number of this step, from 1 on: a scalar of the weight's type.
    pub fn count(&self) -> &Tensor {
        &self.count
    }

    /// The slot of that role, as it was before the step.
    pub fn get(&self, role: &str) -> Tensor {
        self.find(&self.slots, role)
    }

    /// The scalar of that role, as [`Optimizer::begin`] has left it.
    pub fn scalar(&self, role: &str) -> Tensor {
        self.find(&self.scalars, role)
    }

    /// Changes a slot, and hands back its new value. Numbers too small to matter become zero, see [`Tensor::flush`].
    pub fn set(&mut self, role: &str, value: Tensor) -> Tensor {
        let value = if value.dtype().is_float() { value.flush() } else { value };
        match self.slots.get_mut(role) {
            Some(slot) => *slot = value.clone(),
            None => self.refuse(&self.slots, role),
        }
        value
    }

    fn find(&self, among: &BTreeMap<&'static str, Tensor>, role: &str) -> Tensor {
        among.get(role).cloned().unwrap_or_else(|| {
            self.refuse(among, role);
            self.trace.constant(Array::scalar(0.0f32))
        })
    }

    /// A new value, which must be of this trace and of the type of what it takes the place of.
    fn checked(&self, new: Tensor, old: &Tensor) -> Tensor {
        if let Err(error) = self.trace.takes(&new, format_args!("optimizer `{}`", self.class)) {
            self.trace.fail(error);
        } else if new.ty() != old.ty() {
            let message = format!("optimizer `{}`: `update` needs {}, got {}", self.class, old.ty(), new.ty());
            self.trace.fail(Error::graph(message));
        }
        new
    }

    fn refuse(&self, among: &BTreeMap<&'static str, Tensor>, role: &str) {
        let known = list(&Vec::from_iter(among.keys().copied()));
        let known = if among.is_empty() { known } else { format!("only {known}") };
        let message = format!("optimizer `{}` has no slot `{role}`, {known}", self.class);
        self.trace.fail(Error::graph(message).help("name it in `Optimizer::slots`"));
    }
}

/// What a step is given, and what it makes of it.
pub(crate) struct Stepped {
    /// The weights.
    pub(crate) weights: Vec<Tensor>,
    /// `[role][weight]`
    pub(crate) slots: Vec<Vec<Tensor>>,
    /// One for each role.
    pub(crate) scalars: Vec<Tensor>,
    /// The number of batches seen, a whole number.
    pub(crate) iterations: Tensor,
}

/// What else goes into a step.
pub(crate) struct With<'a> {
    /// The paths of the weights.
    pub(crate) paths: &'a [&'a str],
    /// The learning rate, unless a schedule says it.
    pub(crate) rate: Option<&'a Tensor>,
    /// What the new value of the weight at that place is held to.
    pub(crate) held: &'a dyn Fn(usize, Tensor) -> Tensor,
}

/// Where gradients are gathered over several batches: whether this one makes a step.
struct Due(Option<Tensor>);

impl Due {
    /// The new value where a step is made, else the old one.
    fn take(&self, new: Tensor, old: &Tensor) -> Tensor {
        self.0.as_ref().map_or(new.clone(), |due| due.select(new, old))
    }
}

/// Gathers gradients, if they are to be: they become means, and `sums` what is gathered.
fn gather(gradients: &mut [Tensor], sums: &mut [Tensor], iterations: &Tensor, steps: i64) -> Due {
    let due = is_multiple(&(iterations + 1), steps);
    for (g, sum) in gradients.iter_mut().zip(sums) {
        let both = &*g + &*sum;
        *sum = due.select(both.number(0.0), &both);
        *g = both / steps as f64;
    }
    Due(Some(due))
}

/// The loss whose gradients are computed.
pub(crate) fn scaled(optimizer: &dyn Optimizer, before: &Stepped, loss: &Tensor) -> Tensor {
    match before.scalars.last().filter(|_| optimizer.loss_scale().is_some()) {
        Some(scale) => loss * scale.cast(loss.dtype()),
        None => optimizer.common().scaled(loss),
    }
}

/// Traces one step by the gradients of [`scaled`].
pub(crate) fn apply(optimizer: &dyn Optimizer, before: &Stepped, gradients: Vec<Tensor>, with: &With) -> Stepped {
    match optimizer.loss_scale() {
        Some(scaling) => scaling.around(before, &gradients, |gradients| step(optimizer, before, gradients, with)),
        None => step(optimizer, before, gradients, with),
    }
}

fn step(optimizer: &dyn Optimizer, before: &Stepped, gradients: Vec<Tensor>, with: &With) -> Stepped {
    let (common, roles) = (optimizer.common(), optimizer.roles());
    let (mut slots, mut gradients) = (before.slots.clone(), common.unscaled(gradients));
    let (mut counted, mut due) = (before.iterations.clone(), Due(None));
    if let (Some(steps), Some(sums)) = (common.gradient_accumulation_steps, place(&roles, GATHERED)) {
        due = gather(&mut gradients, &mut slots[sums], &before.iterations, steps);
        counted = quotient(&counted, steps);
    }
    let (rate, t) = (common.rate(&before.iterations, with.rate), &counted + 1);
    let (mut update, scalars) = begin(optimizer, before, (&rate, &t), &due);
    let mut weights = Vec::new();
    for (i, (w, g)) in before.weights.iter().zip(common.clip(gradients)).enumerate() {
        // Each weight is updated in its own precision.
        (update.rate, update.count) = (rate.cast(w.dtype()), t.cast(w.dtype()));
        update.slots = roles.iter().zip(&before.slots).map(|(&role, slots)| (role, slots[i].clone())).collect();
        let decayed = common.decayed(w, with.paths[i], &update.rate);
        let new = optimizer.update(&mut update, &decayed, &g);
        let mut new = due.take(update.checked(new, w), w);
        for (name, at) in optimizer.slots().iter().filter_map(|slot| Some((slot.name, place(&roles, slot.name)?))) {
            slots[at][i] = due.take(update.checked(update.get(name), w), &before.slots[at][i]);
        }
        if let Some(at) = place(&roles, AVERAGE) {
            (slots[at][i], new) = common.averaged(&before.slots[at][i], &new, &counted.cast(w.dtype()));
        }
        weights.push((with.held)(i, new));
    }
    Stepped { weights, slots, scalars, iterations: &before.iterations + 1 }
}

fn place(roles: &[&str], role: &str) -> Option<usize> {
    roles.iter().position(|known| *known == role)
}

/// What is at hand for all weights, and the new scalars.
fn begin(
    optimizer: &dyn Optimizer,
    before: &Stepped,
    (rate, t): (&Tensor, &Tensor),
    due: &Due,
) -> (Update, Vec<Tensor>) {
    let names: Vec<&'static str> = optimizer.scalars().iter().map(|slot| slot.name).collect();
    let mut update = Update {
        class: optimizer.class_name().into(),
        trace: t.trace().clone(),
        count: t.cast(DType::F32),
        rate: rate.clone(),
        slots: names.iter().copied().zip(before.scalars.iter().cloned()).collect(),
        scalars: BTreeMap::new(),
    };
    optimizer.begin(&mut update);
    let new = |(name, old): (&&str, &Tensor)| due.take(update.checked(update.get(name), old), old);
    let scalars = names.iter().zip(&before.scalars).map(new).collect();
    update.scalars = std::mem::take(&mut update.slots);
    (update, scalars)
}
