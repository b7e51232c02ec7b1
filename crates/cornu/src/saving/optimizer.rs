//! The state of an optimizer in an HDF5 file: `optimizer/vars/0, 1, …`. Keras 2.13 and Keras 3 expect different lists
//! there; `docs/decisions/0010-learning-rate-in-files.md` says what is written and why.

use cornu_files::h5::{Attribute, Builder, H5};
use cornu_graph::{Array, DType, Error, Result, Type};

use crate::flavor::Flavor;
use crate::optimizers::{FileOrder, Optimizer};
use crate::step::OptimizerState;
use crate::variables::Variables;

/// Where the variables stand.
const FOLDER: &str = "optimizer/vars";

/// How a model is saved: the arguments of [`Model::save_with`](crate::Model::save_with).
///
/// Every file opens in Keras 2.13 and in Keras 3 with layers, weights and training settings. For the state of the
/// optimizer they expect different files, unless the learning rate is a schedule: that of a file for both versions is one
/// that never changes.
#[derive(Clone, Copy, Debug)]
pub struct Save {
    keras: Option<u32>,
}

impl Save {
    /// A file from which both versions of Keras restore the optimizer's state, wherever that exists.
    pub fn new() -> Save {
        Save { keras: None }
    }

    /// A file for one version of Keras, 2 or 3. There the learning rate is a number that can be set; in the other version
    /// the optimizer starts anew.
    #[must_use]
    pub fn keras(mut self, version: u32) -> Save {
        self.keras = Some(version);
        self
    }
}

impl Save {
    /// Whose numbers of calls to write, where the two differ.
    pub(super) fn flavor(self) -> Flavor {
        if self.keras == Some(2) { Flavor::Keras2 } else { Flavor::Keras3 }
    }
}

impl Default for Save {
    fn default() -> Self {
        Self::new()
    }
}

/// What a file says of learning rate and optimizer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// A number; iteration, learning rate, slots: Keras 3 restores it.
    Keras3,
    /// A number; iteration, slots: Keras 2.13 restores it.
    Keras2,
    /// A schedule that never changes; iteration, slots: both restore it.
    Both,
    /// A number; iteration alone: neither restores it, and both open it.
    Steps,
}

impl Dialect {
    /// What to write.
    ///
    /// # Errors
    /// A version of Keras that is not known.
    pub(super) fn choose(save: Save, optimizer: &dyn Optimizer, variables: &Variables) -> Result<Dialect> {
        // For a single weight an idle slot of Keras 2 is as many variables as the learning rate of Keras 3: each version
        // would put the other's variable in the wrong place, and refuse the file.
        let slots = optimizer.roles();
        let mistakable = slots.is_empty() && optimizer.count(FileOrder::Idle) > 0 && variables.trainable().count() == 1;
        match save.keras {
            Some(other) if ![2, 3].contains(&other) => Err(Error::usage(format!("`keras` is 2 or 3, got {other}"))),
            _ if mistakable => Ok(Dialect::Steps),
            Some(2) => Ok(Dialect::Keras2),
            None if !slots.is_empty() => Ok(Dialect::Both),
            _ => Ok(Dialect::Keras3),
        }
    }
}

/// The state before the first step.
pub(super) fn start(optimizer: &dyn Optimizer, variables: &Variables) -> OptimizerState {
    let zeros = |role: &'static str| {
        variables.trainable().map(move |weight| (role.to_owned(), weight.path.clone(), Array::zeros(&weight.ty)))
    };
    OptimizerState {
        iterations: 0,
        learning_rate: f64::from(optimizer.base().learning_rate as f32),
        slots: optimizer.roles().into_iter().flat_map(zeros).collect(),
    }
}

/// The order of slots in files: their places in [`OptimizerState::slots`].
fn order(optimizer: &dyn Optimizer, weights: usize) -> Vec<usize> {
    let in_turn = optimizer.count(FileOrder::WeightByWeight);
    let roles = in_turn + optimizer.count(FileOrder::RoleByRole);
    let first = (0..weights).flat_map(|weight| (0..in_turn).map(move |role| role * weights + weight));
    let rest = (in_turn..roles).flat_map(|role| (0..weights).map(move |weight| role * weights + weight));
    first.chain(rest).collect()
}

