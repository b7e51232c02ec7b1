//! From the name of a class to the class: one registry for each family of Keras's classes.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use cornu_graph::{Error, Result, nearest};
use serde_json::{Map, Value};

use crate::config::{ClassId, Config, FieldSpec, FromConfig, not_known, only_keras_has, open_object};

/// A family of Keras's classes: layers, losses, metrics, optimizers, initializers, regularizers, constraints, activations.
pub trait Family: Config {
    /// What one of them is called in messages.
    const WHAT: &'static str;

    /// What the class of one is called in messages.
    const WHAT_CLASS: &'static str = Self::WHAT;

    /// The module of this crate that they are in, after Keras's.
    const MODULE: &'static str;

    /// Whether files have a name as it was given, not the object that it stands for.
    const KEEPS_NAMES: bool = false;

    /// The package of Keras's own with arguments, where they are functions: Keras's files have the names of those alone.
    const FUNCTIONS: Option<&'static str> = None;

    /// The name that nothing stands for.
    const NOTHING: Option<&'static str> = None;

    /// The settings.
    fn as_config(&self) -> &dyn Config;

    /// The classes there are.
    fn registry() -> &'static Registry<Self>;

    /// Every name and class name of Keras's own.
    fn names() -> Vec<&'static str> {
        Self::registry().listed().iter().flat_map(|class| class.aliases().chain([&*class.id.name])).collect()
    }

    /// Every class name of Keras's own.
    fn classes() -> Vec<&'static str> {
        Self::registry().listed().iter().map(|class| &*class.id.name).collect()
    }

    /// Makes a class of one's own known, so that it is found in files.
    fn register(class: Class<Self>) {
        let mut own = Self::registry().own.write().unwrap_or_else(PoisonError::into_inner);
        own.retain(|known| known.id != class.id);
        own.push(class);
    }
}

/// How settings become an object.
type Read<T> = Arc<dyn Fn(&Map<String, Value>) -> Result<Arc<T>> + Send + Sync>;

/// One class of a family.
pub struct Class<T: ?Sized> {
    /// Package and name.
    pub id: ClassId,
    /// Short names, each with the settings that it stands for beside the defaults.
    pub names: Vec<(Cow<'static, str>, Map<String, Value>)>,
    /// What can be set.
    pub fields: Vec<FieldSpec>,
    /// How it is read.
    pub read: Read<T>,
}

impl<T: ?Sized> Clone for Class<T> {
    fn clone(&self) -> Self {
        let Class { id, names, fields, read } = self;
        Class { id: id.clone(), names: names.clone(), fields: fields.clone(), read: Arc::clone(read) }
    }
}

impl<T: ?Sized + 'static> Class<T> {
    /// The class `C`; `share` makes one of the family of it.
    pub fn of<C: FromConfig>(share: fn(C) -> Arc<T>) -> Class<T> {
        let id = ClassId { package: C::PACKAGE.into(), name: C::CLASS.into() };
        let read: Read<T> = Arc::new(move |config| C::from_json(config).map(share));
        Class { id, names: Vec::new(), fields: C::fields(), read }
    }

    /// The same class, which also goes by a name that stands for those settings.
    #[must_use]
    pub fn named(mut self, name: &'static str, settings: &Value) -> Class<T> {
        let settings = settings.as_object().cloned().unwrap_or_default();
        self.names.push((name.into(), settings));
        self
    }

    fn aliases(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|(name, _)| &**name)
    }
}

/// The classes of a family: those of Keras that this crate has, and those that users registered.
pub struct Registry<T: ?Sized + 'static> {
    listed: LazyLock<Vec<Class<T>>>,
    own: RwLock<Vec<Class<T>>>,
}

impl<T: ?Sized + Family> Registry<T> {
    /// Of those classes of Keras.
    pub(crate) const fn new(listed: fn() -> Vec<Class<T>>) -> Registry<T> {
        Registry { listed: LazyLock::new(listed), own: RwLock::new(Vec::new()) }
    }

