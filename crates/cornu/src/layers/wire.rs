//! What goes between layers: tensors, and what is known of them beside their numbers.

use std::borrow::Cow;

use cornu_graph::{DType, Error, Result, Tensor, list, nearest};

use super::Layer;

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

/// One of the inputs that a layer takes by position or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Keras's name: `query`.
    pub name: Cow<'static, str>,
    /// Whether it may be left out.
    pub optional: bool,
}

impl Argument {
    /// One that has to be given.
    pub const fn needed(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), optional: false }
    }

    /// One that may be left out.
    pub const fn optional(name: &'static str) -> Argument {
        Argument { name: Cow::Borrowed(name), optional: true }
    }
}

/// What a layer is given: wires by position, and behind them those by name.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    class: String,
    wires: Vec<Wire>,
    /// The names of all, if the layer has names for what it takes.
    names: Vec<Cow<'static, str>>,
}

impl Inputs {
    /// What `layer` is given, of which the last have those names.
    ///
    /// # Errors
    /// Inputs that its arguments do not allow.
    pub fn of(layer: &dyn Layer, wires: Vec<Wire>, named: &[String]) -> Result<Inputs> {
        let (class, arguments) = (layer.class_name().to_owned(), layer.arguments());
        let positional = wires.len().saturating_sub(named.len());
        let known: Vec<&str> = arguments.iter().map(|argument| &*argument.name).collect();
        if let (Some(name), true) = (named.first(), arguments.is_empty()) {
            return Err(Error::graph(format!("`{class}` takes its inputs by position, got one named `{name}`")));
        }
        if positional > arguments.len() && !arguments.is_empty() {
            let most = arguments.len();
            return Err(Error::graph(format!("`{class}` takes {} and no more, got {positional}", counted(most))));
        }
        if let Some(name) = named.iter().find(|name| !known.contains(&name.as_str())) {
            let error = Error::graph(format!("`{class}` takes no `{name}`; there are {}", list(&known)));
            let near = nearest(name, known.iter().copied());
            return Err(near.map_or(error.clone(), |near| error.help(format!("did you mean `{near}`?"))));
        }
        let by_position = arguments.iter().take(positional).map(|argument| argument.name.clone());
        let names: Vec<Cow<'static, str>> = by_position.chain(named.iter().map(|name| name.clone().into())).collect();
        if let Some(twice) = names.iter().enumerate().find_map(|(i, name)| names[..i].contains(name).then_some(name)) {
            return Err(Error::graph(format!("`{class}` takes one `{twice}`, got two")));
        }
        if let Some(missing) = arguments.iter().find(|needed| !needed.optional && !names.contains(&needed.name)) {
            let got = list(&names.iter().map(|name| &**name).collect::<Vec<_>>());
            return Err(Error::graph(format!("`{class}` needs the input `{}`, got {got}", missing.name)));
        }
        Ok(Inputs { class, wires, names })
    }

    /// All of them, those by position first.
    pub fn all(&self) -> &[Wire] {
        &self.wires
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

    /// The input of that argument.
    ///
    /// # Errors
    /// It is not given.
    pub fn needed(&self, argument: &str) -> Result<&Wire> {
        self.get(argument).ok_or_else(|| Error::graph(format!("`{}` needs the input `{argument}`", self.class)))
    }
}

fn counted(inputs: usize) -> String {
    format!("{inputs} input{}", if inputs == 1 { "" } else { "s" })
}