/// Puts the state into a file.
///
/// # Errors
/// None in practice: the places are free.
pub(super) fn write(
    optimizer: &dyn Optimizer,
    state: &OptimizerState,
    variables: &Variables,
    dialect: Dialect,
    builder: &mut Builder,
) -> Result<()> {
    let mut values = vec![Array::scalar(state.iterations)];
    if dialect == Dialect::Keras3 {
        values.push(Array::scalar(state.learning_rate as f32));
    }
    let order = order(optimizer, variables.trainable().count());
    values.extend(order.into_iter().map(|slot| state.slots[slot].2.clone()));
    if dialect == Dialect::Keras2 {
        let idle = (0..optimizer.count(FileOrder::Idle)).flat_map(|_| variables.trainable());
        values.extend(idle.map(|weight| Array::zeros(&weight.ty)));
    }
    builder.group(FOLDER)?;
    let name = optimizer.class_name().to_lowercase();
    builder.attribute(FOLDER, "name", Attribute::Text(name))?;
    values.iter().enumerate().try_for_each(|(i, value)| builder.dataset(&format!("{FOLDER}/{i}"), value))
}

/// The state in a file, for an optimizer of these variables; or why it cannot be used.
///
/// # Errors
/// A file that is damaged: variables in the right number, but of the wrong shapes.
pub(super) fn read(
    file: &H5,
    optimizer: &dyn Optimizer,
    variables: &Variables,
) -> Result<Result<OptimizerState, String>> {
    let mut state = start(optimizer, variables);
    let weights = variables.trainable().count();
    let order = order(optimizer, weights);
    let count = file.datasets().iter().filter(|entry| entry.path.starts_with(&format!("{FOLDER}/"))).count();
    let is_scalar = |i: usize| {
        let path = format!("{FOLDER}/{i}");
        file.datasets().iter().any(|entry| entry.path == path && entry.shape.rank() == 0)
    };
    let idle = optimizer.count(FileOrder::Idle) * weights;
    let has_idle = idle > 0 && count == 1 + order.len() + idle && !is_scalar(1);
    // Keras 3 keeps the learning rate after the number of steps. Before the first step there may be nothing else.
    let slots_from = match count {
        0 => return Ok(Ok(state)),
        1 | 2 if (0..count).all(is_scalar) => count,
        _ if has_idle || count == order.len() + 1 => 1,
        _ if count == order.len() + 2 => 2,
        _ => {
            let (class, needed) = (optimizer.class_name(), order.len());
            return Ok(Err(format!(
                "`{class}` needs {needed} variables for {weights} weights, beside the number of steps and the learning \
                 rate; the file has {count} in all"
            )));
        }
    };
    state.iterations = variable(file, 0, &Type::scalar(DType::I64))?.to_vec().first().copied().unwrap_or(0);
    if slots_from == 2 {
        state.learning_rate = variable(file, 1, &Type::scalar(DType::F32))?.get(0);
    }
    if count == slots_from + order.len() || has_idle {
        for (i, slot) in order.into_iter().enumerate() {
            let value = &mut state.slots[slot].2;
            *value = variable(file, slots_from + i, &value.ty())?;
        }
    }
    Ok(Ok(state))
}

/// A variable of the file, which must have that shape.
fn variable(file: &H5, i: usize, ty: &Type) -> Result<Array> {
    let array = file.dataset(&format!("{FOLDER}/{i}"))?;
    if *array.shape() != ty.shape || array.dtype().is_float() != ty.dtype.is_float() {
        let got = array.ty();
        return Err(Error::file(format!("the optimizer's variable `{FOLDER}/{i}` needs {ty}, got {got}"))
            .help("the file is damaged; `Load::new().compile(false)` leaves the optimizer out"));
    }
    Ok(array.cast(ty.dtype))
}