    /// Keras's own classes.
    pub fn listed(&self) -> &[Class<T>] {
        &self.listed
    }

    /// The object that a name stands for: a short name or the name of a class, of one's own `package>name`.
    pub fn named(&self, name: &str) -> Option<Result<Arc<T>>> {
        for class in self.listed() {
            if let Some((_, settings)) = class.names.iter().find(|(known, _)| *known == name) {
                return Some((class.read)(settings));
            }
        }
        let own = name
            .split_once('>')
            .and_then(|(package, name)| self.own_class(|id| id.package == package && id.name == name));
        let listed = || self.listed().iter().find(|class| class.id.name == name).cloned();
        own.or_else(listed).map(|class| (class.read)(&Map::new()))
    }

    /// The object of a class with those settings. Another package's class of the same name may compute anything.
    ///
    /// # Errors
    /// A class that is not known, or settings it does not have.
    pub fn read(&self, id: &ClassId, config: &Map<String, Value>) -> Result<Arc<T>> {
        (self.find(id)?.read)(config)
    }

    /// [`Registry::read`] of `{"class_name": …, "config": …}`.
    ///
    /// # Errors
    /// Those of [`Registry::read`]; something that is no such object.
    pub fn read_object(&self, json: &Value) -> Result<Arc<T>> {
        let (id, config) = open_object(json)?;
        self.read(&id, &config)
    }

    /// Whether users registered that class.
    pub(crate) fn has_own(&self, id: &ClassId) -> bool {
        self.own_class(|known| known == id).is_some()
    }

    fn own_class(&self, is: impl Fn(&ClassId) -> bool) -> Option<Class<T>> {
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        own.iter().find(|class| is(&class.id)).cloned()
    }

    fn find(&self, id: &ClassId) -> Result<Class<T>> {
        if let Some(own) = self.own_class(|known| known == id) {
            return Ok(own);
        }
        let is_ours = id.is_keras() || T::FUNCTIONS == Some(&*id.package);
        let is_listed = |class: &&Class<T>| class.id.package == id.package || is_ours;
        if !is_ours && self.listed().iter().filter(is_listed).all(|class| class.id.name != id.name) {
            return Err(stranger::<T>(id));
        }
        // Some classes have more than one name.
        let is_it = |class: &&Class<T>| class.id.name == id.name || class.aliases().any(|name| name == id.name);
        let listed = self.listed().iter().filter(is_listed).find(is_it).cloned();
        let instead = || self.own_class(|known| known.name == id.name);
        listed.or_else(instead).ok_or_else(|| self.unknown_class(&id.name))
    }

    fn unknown_class(&self, name: &str) -> Error {
        let (what, known) = (T::WHAT_CLASS, T::classes());
        let own = format!(
            "{} {} of your own can take its place, if it is registered first: `{}`",
            if what.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" },
            T::WHAT,
            register_call::<T>(&format!("Your{}{}", T::WHAT[..1].to_uppercase(), &T::WHAT[1..]))
        );
        let near = nearest(name, known.iter().copied()).filter(|_| !only_keras_has(what, name, &known));
        let help = near.map_or_else(|| own.clone(), |near| format!("did you mean `{near}`? If not: {own}"));
        not_known(what, name, known).help(help)
    }
}

fn register_call<T: ?Sized + Family>(class: &str) -> String {
    format!("cornu::{}::register::<{class}>()", T::MODULE)
}

/// The error for a class of another package, of which nothing is known but its name.
pub(crate) fn stranger<T: ?Sized + Family>(id: &ClassId) -> Error {
    let help = format!(
        "Keras's own may compute something else: declare yours by `config!` with the module `\"{}\"`, and register it \
         first by `{}`",
        id.package,
        register_call::<T>(&id.name)
    );
    id.stranger(T::WHAT, help)
}
