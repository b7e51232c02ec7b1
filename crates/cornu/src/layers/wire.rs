//! What goes between layers: tensors, and what is known of them beside their numbers.

use std::borrow::Cow;

use cornu_graph::{DType, Error, Result, Tensor, list, nearest};

use super::{Layer, LayerRef};

/// A tensor between two layers, and what goes along with it.
#[derive(Clone, Debug)]
pub struct Wire {
    /// The numbers.
    pub tensor: Tensor,
    /// Where they count, if not everywhere: booleans, true where they do.
    pub mask: Option<Tensor>,
    /// If a sigmoid or a softmax gave them: of what. Cross-entropies are computed from that. Whatever changes the numbers
    /// or their type, or lays them out anew, loses it.
    pub logits: Option<Tensor>,
}

impl Wire {
    /// The same with a mask.
    #[must_use]
    pub fn masked(self, mask: impl Into<Option<Tensor>>) -> Wire {
        Wire { mask: mask.into(), ..self }
    }

    /// The mask, for each of the numbers; one of as many axes as they have is that already.
    pub(crate) fn mask_of_each(&self) -> Option<Tensor> {
        let (mask, shape) = (self.mask.as_ref()?, self.tensor.shape());
        if mask.rank() >= shape.rank() {
            return Some(mask.clone());
        }
        Some(mask.reshape([&mask.shape()[..], &[1]].concat()).broadcast_to(shape))
    }

    /// The same numbers in another type: then their logits are not known any more.
    pub(crate) fn cast(&self, dtype: DType) -> Wire {
        match self.tensor.dtype() == dtype {
            true => self.clone(),
            false => Wire::from(self.tensor.cast(dtype)).masked(self.mask.clone()),
        }
    }

    /// [`Wire::cast`] where it is to be done.
    pub(crate) fn cast_if(&self, cast: bool, dtype: DType) -> Wire {
        if cast { self.cast(dtype) } else { self.clone() }
    }
}

impl From<Tensor> for Wire {
    fn from(tensor: Tensor) -> Self {
        Wire { tensor, mask: None, logits: None }
    }
}

/// One of the arguments of a layer's call, which are given by position or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Keras's name: `query`.
    pub name: Cow<'static, str>,
    /// What is given for it.
    pub kind: ArgumentKind,
}

/// What is given for an argument of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentKind {
    /// A tensor.
    Needed,
    /// A tensor, or nothing.
    Optional,
    /// Any number of tensors: `initial_state`. By position they are the last.
    List,
    /// The mask of another input, by name: of the first `mask`, of `query` `query_mask`. It is that of the wire then.
    Mask,
    /// `true` or `false`, which it is if nothing is given: `use_causal_mask`.
    Flag,
}

impl ArgumentKind {
    /// Whether it is one tensor, by position or by name.
    pub(crate) fn is_one(self) -> bool {
        matches!(self, ArgumentKind::Needed | ArgumentKind::Optional)
    }
}

impl Argument {
    /// A tensor that has to be given.
    pub const fn needed(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), kind: ArgumentKind::Needed }
    }

    /// A tensor that may be left out.
    pub const fn optional(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), kind: ArgumentKind::Optional }
    }

    /// Any number of tensors.
    pub const fn list(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), kind: ArgumentKind::List }
    }

    /// The mask of another input.
    pub const fn mask(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), kind: ArgumentKind::Mask }
    }

    /// `true` or `false`.
    pub const fn flag(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), kind: ArgumentKind::Flag }
    }
}

/// What a call gives by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keywords {
    /// The names of the last inputs; the others are by position.
    pub tensors: Vec<String>,
    /// What is no tensor. Every layer takes `training`, which holds for layers within it as well.
    pub flags: Vec<(String, bool)>,
}

