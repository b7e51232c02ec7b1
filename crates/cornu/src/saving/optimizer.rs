//! The state of an optimizer in an HDF5 file: `optimizer/vars/0, 1, …`. Keras 2.13 and Keras 3 expect different lists
//! there; `docs/decisions/0010-learning-rate-in-files.md` says what is written and why.

use cornu_files::h5::{Attribute, Builder, H5};
use cornu_graph::{Array, DType, Error, Result, Type};

use crate::flavor::Flavor;
use crate::optimizers::{FileOrder, LossScaleOptimizer, Optimizer};
use crate::step::OptimizerState;
use crate::variables::Variables;

/// Where the variables stand.
const FOLDER: &str = "optimizer/vars";
/// Where those of an optimizer within another stand once more, in Keras 3 and in Keras 2.
const INNER: [&str; 2] = ["optimizer/inner_optimizer/vars", "optimizer/_optimizer/vars"];
/// How many variables Keras 3 keeps before those of an optimizer within another: a number of steps and a learning rate,
/// which stay 0, and what the scale of the loss is found by.
const AROUND: usize = 2 + LossScaleOptimizer::SCALARS;

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
    /// A schedule; iteration, slots: both restore it.
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
        // For a single weight an idle slot of Keras 2 is as many variables as the learning rate of Keras 3, for five as what
        // scales the loss there: each version would put the other's variable in the wrong place, and refuse the file.
        let (slots, common, weights) = (optimizer.roles(), optimizer.common(), variables.trainable().count());
        let around = if optimizer.loss_scale().is_some() { AROUND } else { 0 };
        let mistakable = slots.is_empty() && optimizer.idle() * weights > 0 && [1, 1 + around].contains(&weights);
        let only_keras_3 = common.needs_keras_3() || !optimizer.scalars().is_empty();
        match save.keras {
            Some(other) if ![2, 3].contains(&other) => Err(Error::usage(format!("`keras` is 2 or 3, got {other}"))),
            Some(2) if common.needs_keras_3() => {
                let message = "Keras 2 has no `loss_scale_factor` and no `gradient_accumulation_steps`";
                Err(Error::usage(message).help("save for Keras 3: `Save::new().keras(3)`"))
            }
            _ if mistakable => Ok(Dialect::Steps),
            Some(2) => Ok(Dialect::Keras2),
            None if !slots.is_empty() && !only_keras_3 => Ok(Dialect::Both),
            _ => Ok(Dialect::Keras3),
        }
    }
}

/// The order of slots in files, as places in [`OptimizerState::slots`], and how many of them only Keras 3 has.
fn order(optimizer: &dyn Optimizer, weights: usize) -> (Vec<usize>, usize) {
    let (kept, scalars) = (optimizer.kept(), optimizer.scalars().len());
    let of = |order: FileOrder| (0..kept.len()).filter(move |&role| kept[role].order == order).collect::<Vec<_>>();
    let by_role = |roles: Vec<usize>| {
        roles.into_iter().flat_map(move |role| (0..weights).map(move |weight| role * weights + weight))
    };
    let kept = optimizer.kept();
    let (first, in_turn, rest) =
        (of.clone()(FileOrder::First), of.clone()(FileOrder::WeightByWeight), of(FileOrder::RoleByRole));
    let in_turn = (0..weights).flat_map(|weight| in_turn.iter().map(move |role| role * weights + weight));
    let alone = kept.len() * weights..kept.len() * weights + scalars;
    (by_role(first).chain(in_turn).chain(by_role(rest)).chain(alone).collect(), scalars)
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
    if dialect == Dialect::Keras3 && optimizer.common().learning_rate.schedule().is_none() {
        values.push(Array::scalar(state.learning_rate as f32));
    }
    let (mut order, only_keras_3) = order(optimizer, variables.trainable().count());
    if dialect == Dialect::Keras2 {
        order.truncate(order.len() - only_keras_3);
    }
    let own = optimizer.loss_scale().filter(|_| dialect != Dialect::Keras2).map(|_| {
        let own = order.split_off(order.len() - LossScaleOptimizer::SCALARS);
        let own = own.into_iter().map(|slot| state.slots[slot].2.clone());
        [Array::scalar(0i64), Array::scalar(0.0f32)].into_iter().chain(own).collect::<Vec<_>>()
    });
    values.extend(order.into_iter().map(|slot| state.slots[slot].2.clone()));
    if dialect == Dialect::Keras2 {
        let idle = (0..optimizer.idle()).flat_map(|_| variables.trainable());
        values.extend(idle.map(|weight| Array::zeros(&weight.ty)));
    }
    let mut put = |folder: &str, optimizer: &dyn Optimizer, values: &[Array]| {
        builder.group(folder)?;
        builder.attribute(folder, "name", Attribute::Text(optimizer.class_name().to_lowercase()))?;
        values.iter().enumerate().try_for_each(|(i, value)| builder.dataset(&format!("{folder}/{i}"), value))
    };
    if let Some(scaling) = optimizer.loss_scale() {
        put(INNER[usize::from(own.is_none())], scaling.inner(), &values)?;
    }
    put(FOLDER, optimizer, &[own.unwrap_or_default(), values].concat())
}

