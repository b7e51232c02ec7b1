//! Tensors between layers before there is data: what a functional model is written with.

use std::borrow::Borrow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use cornu_graph::{Context, DataKind, Error, Result};

use super::{Call, InputSpec, Net, Port, Spec, check_sizes, infer};
use crate::layers::{BatchShape, InputLayer, IntoLayer, Keywords, LayerConfig, LayerRef, automatic};
use crate::variables::Variables;

/// A tensor between two layers, before there is data: Keras's `KerasTensor`. It knows where it comes from.
///
/// ```
/// use cornu::prelude::*;
///
/// let x = Input::new([8]).symbol()?;
/// let hidden = Dense::new(4).activation("relu").apply(&x)?;
/// let (one, two) = (Dense::new(1).apply(&hidden)?, Dense::new(3).activation("softmax").apply(&hidden)?);
/// let model = Model::new([x], [one, two])?;
/// assert_eq!(model.count_params(), 8 * 4 + 4 + 4 + 1 + 4 * 3 + 3);
/// # Ok::<(), cornu::Error>(())
/// ```
#[derive(Clone)]
pub struct Symbol {
    node: Arc<Node>,
    output: usize,
}

/// One use of a layer, or an input.
struct Node {
    /// Later ones have larger numbers, so that none comes before what it depends on.
    number: u64,
    source: Source,
    outputs: Vec<Spec>,
}

enum Source {
    Input(InputSpec),
    Call(LayerRef, Vec<Symbol>, Keywords),
}

impl Node {
    fn new(source: Source, outputs: Vec<Spec>) -> Arc<Node> {
        static NODES: AtomicU64 = AtomicU64::new(0);
        Arc::new(Node { number: NODES.fetch_add(1, Ordering::Relaxed), source, outputs })
    }

    fn inputs(&self) -> &[Symbol] {
        match &self.source {
            Source::Input(_) => &[],
            Source::Call(_, inputs, _) => inputs,
        }
    }
}

/// Nets are let go of link by link: a call for each of a long chain would not fit on the stack.
impl Drop for Node {
    fn drop(&mut self) {
        let Source::Call(_, inputs, _) = &mut self.source else { return };
        let mut rest = std::mem::take(inputs);
        while let Some(symbol) = rest.pop() {
            if let Some(mut node) = Arc::into_inner(symbol.node)
                && let Source::Call(_, inputs, _) = &mut node.source
            {
                rest.append(inputs);
            }
        }
    }
}

impl Symbol {
    /// An input of a model.
    pub(crate) fn input(input: InputSpec) -> Symbol {
        let spec = Spec::of_input(&input.shape, input.kind);
        Symbol { node: Node::new(Source::Input(input), vec![spec]), output: 0 }
    }

    /// The shape of a batch, `None` where it is open.
    pub fn shape(&self) -> BatchShape {
        self.node.outputs[self.output].shape()
    }

    /// Of what its elements are.
    pub fn kind(&self) -> DataKind {
        self.node.outputs[self.output].kind()
    }

    /// What a layer makes of inputs; its variables are made if they are not.
    ///
    /// # Errors
    /// The first mistake of the layer.
    pub(crate) fn of_call(
        layer: &LayerRef,
        inputs: Vec<Symbol>,
        keywords: Keywords,
        variables: &mut Variables,
    ) -> Result<Vec<Symbol>> {
        let specs: Vec<Spec> = inputs.iter().map(|input| input.node.outputs[input.output].clone()).collect();
        let outputs = infer(layer, &specs, &keywords, variables)?;
        let count = outputs.len();
        let node = Node::new(Source::Call(layer.clone(), inputs, keywords), outputs);
        Ok((0..count).map(|output| Symbol { node: Arc::clone(&node), output }).collect())
    }
}

/// `<Symbol shape=(None, 8), dtype=float32>`
impl fmt::Debug for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<Symbol shape={}, dtype={}>", super::show(&self.shape()), self.kind().keras_name())
    }
}

impl InputLayer {
    /// The input of a functional model.
    ///
    /// # Errors
    /// A shape or a type that an input cannot have.
    pub fn symbol(&self) -> Result<Symbol> {
        let name = self.base().name.clone().unwrap_or_else(|| automatic("InputLayer"));
        let shape = self.base().batch_shape.clone().unwrap_or_default();
        check_sizes(&shape).context(&name)?;
        let kind = DataKind::from_keras_name(&self.base().dtype);
        let unknown = || Error::unsupported(format!("the element type `{}` is not supported", self.base().dtype));
        Ok(Symbol::input(InputSpec { kind: kind.ok_or_else(unknown).context(&name)?, name, shape }))
    }
}

