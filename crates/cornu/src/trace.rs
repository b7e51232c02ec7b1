//! The only way a layer meets the world: a [`Cx`] hands out weights, states and random numbers while it is traced.

use std::panic::Location;
use std::sync::Arc;

use cornu_graph::ops::{Leaf, Op};
use cornu_graph::{Array, DType, Error, Graph, Result, Shape, Tensor, Trace, Type, VarId};

use crate::activations::Activation;
use crate::choice::Choice;
use crate::constraints::Constraint;
use crate::flavor::{Flavor, Generator, STATELESS_MODULUS};
use crate::initializers::Initializer;

use crate::registry::Family;
use crate::regularizers::Regularizer;
use crate::variables::{Declared, Role, Start, Variables};

/// A graph being traced through a model, and the variables it meets.
///
/// Weights are made the first time a layer asks for them, while the model is built, and found again by their path at
/// every later trace.
pub struct Cx<'a> {
    trace: Trace,
    variables: &'a mut Variables,
    /// While the model is built: what layers have asked for that there is not.
    declared: Option<Vec<Declared>>,
    training: bool,
    path: Vec<String>,
    scope: Scope,
    updates: Vec<(VarId, Tensor)>,
    losses: Vec<Tensor>,
}

/// What holds for all that one layer asks for.
#[derive(Debug)]
pub(crate) struct Scope {
    /// Whether its weights learn.
    pub(crate) trainable: bool,
    /// The type of its weights.
    pub(crate) dtype: DType,
}

impl Default for Scope {
    fn default() -> Self {
        Scope { trainable: true, dtype: DType::F32 }
    }
}

/// A source of random numbers. See [`Cx::random`].
#[derive(Clone, Debug)]
pub struct Random {
    generator: Generator,
    state: Tensor,
}