impl Keywords {
    /// The flag of that name, if it is given.
    pub fn flag(&self, name: &str) -> Option<bool> {
        self.flags.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// The flag that every layer takes.
pub(crate) const TRAINING: &str = "training";

/// What a layer is given: wires by position, and behind them those by name.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    class: String,
    wires: Vec<Wire>,
    /// The names of all; they are empty if the layer has none for what it takes.
    names: Vec<Cow<'static, str>>,
    flags: Vec<(String, bool)>,
    /// The layers within that which is given them.
    children: Vec<(&'static str, LayerRef)>,
}

impl Inputs {
    /// What `layer` is given. Masks by name are those of the wires that they are for.
    ///
    /// # Errors
    /// Inputs that its arguments do not allow.
    pub fn of(layer: &dyn Layer, mut wires: Vec<Wire>, keywords: &Keywords) -> Result<Inputs> {
        let (class, arguments) = (layer.class_name(), layer.arguments());
        let by_name = wires.split_off(wires.len().saturating_sub(keywords.tensors.len()));
        let names = by_position(class, &arguments, wires.len())?;
        let mut inputs =
            Inputs { class: class.to_owned(), wires, names, flags: keywords.flags.clone(), children: Vec::new() };
        let mut masks = Vec::new();
        for (name, wire) in keywords.tensors.iter().zip(by_name) {
            let argument = arguments.iter().find(|argument| argument.name == *name);
            let argument = argument.ok_or_else(|| not_taken(class, name, &arguments))?;
            match argument.kind {
                ArgumentKind::Flag => {
                    return Err(Error::graph(format!("`{class}` takes true or false as `{name}`, got a tensor")));
                }
                ArgumentKind::Mask => masks.push((&**name, wire.tensor)),
                ArgumentKind::Needed | ArgumentKind::Optional if inputs.names.contains(&argument.name) => {
                    return Err(Error::graph(format!("`{class}` takes one `{name}`, got two")));
                }
                _ => {
                    inputs.names.push(argument.name.clone());
                    inputs.wires.push(wire);
                }
            }
        }
        inputs.put_on(&masks)?;
        inputs.check(&arguments)?;
        Ok(inputs)
    }

    /// Puts masks on the wires that they are for. Several of the name `mask` are those of the inputs in turn.
    fn put_on(&mut self, masks: &[(&str, Tensor)]) -> Result<()> {
        for (at, (name, mask)) in masks.iter().enumerate() {
            let place = match name.strip_suffix("_mask") {
                None => Some(masks[..at].iter().filter(|(before, _)| before == name).count()),
                Some(of) => self.names.iter().position(|name| name == of),
            };
            let nothing = || Error::graph(format!("`{}` takes `{name}` for an input that is not given", self.class));
            let wire = place.and_then(|place| self.wires.get_mut(place)).ok_or_else(nothing)?;
            wire.mask = Some(mask.cast(DType::Bool));
        }
        Ok(())
    }

    /// Whether all is given that has to be, and no flag that the layer does not take.
    fn check(&self, arguments: &[Argument]) -> Result<()> {
        let is_missing = |of: &&Argument| of.kind == ArgumentKind::Needed && !self.names.contains(&of.name);
        if let Some(missing) = arguments.iter().find(is_missing) {
            let got = list(&self.names.iter().map(|name| &**name).collect::<Vec<_>>());
            return Err(Error::graph(format!("`{}` needs the input `{}`, got {got}", self.class, missing.name)));
        }
        for (name, flag) in self.flags.iter().filter(|(name, _)| name != TRAINING) {
            match arguments.iter().find(|argument| argument.name == *name) {
                Some(argument) if argument.kind == ArgumentKind::Flag => {}
                None => return Err(not_taken(&self.class, name, arguments)),
                _ => return Err(Error::graph(format!("`{}` takes a tensor as `{name}`, got {flag}", self.class))),
            }
        }
        Ok(())
    }

    /// The same, for a layer that has those within.
    pub(super) fn beside(self, children: &[(&'static str, LayerRef)]) -> Inputs {
        Inputs { children: children.to_vec(), ..self }
    }

    /// The layer of that name within that which is given these: see [`Layer::children`].
    ///
    /// # Errors
    /// There is none.
    pub fn within(&self, name: &str) -> Result<&LayerRef> {
        let found = self.children.iter().find(|(known, _)| *known == name).map(|(_, child)| child);
        found.ok_or_else(|| Error::graph(format!("there is no layer `{name}` within `{}`", self.class)))
    }

    /// All of them, those by position first.
    pub fn all(&self) -> &[Wire] {
        &self.wires
    }

    /// The tensors of all of them.
    ///
    /// # Errors
    /// There are none.
    pub fn tensors(&self) -> Result<Vec<Tensor>> {
        match &self.wires[..] {
            [] => Err(Error::graph(format!("`{}` needs at least one input, got none", self.class))),
            wires => Ok(wires.iter().map(|wire| wire.tensor.clone()).collect()),
        }
    }

    /// The only one.
    ///
    /// # Errors
    /// There are several, or none.
    pub fn one(&self) -> Result<&Wire> {
        match &self.wires[..] {
            [one] => Ok(one),
            wires => Err(Error::graph(format!("`{}` takes one input, got {}", self.class, wires.len()))),
        }
    }

    /// The input of that argument, if it is given.
    pub fn get(&self, argument: &str) -> Option<&Wire> {
        self.names.iter().position(|name| name == argument).and_then(|place| self.wires.get(place))
    }

    /// The inputs of an argument that is a list.
    pub fn list(&self, argument: &str) -> Vec<&Wire> {
        let named = self.names.iter().zip(&self.wires);
        named.filter(|(name, _)| *name == argument).map(|(_, wire)| wire).collect()
    }

    /// Whether that flag is given, and set.
    pub fn flag(&self, argument: &str) -> bool {
        self.flags.iter().any(|(name, value)| name == argument && *value)
    }

    /// The input of that argument.
    ///
    /// # Errors
    /// It is not given.
    pub fn needed(&self, argument: &str) -> Result<&Wire> {
        self.get(argument).ok_or_else(|| Error::graph(format!("`{}` needs the input `{argument}`", self.class)))
    }
}

/// The names of so many inputs by position.
pub(crate) fn by_position(class: &str, arguments: &[Argument], given: usize) -> Result<Vec<Cow<'static, str>>> {
    let is_input = |of: &&Argument| !matches!(of.kind, ArgumentKind::Flag | ArgumentKind::Mask);
    let mut tensors: Vec<&Argument> = arguments.iter().filter(is_input).collect();
    if tensors.is_empty() {
        return Ok(vec![Cow::Borrowed(""); given]);
    }
    if let Some(list) = tensors.last().copied().filter(|last| last.kind == ArgumentKind::List) {
        tensors.resize(tensors.len().max(given), list);
    }
    if given > tensors.len() {
        let most = counted(tensors.len());
        return Err(Error::graph(format!("`{class}` takes {most} and no more, got {given}")));
    }
    Ok(tensors[..given].iter().map(|argument| argument.name.clone()).collect())
}

/// The error for what a call gives by a name that the layer has no argument of.
fn not_taken(class: &str, name: &str, arguments: &[Argument]) -> Error {
    let known: Vec<&str> = arguments.iter().map(|argument| &*argument.name).collect();
    if known.is_empty() {
        return Error::graph(format!("`{class}` takes its inputs by position, got one named `{name}`"));
    }
    let error = Error::graph(format!("`{class}` takes no `{name}`; there are {}", list(&known)));
    match nearest(name, known) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error,
    }
}

fn counted(inputs: usize) -> String {
    format!("{inputs} input{}", if inputs == 1 { "" } else { "s" })
}
