//! The only way a layer meets the world: a [`Cx`] hands out weights, states and random numbers while it is traced.

mod scan;

use std::collections::{HashMap, HashSet};
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use cornu_graph::ops::{self, Leaf, Op};
use cornu_graph::{Array, DType, Error, Graph, Result, Shape, Tensor, Trace, Type, Value, VarId};

use crate::activations::Activation;
use crate::choice::Choice;
use crate::constraints::Constraint;
use crate::flavor::{Flavor, Generator, STATELESS_MODULUS};
use crate::initializers::Initializer;
use crate::policy::{DTypePolicy, dtype_policy};
use crate::registry::Family;
use crate::regularizers::Regularizer;
use crate::variables::{Declared, LayerState, Role, Start, Variables, has_room};
pub(crate) use scan::row;

/// A graph being traced through a model.
///
/// Weights are made the first time a layer asks for them, while the model is built, and found again by their layer and
/// name at every later trace. A layer that is called again in a trace sees its variables as its last call left them.
pub struct Cx {
    trace: Trace,
    flavor: Flavor,
    training: bool,
    build: Option<Build>,
    /// The names of layers and of parts of them around what is traced.
    path: Vec<String>,
    scope: Scope,
    /// New values of variables, each once, and where to find them.
    updates: Vec<(VarId, Tensor)>,
    updated: HashMap<VarId, usize>,
    losses: Vec<Tensor>,
    penalties: HashSet<Value>,
}

/// What is noted while weights are still to be made.
struct Build {
    /// What layers have asked for that there is not.
    declared: Vec<Declared>,
    /// How many numbers a file holds for them, if they are awaited from one.
    room: Option<usize>,
    /// Variables by layer and name; their places are their names in the graph.
    ids: Vec<(Arc<LayerState>, String)>,
}

/// What holds for all that one call of a layer asks for.
pub(crate) struct Scope {
    /// What the layer keeps.
    pub(crate) state: Arc<LayerState>,
    /// The types of its numbers.
    pub(crate) policy: DTypePolicy,
    /// Where its own part of the path begins.
    depth: usize,
    /// The variables it was given in this call, their values then, and whether it has said what they will be.
    given: Vec<(VarId, Tensor, bool)>,
    /// The weights that it was given in the type that it computes in, and in their own.
    casts: Vec<(Tensor, Tensor)>,
    /// The logits of its inputs that have some, and those of what its activations gave.
    known: Vec<(Tensor, Tensor)>,
    logits: Vec<(Tensor, Tensor)>,
}

impl Scope {
    pub(crate) fn new(state: Arc<LayerState>, policy: DTypePolicy) -> Scope {
        let (given, casts, known, logits) = Default::default();
        Scope { state, policy, depth: 0, given, casts, known, logits }
    }
}

/// A source of random numbers. See [`Cx::random`].
#[derive(Clone, Debug)]
pub struct Random {
    generator: Generator,
    state: Tensor,
}

impl Cx {
    /// Starts to trace one step of a built model; `training` is what Keras calls the argument of that name.
    ///
    /// # Errors
    /// Those of [`Variables::open`].
    pub fn new(variables: &Variables, training: bool) -> Result<Self> {
        variables.open()?;
        Ok(Self::over(variables.flavor(), training, None))
    }

    /// Starts to trace layers whose weights are still to be made, or awaited from a file that holds so many numbers. The
    /// graph is of use for its types only.
    pub(crate) fn build(flavor: Flavor, room: Option<usize>) -> Self {
        Self::over(flavor, false, Some(Build { declared: Vec::new(), room, ids: Vec::new() }))
    }

    fn over(flavor: Flavor, training: bool, build: Option<Build>) -> Self {
        Cx {
            trace: Trace::in_context(flavor),
            flavor,
            training,
            build,
            path: Vec::new(),
            scope: Scope::new(Arc::default(), dtype_policy()),
            updates: Vec::new(),
            updated: HashMap::new(),
            losses: Vec::new(),
            penalties: HashSet::new(),
        }
    }

    /// The graph being written.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Which Keras the model follows.
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// What layers have asked for that there is not.
    pub(crate) fn into_declared(self) -> Vec<Declared> {
        self.build.map_or_else(Vec::new, |build| build.declared)
    }

    /// Whether weights are still to be made, so that nothing of the trace counts but types.
    pub(crate) fn is_building(&self) -> bool {
        self.build.is_some()
    }

    /// The type in which the layer computes.
    pub fn compute_dtype(&self) -> DType {
        self.scope.policy.compute_dtype
    }

    /// Whether the step is one of training.
    pub fn training(&self) -> bool {
        self.training
    }