impl<'a> Cx<'a> {
    /// Starts to trace one step of a built model; `training` is what Keras calls the argument of that name.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub fn new(variables: &'a mut Variables, training: bool) -> Result<Self> {
        variables.open()?;
        Ok(Cx { training, ..Self::over(variables, None) })
    }

    /// Starts to trace layers whose weights are still to be made. The graph is of use for its types only.
    pub(crate) fn build(variables: &'a mut Variables) -> Self {
        Self::over(variables, Some(Vec::new()))
    }

    fn over(variables: &'a mut Variables, declared: Option<Vec<Declared>>) -> Self {
        Cx {
            trace: Trace::in_context(variables.flavor()),
            variables,
            declared,
            training: false,
            path: Vec::new(),
            scope: Scope::default(),
            updates: Vec::new(),
            losses: Vec::new(),
        }
    }

    /// The graph being written.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Which Keras the model follows.
    pub fn flavor(&self) -> Flavor {
        self.variables.flavor()
    }

    /// What layers have asked for that there is not.
    pub(crate) fn into_declared(self) -> Vec<Declared> {
        self.declared.unwrap_or_default()
    }

    /// The variables of the model.
    pub fn variables(&self) -> &Variables {
        self.variables
    }

    /// Whether the step is one of training.
    pub fn training(&self) -> bool {
        self.training
    }

    /// A tensor given at each step, in the order of these calls.
    #[track_caller]
    pub fn input(&self, ty: Type) -> Tensor {
        self.trace.input(ty)
    }

    /// Notes a mistake, unless there was one before.
    pub fn fail(&self, error: Error) {
        self.trace.fail(error);
    }

    /// A weight that learns.
    #[track_caller]
    pub fn weight(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        initializer: impl Into<Choice<dyn Initializer>>,
    ) -> Tensor {
        let trainable = self.scope.trainable;
        self.initialized(name, shape.into(), &initializer.into(), Role::Weight, trainable)
    }

    /// What a layer keeps from step to step, and changes by [`Cx::update`] only.
    #[track_caller]
    pub fn state(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        initializer: impl Into<Choice<dyn Initializer>>,
    ) -> Tensor {
        self.initialized(name, shape.into(), &initializer.into(), Role::State, false)
    }

    #[track_caller]
    fn initialized(
        &mut self,
        name: &str,
        shape: Shape,
        initializer: &Choice<dyn Initializer>,
        role: Role,
        trainable: bool,
    ) -> Tensor {
        let ty = Type::new(self.scope.dtype, shape);
        let path = self.path_of(name);
        if let Some(Err(error)) = self.declared.as_ref().map(|_| self.variables.room_for(&ty)) {
            self.fail(error.context(format!("weight `{name}`")));
        }
        let Some(initializer) = self.chosen(initializer) else {
            return self.trace.constant(Array::zeros(&Type::scalar(ty.dtype)));
        };
        self.declare(&path, &ty, role, trainable, || Start::Values(initializer));
        self.variable(&path, &ty)
    }

    /// While the model is built: notes that there is to be such a variable, unless there is one.
    fn declare(&mut self, path: &str, ty: &Type, role: Role, trainable: bool, start: impl FnOnce() -> Start) {
        let place = self.place();
        let (Some(declared), None) = (&mut self.declared, self.variables.get(path)) else { return };
        if declared.iter().all(|asked| asked.path != path) {
            let (path, ty, constraint) = (path.into(), ty.clone(), None);
            declared.push(Declared { path, place, ty, role, trainable, constraint, start: start() });
        }
    }

    /// The variable of that path, as it was before the step.
    #[track_caller]
    fn variable(&mut self, path: &str, ty: &Type) -> Tensor {
        let known = self.variables.get(path).map(|variable| (variable.id(), variable.ty.clone()));
        let asked = |(place, asked): (usize, &Declared)| {
            (asked.path == path).then(|| (VarId::new(self.variables.all().len() + place), asked.ty.clone()))
        };
        match known.or_else(|| self.declared.iter().flatten().enumerate().find_map(asked)) {
            Some((id, known)) if known == *ty => self.trace.var(id, known),
            Some((id, known)) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                self.fail(Error::graph(format!("`{name}` is {known}, but this input needs {ty}")));
                self.trace.var(id, known)
            }
            None => {
                self.fail(Error::graph(format!("there is no variable `{path}`")).help("build the model first"));
                self.trace.constant(Array::zeros(&Type::scalar(ty.dtype)))
            }
        }
    }

    /// Says what a variable will be after the step.
    #[track_caller]
    pub fn update(&mut self, variable: &Tensor, new: Tensor) {
        let (needed, got) = (variable.ty(), new.ty());
        let wrong = match (variable.op(), self.trace.takes(&new, "`update`")) {
            (_, Err(error)) => error,
            (Op::Leaf(Leaf::Var { id, .. }), _) if self.updates.iter().any(|(known, _)| *known == id) => {
                Error::graph("a variable takes one `update` a step, got a second")
            }
            (Op::Leaf(Leaf::Var { id, .. }), _) if got == needed => return self.updates.push((id, new)),
            (Op::Leaf(Leaf::Var { .. }), _) => Error::graph(format!("`update` needs {needed}, got {got}")),
            (other, _) => Error::graph(format!("only a variable can be updated, got `{other:.4}`")),
        };
        self.fail(wrong.at(Location::caller()));
    }

    /// Runs a part of a layer under a name that goes into the paths of its variables.
    pub fn child<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.into());
        let result = self.trace.clone().scope(name, || body(self));
        self.path.pop();
        result
    }

    /// Runs a model under its name, which goes into the paths of its variables but not into messages.
    pub(crate) fn model<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.into());
        let result = body(self);
        self.path.pop();
        result
    }

    /// Runs a layer: its name before the paths of its variables, its settings over all it asks for.
    pub(crate) fn layer<T>(&mut self, name: &str, scope: Scope, body: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.scope, scope);
        let result = self.child(name, body);
        self.scope = outer;
        result
    }

    /// The object of a choice; a name that is not known is a mistake.
    pub(crate) fn chosen<T: ?Sized + Family>(&self, choice: &Choice<T>) -> Option<Arc<T>> {
        choice.resolve().map_err(|error| self.fail(error)).ok()
    }

    /// An activation, applied.
    #[track_caller]
    pub fn activate(&self, activation: &Choice<dyn Activation>, x: Tensor) -> Tensor {
        match self.chosen(activation) {
            Some(activation) => activation.apply(x),
            None => x,
        }
    }

    /// Adds the penalty of a weight to the loss. Keras 3 leaves out those of weights that do not learn.
    pub fn regularize(&mut self, weight: &Tensor, penalty: &Option<Choice<dyn Regularizer>>) {
        let counts = self.scope.trainable || self.flavor().penalises_frozen();
        if let Some(penalty) = penalty.as_ref().filter(|_| counts).and_then(|penalty| self.chosen(penalty)) {
            self.add_loss(penalty.penalty(weight));
        }
    }

    /// Holds a weight of this layer to a constraint after each step of training, from when the weight is made.
    pub fn constrain(&mut self, name: &str, constraint: &Option<Choice<dyn Constraint>>) {
        let path = self.path_of(name);
        let constraint = constraint.as_ref().and_then(|constraint| self.chosen(constraint));
        if let Some(asked) = self.declared.iter_mut().flatten().find(|asked| asked.path == path) {
            asked.constraint = constraint;
        }
    }

    /// Adds a scalar to the loss of the model.
    #[track_caller]
    pub fn add_loss(&mut self, loss: Tensor) {
        let wrong = match self.trace.takes(&loss, "`add_loss`") {
            Err(error) => error,
            Ok(()) if loss.rank() == 0 => return self.losses.push(loss),
            Ok(()) => Error::graph(format!("`add_loss` needs one number, got {}", loss.ty()))
                .help("`sum_all()` makes one of them"),
        };
        self.fail(wrong.at(Location::caller()));
    }

    /// The penalties so far.
    pub fn losses(&self) -> &[Tensor] {
        &self.losses
    }

    /// A source of random numbers, which has to be asked for whether or not the step is one of training: the variable
    /// behind it is made when the model is built. With a `seed` of the layer's own it is independent of all others.
    ///
    /// In the flavour of Keras 2 it is a stream that goes on from step to step, in that of Keras 3 a seed and a count.
    #[track_caller]
    pub fn random(&mut self, seed: Option<i64>) -> Random {
        self.child("seed_generator", |cx| {
            let generator = cx.flavor().generator();
            let (name, words) = match generator {
                Generator::Stream => ("stream", 6),
                Generator::Count => ("seed_generator_state", 2),
            };
            let (path, ty) = (cx.path_of(name), Type::new(DType::U32, [words]));
            cx.declare(&path, &ty, Role::Seed, false, || Start::Generator(generator, seed));
            Random { generator, state: cx.variable(&path, &ty) }
        })
    }

    /// Uniform numbers in `[0, 1)`. The source moves on by one call.
    #[track_caller]
    pub fn uniform(&mut self, random: &Random, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        let state = &random.state;
        match random.generator {
            Generator::Stream => {
                // TensorFlow reserves 256 blocks for each number.
                let size = shape.checked_size().unwrap_or(usize::MAX) as u64;
                self.update(state, state.random_advance(size.saturating_mul(256)));
                state.random_uniform(shape)
            }
            Generator::Count => {
                let one = self.trace.constant(Array::vector(vec![0u32, 1]));
                self.update(state, state + one);
                state.random_stateless(STATELESS_MODULUS).random_uniform(shape)
            }
        }
    }

    /// Ends the trace: the graph with these outputs and these updates, beside those that layers asked for.
    ///
    /// # Errors
    /// The first mistake made, if there was one.
    pub fn finish(self, outputs: &[Tensor], updates: &[(VarId, Tensor)]) -> Result<Graph> {
        self.trace.finish(outputs, &[&self.updates, updates].concat())
    }

    /// Where in the model this is, for messages: the path without the model's name.
    fn place(&self) -> String {
        self.path.get(1..).unwrap_or_default().join("/")
    }

    fn path_of(&self, name: &str) -> String {
        self.path.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/")
    }
}
