//! Texts become their places in a vocabulary, or the other way round.

use cornu_graph::{AnyArray, DataKind, Error, Result, Shape, TextArray};
use serde_json::{Map, Value};

use super::lookup::{Lookup, Mode, Tokens};
use super::{HostLayer, Layer};
use crate::config::OneOrMany;
use crate::variables::Vocabulary;

crate::config! {
    /// The place of each text in a vocabulary, which is given or learned by [`adapt`](super::LayerRef::adapt):
    /// `[batch, …]` becomes whole numbers of that shape. In another `output_mode` each sample becomes a row of as many
    /// numbers as there are tokens. It runs on the host, once for all rows.
    "keras.layers" pub layer StringLookup {
        /// Whether places become texts.
        invert: bool = false,
        /// The most tokens to learn, with the special ones.
        max_tokens: Option<usize> = None,
        /// How many places there are for texts that are no tokens: of several the hash of a text says which. With none,
        /// such a text is an error.
        num_oov_indices: usize = 1,
        /// What a place becomes that is none of a token.
        oov_token: Option<String> = Some("[UNK]".into()),
        /// The text that stands for none: place 0 in the mode `int`, and left out in others.
        mask_token: Option<String> = None,
        /// What comes out: `int`, `one_hot`, `multi_hot`, `count`, `tf_idf`.
        output_mode: String = "int".into(),
        /// Only dense outputs are supported.
        sparse: bool = false,
        /// Whether rows have `max_tokens` numbers, however many tokens there are.
        pad_to_max_tokens: bool = false,
        /// What each token of `vocabulary` weighs in the mode `tf_idf`.
        idf_weights: Option<Vec<f64>> = None,
        /// The tokens, or the path of a file with one in each line.
        vocabulary: Option<Tokens> = None,
        /// How many tokens there were when the layer was saved.
        vocabulary_size: Option<usize> = None,
        /// Means nothing for texts.
        oov_method: String = "floormod".into() => KERAS3,
        /// The key of the hash of texts that are no tokens: one number, or two.
        salt: Option<OneOrMany<i64>> = None => KERAS3,
        /// Only `utf-8` is supported.
        encoding: String = "utf-8".into(),
    }
}

impl StringLookup {
    fn lookup(&self) -> Lookup<'_> {
        Lookup {
            max_tokens: self.max_tokens,
            oov: self.num_oov_indices,
            oov_token: self.oov_token.as_deref(),
            mask_token: self.mask_token.as_deref(),
            mode: Mode::of(&self.output_mode).unwrap_or(Mode::Int),
            invert: self.invert,
            pad: self.pad_to_max_tokens,
            saved_size: self.vocabulary_size,
            salt: self.salt.as_ref().map(OneOrMany::as_slice),
        }
    }
}

impl Layer for StringLookup {
    fn host(&self) -> Option<&dyn HostLayer> {
        Some(self)
    }

    fn check_settings(&self) -> Result<()> {
        Mode::of(&self.output_mode)?;
        self.lookup().check(self.vocabulary.is_some(), self.idf_weights.is_some())?;
        if self.sparse {
            return Err(Error::unsupported("`sparse`: only dense outputs are supported").help("leave `sparse` out"));
        }
        match &*self.encoding.to_lowercase() {
            "utf-8" | "utf8" => Ok(()),
            other => Err(Error::unsupported(format!("`encoding` is `utf-8` here, got `{other}`"))),
        }
    }
}

impl HostLayer for StringLookup {
    fn takes_texts(&self) -> bool {
        !self.invert
    }

    fn output(&self, vocabulary: Option<&Vocabulary>, shape: &Shape) -> Result<(DataKind, Shape)> {
        self.lookup().output(vocabulary, shape)
    }

    fn transform(&self, vocabulary: Option<&Vocabulary>, x: &AnyArray) -> Result<AnyArray> {
        let (lookup, vocabulary) = (self.lookup(), Lookup::known(vocabulary)?);
        match x {
            AnyArray::Texts(texts) => {
                lookup.encode(vocabulary, texts.shape(), &lookup.places(vocabulary, texts.iter())?)
            }
            AnyArray::Numbers(places) => {
                let texts = places.to_vec::<i64>().into_iter().map(|place| Some(lookup.token(vocabulary, place)));
                TextArray::new(places.shape().clone(), texts.collect()).map(AnyArray::Texts)
            }
        }
    }

    fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        let Some(tokens) = &self.vocabulary else { return Ok(None) };
        self.with_tokens(tokens.read()?, self.idf_weights.clone()).map(Some)
    }

    fn adapt(&self, data: &AnyArray) -> Result<Vocabulary> {
        if self.vocabulary.is_some() {
            return Err(Error::usage("a layer that was given its `vocabulary` learns none"));
        }
        let texts = data.texts().ok_or_else(|| Error::usage("a layer that inverts learns from no numbers"))?;
        self.lookup().learn(texts)
    }

    fn with_tokens(&self, tokens: Vec<String>, weights: Option<Vec<f64>>) -> Result<Vocabulary> {
        self.lookup().vocabulary(tokens, weights)
    }

    fn all_tokens(&self, vocabulary: &Vocabulary) -> Vec<String> {
        self.lookup().special().into_iter().chain(vocabulary.tokens().iter().cloned()).collect()
    }

    fn special_tokens(&self) -> usize {
        self.lookup().start()
    }

    fn keeps_tokens_apart(&self) -> bool {
        !matches!(self.vocabulary, Some(Tokens::List(_)))
    }

    fn write_vocabulary(&self, vocabulary: &Vocabulary, config: &mut Map<String, Value>) {
        config.insert("vocabulary_size".into(), (self.lookup().start() + vocabulary.tokens().len()).into());
    }

    fn write_for_both(&self, config: &mut Map<String, Value>) {
        if self.lookup().mode == Mode::Int {
            config.insert("dtype".into(), "int64".into());
        }
        config.retain(|key, value| key != "oov_method" && (key != "salt" || !value.is_null()));
    }
}
