//! Layers that run on the host, before the graph or behind it: what takes texts or gives some is such a layer.
//!
//! A second one is a file of its own: [`Layer::host`] gives itself, and all else follows from [`HostLayer`].

use std::sync::Arc;

use cornu_graph::{AnyArray, Array, Context, DataKind, Error, Result, Shape, ToArray};
use serde_json::{Map, Value};

use super::LayerRef;
use crate::variables::Vocabulary;

/// A layer that runs on the host, on all rows of a call at once: one input, one output, and no variables. What it has
/// learned is a [`Vocabulary`], which hangs on the layer.
pub trait HostLayer {
    /// Whether it takes texts; else numbers, of whatever type.
    fn takes_texts(&self) -> bool;

    /// What it makes of an input of that shape: of what its elements are, and its shape.
    ///
    /// # Errors
    /// A shape that it does not take, or something that has to be learned first.
    fn output(&self, vocabulary: Option<&Vocabulary>, shape: &Shape) -> Result<(DataKind, Shape)>;

    /// What it makes of an input, of the kind that it takes.
    ///
    /// # Errors
    /// What it has no output for, or something that has to be learned first.
    fn transform(&self, vocabulary: Option<&Vocabulary>, x: &AnyArray) -> Result<AnyArray>;

    /// The vocabulary that its settings name.
    ///
    /// # Errors
    /// It cannot be one.
    fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        Ok(None)
    }

    /// What it learns from data, of the kind that it takes.
    ///
    /// # Errors
    /// It learns nothing, or not from this.
    fn adapt(&self, _data: &AnyArray) -> Result<Vocabulary> {
        Err(Error::usage("this layer learns nothing from data"))
    }

    /// A vocabulary of those tokens, the special ones first or left out, and what they weigh.
    ///
    /// # Errors
    /// It has none, or not such a one.
    fn with_tokens(&self, _tokens: Vec<String>, _weights: Option<Vec<f64>>) -> Result<Vocabulary> {
        Err(Error::usage("this layer has no vocabulary"))
    }

    /// All tokens, the special ones first: the place of each is what the layer makes of it.
    fn all_tokens(&self, _vocabulary: &Vocabulary) -> Vec<String> {
        Vec::new()
    }

    /// How many of [`HostLayer::all_tokens`] are special.
    fn special_tokens(&self) -> usize {
        0
    }

    /// Whether a file of a model has the tokens beside its settings.
    fn keeps_tokens_apart(&self) -> bool {
        false
    }

    /// Puts what depends on the vocabulary into its settings.
    fn write_vocabulary(&self, _vocabulary: &Vocabulary, _config: &mut Map<String, Value>) {}

    /// Makes settings such as both versions of Keras read, where one of them lacks a key or takes another value.
    fn write_for_both(&self, _config: &mut Map<String, Value>) {}
}

impl LayerRef {
    /// What it is on the host, if it runs there.
    pub(crate) fn host(&self) -> Option<&dyn HostLayer> {
        self.layer().host()
    }

    fn on_host(&self, what: &str) -> Result<&dyn HostLayer> {
        let none = || Error::usage(format!("`{}` has no `{what}`", self.layer().class_name()));
        self.host().ok_or_else(none).context(self.name())
    }

    /// What it looks things up in, once it is known.
    ///
    /// # Errors
    /// The settings name one that cannot be.
    pub(crate) fn vocabulary(&self) -> Result<Option<Arc<Vocabulary>>> {
        let Some(host) = self.host() else { return Ok(None) };
        if let Some(known) = self.kept_vocabulary() {
            return Ok(Some(known));
        }
        let named = host.vocabulary().context(self.name())?.map(Arc::new);
        named.iter().for_each(|named| self.keep_vocabulary(Arc::clone(named)));
        Ok(named)
    }

    /// What a layer that runs on the host, such as `StringLookup`, makes of an array: Keras's `layer(x)`.
    ///
    /// ```
    /// use cornu::prelude::*;
    ///
    /// let lookup = StringLookup::new().vocabulary(["a", "b"]).shared();
    /// let places = lookup.transform([["b", "z"], ["a", "b"]])?;
    /// assert_eq!(places.numbers().map(Array::to_vec::<i64>), Some(vec![2, 0, 1, 2]));
    /// # Ok::<(), cornu::Error>(())
    /// ```
    ///
    /// # Errors
    /// Another layer, values of another kind than it takes, and what it has no output for.
    pub fn transform(&self, x: impl ToArray) -> Result<AnyArray> {
        self.transform_any(&x.into_any()?)
    }