/// Whether an optimizer within another has left something in a file.
pub(super) fn has_inner(file: &H5) -> bool {
    INNER.iter().any(|folder| file.has_group(folder))
}

/// The variables in a folder of a file, numbered from 0.
struct List<'a> {
    file: &'a H5,
    folder: &'static str,
    count: usize,
}

impl List<'_> {
    fn new<'a>(file: &'a H5, folder: &'static str) -> List<'a> {
        let inside = format!("{folder}/");
        List { file, folder, count: file.datasets().iter().filter(|entry| entry.path.starts_with(&inside)).count() }
    }

    fn is_scalar(&self, i: usize) -> bool {
        let path = format!("{}/{i}", self.folder);
        self.file.datasets().iter().any(|entry| entry.path == path && entry.shape.rank() == 0)
    }

    /// A variable, which must have that shape.
    fn get(&self, i: usize, ty: &Type) -> Result<Array> {
        let path = format!("{}/{i}", self.folder);
        let array = self.file.dataset(&path)?;
        if *array.shape() != ty.shape || array.dtype().is_float() != ty.dtype.is_float() {
            let got = array.ty();
            return Err(Error::file(format!("the optimizer's variable `{path}` needs {ty}, got {got}"))
                .help("the file is damaged; `Load::new().compile(false)` leaves the optimizer out"));
        }
        Ok(array.cast(ty.dtype))
    }

    /// Takes slots in that order from the variables from `first` on.
    fn take(&self, first: usize, order: Vec<usize>, state: &mut OptimizerState) -> Result<()> {
        order.into_iter().enumerate().try_for_each(|(i, slot)| {
            let value = &mut state.slots[slot].2;
            *value = self.get(first + i, &value.ty())?;
            Ok(())
        })
    }
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
    let mut state = OptimizerState::start(optimizer, variables)?;
    let weights = variables.trainable().count();
    let (mut order, mut only_keras_3) = order(optimizer, weights);
    let outer = List::new(file, FOLDER);
    let inner = INNER.into_iter().find(|folder| file.has_group(folder)).map(|folder| List::new(file, folder));
    let list = inner.as_ref().unwrap_or(&outer);
    if optimizer.loss_scale().is_some() {
        let own = order.split_off(order.len() - LossScaleOptimizer::SCALARS);
        only_keras_3 -= own.len();
        // Keras 2 keeps no scale, and Keras 3 none before the first step.
        if outer.count == AROUND + list.count {
            outer.take(AROUND - own.len(), own, &mut state)?;
        }
    }
    if list.count == 0 {
        return Ok(Ok(state));
    }
    // Keras 3 keeps a learning rate that is no schedule after the number of steps.
    let slots_from = if list.count > 1 && list.is_scalar(1) { 2 } else { 1 };
    let (all, idle) = (order.len(), optimizer.idle() * weights);
    match list.count - slots_from {
        // Before the first step there may be nothing else.
        0 => order.clear(),
        got if got == all => {}
        got if got == all - only_keras_3 || idle > 0 && got == all - only_keras_3 + idle => {
            order.truncate(all - only_keras_3);
        }
        _ => {
            let (class, count) = (optimizer.class_name(), list.count);
            return Ok(Err(format!(
                "`{class}` needs {all} variables for {weights} weights, beside the number of steps and the learning \
                 rate; the file has {count} in all"
            )));
        }
    }
    state.iterations = list.get(0, &Type::scalar(DType::I64))?.to_vec().first().copied().unwrap_or(0);
    if slots_from == 2 {
        state.learning_rate = list.get(1, &Type::scalar(DType::F32))?.get(0);
    }
    list.take(slots_from, order, &mut state)?;
    Ok(Ok(state))
}