/// What is given by name in a call.
#[derive(Clone, Debug)]
pub enum Keyword {
    /// A tensor: `value`.
    Tensor(Symbol),
    /// What is no tensor: `use_causal_mask`.
    Flag(bool),
}

impl From<&Symbol> for Keyword {
    fn from(symbol: &Symbol) -> Self {
        Keyword::Tensor(symbol.clone())
    }
}

impl From<Symbol> for Keyword {
    fn from(symbol: Symbol) -> Self {
        Keyword::Tensor(symbol)
    }
}

impl From<bool> for Keyword {
    fn from(flag: bool) -> Self {
        Keyword::Flag(flag)
    }
}

/// What a layer is applied to: a symbol, or a list of them.
pub trait ToSymbols {
    /// Each of them.
    fn to_symbols(self) -> Vec<Symbol>;
}

impl ToSymbols for &Symbol {
    fn to_symbols(self) -> Vec<Symbol> {
        vec![self.clone()]
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $list:ty;)*) => {$(
        impl<S: Borrow<Symbol>, $($generics)*> ToSymbols for $list {
            fn to_symbols(self) -> Vec<Symbol> {
                self.iter().map(|symbol| symbol.borrow().clone()).collect()
            }
        }
    )*};
}

lists! {
    [] &[S];
    [] &Vec<S>;
    [] Vec<S>;
    [const N: usize] [S; N];
    [const N: usize] &[S; N];
}

/// What a call gives by name that gives all by position.
const NOTHING: [(&str, Keyword); 0] = [];

/// What is applied to symbols: settings, a layer that there is, a model as a layer.
pub trait Apply: IntoLayer {
    /// What the layer makes of an input, or of several: `Add::new().apply([&a, &b])`.
    ///
    /// # Errors
    /// Settings that cannot be right, inputs that do not fit, a layer of several outputs.
    fn apply(self, inputs: impl ToSymbols) -> Result<Symbol> {
        let mut outputs = self.apply_all(inputs.to_symbols())?;
        if outputs.len() == 1 {
            return Ok(outputs.remove(0));
        }
        let error = Error::usage(format!("`apply` needs a layer of one output, got {}", outputs.len()));
        Err(error.help("`apply_all` gives all of them"))
    }

    /// All that the layer makes of several inputs.
    ///
    /// # Errors
    /// Those of [`Apply::apply`].
    fn apply_all<S: Borrow<Symbol>>(self, inputs: impl IntoIterator<Item = S>) -> Result<Vec<Symbol>> {
        self.apply_named(inputs, NOTHING)
    }

    /// What the layer makes of inputs by position and what is given by name: Keras's `layer(query, value=value)`. Several
    /// tensors of one name are a list.
    ///
    /// # Errors
    /// Those of [`Apply::apply`].
    fn apply_named<'a, S: Borrow<Symbol>>(
        self,
        inputs: impl IntoIterator<Item = S>,
        named: impl IntoIterator<Item = (&'a str, impl Into<Keyword>)>,
    ) -> Result<Vec<Symbol>> {
        let layer = self.shared();
        let settings = layer.layer();
        settings.check().and_then(|()| settings.check_settings()).context(format!("layer `{}`", layer.name()))?;
        settings.base().check().context(format!("layer `{}`", layer.name()))?;
        let mut inputs: Vec<Symbol> = inputs.into_iter().map(|input| input.borrow().clone()).collect();
        let mut keywords = Keywords::default();
        for (name, given) in named {
            match given.into() {
                Keyword::Tensor(input) => {
                    keywords.tensors.push(name.to_owned());
                    inputs.push(input);
                }
                Keyword::Flag(value) => keywords.flags.push((name.to_owned(), value)),
            }
        }
        Symbol::of_call(&layer, inputs, keywords, &mut Variables::default())
    }
}

impl<L: IntoLayer> Apply for L {}

/// How nodes are met on the way back from outputs.
#[derive(Default)]
struct Walk {
    /// Those that were met, by number.
    met: HashSet<u64>,
    /// All of them, each after those it depends on.
    nodes: Vec<Arc<Node>>,
    /// Layers and inputs in the order in which they were first met.
    places: HashMap<usize, usize>,
}

/// What stands for a layer or an input among others.
fn identity(node: &Node) -> usize {
    match &node.source {
        Source::Input(_) => std::ptr::from_ref(node).addr(),
        Source::Call(layer, ..) => layer.address(),
    }
}