    /// [`LayerRef::transform`] of what is one already.
    ///
    /// # Errors
    /// Those of [`LayerRef::transform`].
    pub(crate) fn transform_any(&self, x: &AnyArray) -> Result<AnyArray> {
        let host = self.on_host("transform")?;
        self.takes(host, x.kind())?;
        host.transform(self.vocabulary()?.as_deref(), x).context(self.name())
    }

    /// Whether values of that kind are for it.
    pub(crate) fn takes(&self, host: &dyn HostLayer, got: DataKind) -> Result<()> {
        if host.takes_texts() == (got == DataKind::Texts) {
            return Ok(());
        }
        let needed = if host.takes_texts() { "texts" } else { "numbers" };
        let class = self.layer().class_name();
        Err(Error::data(format!("`{class}` needs {needed}, got `{}`", got.keras_name())).context(self.name()))
    }

    /// Learns what it looks things up in, as Keras's `adapt`: each row of the first axis is a document. Models that have the
    /// layer have what it learns; one whose shapes depend on it has to be built after this.
    ///
    /// # Errors
    /// A layer that learns nothing, one whose settings name a vocabulary, or values of another kind than it takes.
    pub fn adapt(&self, data: impl ToArray) -> Result<()> {
        let (host, data) = (self.on_host("adapt")?, data.into_any()?);
        self.takes(host, data.kind())?;
        let learned = host.adapt(&data).context(format!("{}: `adapt`", self.name()))?;
        self.keep_vocabulary(Arc::new(learned));
        Ok(())
    }

    /// The vocabulary, with the special tokens first: the place of each is what the layer makes of it. Empty before it is
    /// known.
    ///
    /// # Errors
    /// A layer that has none.
    pub fn get_vocabulary(&self) -> Result<Vec<String>> {
        let host = self.on_host("get_vocabulary")?;
        Ok(self.vocabulary()?.map_or_else(Vec::new, |known| host.all_tokens(&known)))
    }

    /// How many tokens the vocabulary has, with the special ones.
    ///
    /// # Errors
    /// A layer that has none.
    pub fn vocabulary_size(&self) -> Result<usize> {
        let special = self.on_host("vocabulary_size")?.special_tokens();
        Ok(special + self.vocabulary()?.map_or(0, |known| known.tokens().len()))
    }

    /// Looks tokens up in these from now on: the special ones first, or without them. With `idf_weights` where the layer
    /// weighs tokens.
    ///
    /// # Errors
    /// A layer that has no vocabulary, tokens that are there twice, more than `max_tokens`, weights that do not fit.
    pub fn set_vocabulary<T: Into<String>>(
        &self,
        tokens: impl IntoIterator<Item = T>,
        idf_weights: Option<&[f64]>,
    ) -> Result<()> {
        let host = self.on_host("set_vocabulary")?;
        let tokens = tokens.into_iter().map(Into::into).collect();
        let vocabulary = host.with_tokens(tokens, idf_weights.map(<[f64]>::to_vec)).context(self.name())?;
        self.keep_vocabulary(Arc::new(vocabulary));
        Ok(())
    }

    /// What tokens weigh, as a file has it.
    pub(crate) fn token_weights(&self) -> Option<Array> {
        Some(Array::vector(self.kept_vocabulary()?.weights()?.to_vec()))
    }

    /// The tokens as a file has them beside the settings, one in each line; nothing where it has none there.
    pub(crate) fn tokens_apart(&self) -> Option<String> {
        self.host().filter(|host| host.keeps_tokens_apart())?;
        self.kept_vocabulary()?;
        self.get_vocabulary().ok().map(|tokens| tokens.join("\n"))
    }

    /// Takes over the tokens of a file, and what they weigh, if it says that.
    ///
    /// # Errors
    /// Tokens that the layer cannot have.
    pub(crate) fn read_tokens(&self, text: &str, weights: Option<&Array>) -> Result<()> {
        let mut tokens: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        // Keras ends no line but those between: one more is that of an editor.
        let size = self.layer().to_json().get("vocabulary_size").and_then(Value::as_u64);
        while tokens.last() == Some(&"") && size.is_some_and(|size| tokens.len() as u64 > size) {
            tokens.pop();
        }
        let weights = weights.map(Array::to_vec::<f64>);
        let of_tokens = weights.as_deref().map(|weights| &weights[..weights.len().min(tokens.len())]);
        self.set_vocabulary(tokens, of_tokens)
    }
}