    /// Says whether what is traced now is a part of training; gives what was said before.
    pub(crate) fn set_training(&mut self, training: bool) -> bool {
        std::mem::replace(&mut self.training, training)
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

    /// A weight that learns, in the type that the layer computes in.
    #[track_caller]
    pub fn weight(&mut self, name: &str, shape: impl Into<Shape>, start: impl Into<Choice<dyn Initializer>>) -> Tensor {
        let weight = self.initialized(name, shape.into(), &start.into(), Role::Weight);
        let cast = weight.cast(self.scope.policy.compute_dtype);
        self.scope.casts.push((cast.clone(), weight));
        cast
    }

    /// A weight that [`Cx::weight`] gave in its own type, for what is not to be computed in 16 bits.
    pub fn uncast(&self, weight: &Tensor) -> Tensor {
        let own = self.scope.casts.iter().find(|(cast, _)| cast.is(weight));
        own.map_or_else(|| weight.clone(), |(_, own)| own.clone())
    }

    /// Whether the weights of the layer learn.
    pub fn trainable(&self) -> bool {
        self.scope.state.learns.load(Ordering::Relaxed)
    }

    /// What a layer keeps from step to step, and changes by [`Cx::update`] only.
    #[track_caller]
    pub fn state(&mut self, name: &str, shape: impl Into<Shape>, start: impl Into<Choice<dyn Initializer>>) -> Tensor {
        self.initialized(name, shape.into(), &start.into(), Role::State)
    }

    /// What a layer remembers from call to call, zeros at first: no weight, and in no file. [`Model::reset_states`] forgets
    /// it.
    ///
    /// [`Model::reset_states`]: crate::Model::reset_states
    #[track_caller]
    pub fn memory(&mut self, name: &str, shape: impl Into<Shape>) -> Tensor {
        self.initialized(name, shape.into(), &"zeros".into(), Role::Memory)
    }

    /// The type of a variable of the layer that is there already.
    pub(crate) fn type_of(&self, name: &str) -> Option<Type> {
        self.scope.state.get(&self.own_name(name)).map(|made| made.ty.clone())
    }

    #[track_caller]
    fn initialized(&mut self, name: &str, shape: Shape, start: &Choice<dyn Initializer>, role: Role) -> Tensor {
        let ty = Type::new(self.scope.policy.variable_dtype, shape);
        if let Some(Err(error)) = self.build.as_ref().map(|build| has_room(build.room, &ty)) {
            self.fail(error.context(format!("weight `{name}`")));
        }
        let Some(initializer) = self.chosen(start) else {
            return self.trace.constant(Array::zeros(&Type::scalar(ty.dtype)));
        };
        let name = self.own_name(name);
        self.declare(&name, &ty, role, || Start::Values(initializer));
        self.variable(&name, &ty)
    }

    /// While the model is built: notes that there is to be such a variable, unless there is one.
    fn declare(&mut self, name: &str, ty: &Type, role: Role, start: impl FnOnce() -> Start) {
        let place = self.path.join("/");
        let (Some(build), owner) = (&mut self.build, &self.scope.state) else { return };
        let is_it = |asked: &Declared| Arc::ptr_eq(&asked.owner, owner) && asked.name == name;
        if !owner.is_built() && !build.declared.iter().any(is_it) {
            let (owner, name, ty, constraint) = (Arc::clone(owner), name.to_owned(), ty.clone(), None);
            build.declared.push(Declared { owner, name, place, ty, role, constraint, start: start() });
        }
    }

    /// The variable of the layer of that name, as the last call of the layer left it.
    #[track_caller]
    fn variable(&mut self, name: &str, ty: &Type) -> Tensor {
        let Some((id, known)) = self.find(name) else {
            self.fail(Error::graph(format!("there is no variable `{name}`")).help("build the model first"));
            return self.trace.constant(Array::zeros(&Type::scalar(ty.dtype)));
        };
        if known != *ty {
            let name = name.rsplit('/').next().unwrap_or(name);
            self.fail(Error::graph(format!("`{name}` is {known}, but this input needs {ty}")));
        }
        let tensor = self.present(id, known);
        self.scope.given.push((id, tensor.clone(), false));
        tensor
    }

    /// A variable as the last update of it in this trace leaves it.
    #[track_caller]
    fn present(&self, id: VarId, ty: Type) -> Tensor {
        let updated = self.updated.get(&id).map(|&place| self.updates[place].1.clone());
        updated.unwrap_or_else(|| self.trace.var(id, ty))
    }

    /// Name in the graph and type of a variable of the layer, if there is or will be one.
    fn find(&mut self, name: &str) -> Option<(VarId, Type)> {
        let owner = &self.scope.state;
        let made = owner.get(name);
        let Some(build) = &mut self.build else {
            return made.filter(|made| made.is_placed()).map(|made| (made.id(), made.ty.clone()));
        };
        let is_it = |asked: &&Declared| Arc::ptr_eq(&asked.owner, owner) && asked.name == name;
        let asked = || build.declared.iter().find(is_it).map(|asked| asked.ty.clone());
        let ty = made.map(|made| made.ty.clone()).or_else(asked)?;
        let known = build.ids.iter().position(|(state, known)| Arc::ptr_eq(state, owner) && known == name);
        let place = known.unwrap_or_else(|| {
            build.ids.push((Arc::clone(owner), name.to_owned()));
            build.ids.len() - 1
        });
        Some((VarId::new(place), ty))
    }

    /// Says what a variable of this layer will be after this call: for a later call in the same step, and after the step.
    #[track_caller]
    pub fn update(&mut self, variable: &Tensor, new: Tensor) {
        let wrong = match (self.trace.takes(&new, "`update`"), self.named(variable)) {
            (Err(error), _) | (_, Err(error)) => error,
            (_, Ok(_)) if new.ty() != variable.ty() => {
                Error::graph(format!("`update` needs {}, got {}", variable.ty(), new.ty()))
            }
            (_, Ok(id)) => {
                let given = self.scope.given.iter_mut().filter(|(given, ..)| *given == id);
                given.for_each(|(.., changed)| *changed = true);
                return self.set(id, new);
            }
        };
        self.fail(wrong.at(Location::caller()));
    }

    fn set(&mut self, id: VarId, new: Tensor) {
        match self.updated.get(&id) {
            Some(&place) => self.updates[place].1 = new,
            None => {
                self.updated.insert(id, self.updates.len());
                self.updates.push((id, new));
            }
        }
    }

    /// The variable that a tensor is the present value of.
    fn named(&self, tensor: &Tensor) -> Result<VarId> {
        let second = || Error::graph("a variable takes one `update` a step, got a second");
        let given = self.scope.given.iter().filter(|(_, value, _)| value.is(tensor));
        let mut ids: Vec<(VarId, bool)> = given.map(|(id, _, changed)| (*id, *changed)).collect();
        ids.dedup();
        match (&ids[..], tensor.op()) {
            ([(id, false)], _) => Ok(*id),
            ([(_, true)], _) => Err(second()),
            ([], Op::Leaf(Leaf::Var { id, .. })) if self.updated.contains_key(&id) => Err(second()),
            ([], Op::Leaf(Leaf::Var { id, .. })) => Ok(id),
            ([], other) => Err(Error::graph(format!("only a variable can be updated, got `{other:.4}`"))),
            _ => Err(Error::graph("`update` needs to know which variable is meant, got two of one value")),
        }
    }

    /// Runs a part of a layer under a name that goes into the paths of its variables.
    pub fn child<T>(&mut self, name: &str, body: impl FnOnce(&mut Self) -> T) -> T {
        self.path.push(name.into());
        let result = self.trace.clone().scope(name, || body(self));
        self.path.pop();
        result
    }

    /// Runs a layer: its name in messages, its settings over all it asks for.
    pub(crate) fn layer<T>(&mut self, name: &str, mut scope: Scope, body: impl FnOnce(&mut Self) -> T) -> T {
        scope.depth = self.path.len() + 1;
        let outer = std::mem::replace(&mut self.scope, scope);
        let result = self.child(name, body);
        self.scope = outer;
        result
    }

    /// The object of a choice; a name that is not known is a mistake.
    pub(crate) fn chosen<T: ?Sized + Family>(&self, choice: &Choice<T>) -> Option<Arc<T>> {
        choice.resolve().map_err(|error| self.fail(error)).ok()
    }

    /// An activation, applied. What goes into a sigmoid or a softmax are the logits of what comes out.
    #[track_caller]
    pub fn activate(&mut self, activation: &Choice<dyn Activation>, x: Tensor) -> Tensor {
        let Some(activation) = self.chosen(activation) else { return x };
        let y = activation.apply(x.clone());
        if activation.takes_logits() {
            self.scope.logits.push((y.clone(), x));
        } else if y.is(&x) {
            self.keep_logits(&x);
        }
        y
    }

    /// An input that the layer hands on as it is. In Keras 2 that is a copy, of which no logits are known.
    pub fn unchanged(&mut self, x: Tensor) -> Tensor {
        if !self.flavor.copies_what_stays() {
            self.keep_logits(&x);
        }
        x
    }

    fn keep_logits(&mut self, x: &Tensor) {
        let kept = self.scope.known.iter().find(|(value, _)| value.is(x)).cloned();
        self.scope.logits.extend(kept);
    }

    /// What a tensor of this layer is a sigmoid or softmax of, if [`Cx::activate`] made it one.
    pub fn logits(&self, tensor: &Tensor) -> Option<Tensor> {
        self.scope.logits.iter().find(|(value, _)| value.is(tensor)).map(|(_, logits)| logits.clone())
    }

    /// Notes the logits of an input of the layer, or of what a layer within it gave.
    pub(crate) fn note_logits(&mut self, tensor: &Tensor, logits: Option<&Tensor>, is_input: bool) {
        let notes = if is_input { &mut self.scope.known } else { &mut self.scope.logits };
        notes.extend(logits.map(|logits| (tensor.clone(), logits.clone())));
    }

    /// Adds the penalty of a weight, in its own type, to the loss. Keras 3 leaves out those of weights that do not learn.
    pub fn regularize(&mut self, weight: &Tensor, penalty: &Option<Choice<dyn Regularizer>>) {
        let counts = self.trainable() || self.flavor().penalises_frozen();
        if let Some(penalty) = penalty.as_ref().filter(|_| counts).and_then(|penalty| self.chosen(penalty)) {
            let loss = penalty.penalty(&self.uncast(weight));
            // However often a layer is called, its weights are there once.
            if self.penalties.insert(loss.value()) {
                self.add_loss(loss);
            }
        }
    }

    /// Holds a weight of this layer to a constraint after each step of training, from when the weight is made.
    pub fn constrain(&mut self, name: &str, constraint: &Option<Choice<dyn Constraint>>) {
        let name = self.own_name(name);
        let constraint = constraint.as_ref().and_then(|constraint| self.chosen(constraint));
        let declared = self.build.iter_mut().flat_map(|build| &mut build.declared);
        let owner = &self.scope.state;
        for asked in declared.filter(|asked| Arc::ptr_eq(&asked.owner, owner) && asked.name == name) {
            asked.constraint.clone_from(&constraint);
        }
    }

    /// [`Cx::weight`] with its penalty, and what it is held to.
    #[track_caller]
    pub fn parameter(
        &mut self,
        name: &str,
        shape: impl Into<Shape>,
        start: &Choice<dyn Initializer>,
        penalty: &Option<Choice<dyn Regularizer>>,
        constraint: &Option<Choice<dyn Constraint>>,
    ) -> Tensor {
        let weight = self.weight(name, shape, start.clone());
        self.regularize(&weight, penalty);
        self.constrain(name, constraint);
        weight
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
            let (name, ty) = (cx.own_name(name), Type::new(DType::U32, [words]));
            cx.declare(&name, &ty, Role::Seed, || Start::Generator(generator, seed));
            Random { generator, state: cx.variable(&name, &ty) }
        })
    }

    /// Uniform numbers in `[0, 1)`, in as many digits as the type has that the layer computes in. The source moves on by
    /// one call.
    #[track_caller]
    pub fn uniform(&mut self, random: &Random, shape: impl Into<Shape>) -> Tensor {
        let (shape, dtype) = (shape.into(), self.scope.policy.compute_dtype);
        // Floats of 16 bits are made of singles.
        let (state, draw) = (&random.state, ops::Random::Uniform(Type::new(dtype.widened(), shape.clone())));
        let numbers = match random.generator {
            Generator::Stream => {
                // TensorFlow reserves 256 blocks for each number.
                let size = shape.checked_size().unwrap_or(usize::MAX) as u64;
                self.update(state, state.random_advance(size.saturating_mul(256)));
                state.apply(draw)
            }
            Generator::Count => {
                let one = self.trace.constant(Array::vector(vec![0u32, 1]));
                self.update(state, state + one);
                state.random_stateless(STATELESS_MODULUS).apply(draw)
            }
        };
        // TensorFlow makes a number of the last bits of a word: 23 for singles, 10 and 7 for floats of 16 bits.
        let left_out = match dtype {
            DType::F16 => 13,
            DType::Bf16 => 16,
            _ => return numbers,
        };
        let scaled = numbers * f64::from(1 << left_out);
        (&scaled - scaled.cast(DType::I32).cast(DType::F32)).cast(dtype)
    }

    /// Ends the trace: the graph with these outputs and these updates, beside those that layers asked for.
    ///
    /// # Errors
    /// The first mistake made, if there was one.
    pub fn finish(self, outputs: &[Tensor], updates: &[(VarId, Tensor)]) -> Result<Graph> {
        self.trace.finish(outputs, &[&self.updates, updates].concat())
    }

    /// The name of a variable of the layer, with those of the parts of the layer around it.
    fn own_name(&self, name: &str) -> String {
        let parts = self.path.get(self.scope.depth..).unwrap_or_default();
        parts.iter().map(String::as_str).chain([name]).collect::<Vec<_>>().join("/")
    }
}