impl Walk {
    /// Meets all that an output depends on; deep nets are walked without recursion.
    fn visit(&mut self, output: &Symbol) {
        let mut stack = vec![(Arc::clone(&output.node), 0)];
        self.first(&output.node);
        while let Some((node, next)) = stack.pop() {
            if let Some(input) = node.inputs().get(next).map(|input| Arc::clone(&input.node)) {
                stack.push((node, next + 1));
                if !self.met.contains(&input.number) {
                    self.first(&input);
                    stack.push((input, 0));
                }
            } else if self.met.insert(node.number) {
                self.nodes.push(node);
            }
        }
    }

    fn first(&mut self, node: &Node) {
        let place = self.places.len();
        self.places.entry(identity(node)).or_insert(place);
    }

    /// A node of each layer and input in Keras's order: the furthest from the outputs first, of several the one that was
    /// met first.
    fn order(&self) -> Vec<&Node> {
        let (mut order, mut known, depths) = (Vec::new(), HashSet::new(), self.depths());
        order.extend(self.nodes.iter().map(|node| &**node).filter(|node| known.insert(identity(node))));
        order.sort_by_key(|node| (std::cmp::Reverse(depths[&identity(node)]), self.places[&identity(node)]));
        order
    }

    /// How far each layer and input is from the outputs, along its longest way.
    fn depths(&self) -> HashMap<usize, usize> {
        let (mut of_nodes, mut of_layers) = (HashMap::new(), HashMap::new());
        for node in self.nodes.iter().rev() {
            let own = of_nodes.get(&node.number).copied().unwrap_or(0);
            let depth = own.max(of_layers.get(&identity(node)).copied().unwrap_or(0));
            of_layers.insert(identity(node), depth);
            for input in node.inputs() {
                let of_input = of_nodes.entry(input.node.number).or_insert(0);
                *of_input = (*of_input).max(depth + 1);
            }
        }
        of_layers
    }
}

impl Net {
    /// The graph between inputs and outputs, with layers in Keras's order: the furthest from the outputs first.
    ///
    /// # Errors
    /// An input that is none or is not reached, an output that depends on another, two layers of one name.
    pub(crate) fn between(inputs: &[Symbol], outputs: &[Symbol]) -> Result<Net> {
        let specs: Vec<InputSpec> = inputs.iter().map(input_of_model).collect::<Result<_>>()?;
        let mut walk = Walk::default();
        outputs.iter().for_each(|output| walk.visit(output));
        let place = |node: &Node| inputs.iter().position(|input| input.node.number == node.number);
        for node in &walk.nodes {
            if let (Source::Input(input), None) = (&node.source, place(node)) {
                let what = format!("the outputs depend on the input `{}`, which is not among the inputs", input.name);
                return Err(Error::usage(what).help("name it in the first argument of `Model::new`"));
            }
        }
        if let Some((_, spec)) = inputs.iter().zip(&specs).find(|(input, _)| !walk.met.contains(&input.node.number)) {
            let error = Error::usage(format!("no output depends on the input `{}`", spec.name));
            return Err(error.help("leave it out, or put it to use"));
        }
        let mut net = Net { inputs: specs, ..Net::default() };
        for (at, node) in walk.order().into_iter().enumerate() {
            match &node.source {
                Source::Call(layer, ..) => net.layers.push(layer.clone()),
                Source::Input(_) => net.inputs_in_order.extend(place(node).map(|input| (input, at))),
            }
        }
        walk.nodes.sort_by_key(|node| node.number);
        let places: HashMap<usize, usize> =
            net.layers.iter().enumerate().map(|(place, layer)| (layer.address(), place)).collect();
        let mut made: HashMap<u64, usize> = HashMap::new();
        let port = |symbol: &Symbol, made: &HashMap<u64, usize>| match place(&symbol.node) {
            Some(input) => Port::Input(input),
            None => Port::Output { call: made[&symbol.node.number], output: symbol.output },
        };
        for node in &walk.nodes {
            let Source::Call(layer, xs, keywords) = &node.source else { continue };
            let inputs = xs.iter().map(|x| port(x, &made)).collect();
            made.insert(node.number, net.calls.len());
            let (keywords, outputs) = (keywords.clone(), node.outputs.clone());
            net.calls.push(Call { layer: places[&layer.address()], inputs, keywords, outputs });
        }
        net.outputs = outputs.iter().map(|output| port(output, &made)).collect();
        net.split()?;
        Ok(net)
    }
}

/// What an input is, which must be one.
fn input_of_model(input: &Symbol) -> Result<InputSpec> {
    match &input.node.source {
        Source::Input(spec) => Ok(spec.clone()),
        Source::Call(layer, ..) => {
            let what = format!("an input of a model needs to be one, got an output of `{}`", layer.name());
            Err(Error::usage(what).help("`Input::new(…).symbol()` makes one"))
        }
    }
}
