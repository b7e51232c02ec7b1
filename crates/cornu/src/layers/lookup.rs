//! What all layers that look things up in a vocabulary have in common: Keras's `IndexLookup`. A place is counted from the
//! special tokens on: the one that stands for none, those for what is no token, then the tokens.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use cornu_graph::{AnyArray, Array, DType, DataKind, Error, Result, Shape, TextArray, fingerprint64, list, siphash64};
use serde_json::Value;

use crate::config::{Field, IntoField, Kind, expected, short, unknown};
use crate::variables::Vocabulary;

/// What comes out of a lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The place of each.
    Int,
    /// For each a row with a 1 at its place.
    OneHot,
    /// For each sample a row with a 1 at each place that it has.
    MultiHot,
    /// For each sample how often it has each place.
    Count,
    /// The same times what each place weighs.
    TfIdf,
}

impl Mode {
    /// The one of that name.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(name: &str) -> Result<Mode> {
        match name {
            "int" => Ok(Mode::Int),
            "one_hot" => Ok(Mode::OneHot),
            "multi_hot" => Ok(Mode::MultiHot),
            "count" => Ok(Mode::Count),
            "tf_idf" => Ok(Mode::TfIdf),
            _ => Err(unknown("output_mode", name, ["int", "one_hot", "multi_hot", "count", "tf_idf"])),
        }
    }
}

/// The tokens of a vocabulary as a setting.
#[derive(Clone, Debug, PartialEq)]
pub enum Tokens {
    /// They themselves.
    List(Vec<String>),
    /// A file with one in each line.
    File(String),
}

impl Tokens {
    /// The tokens.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(crate) fn read(&self) -> Result<Vec<String>> {
        let path = match self {
            Tokens::List(tokens) => return Ok(tokens.clone()),
            Tokens::File(path) => path,
        };
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| Error::file(format!("the vocabulary `{path}`: {error}")).caused_by(error))?;
        Ok(text.lines().map(str::to_owned).collect())
    }
}

impl Field for Tokens {
    /// The path of a file is only for this machine: Keras writes the tokens beside the settings.
    fn to_json(&self) -> Value {
        if let Tokens::List(tokens) = self { tokens.to_json() } else { Value::Null }
    }
    fn from_json(json: &Value) -> Result<Self> {
        if let Some(path) = json.as_str() {
            let error = Error::unsupported(format!("a file of a model may not open another, `{}`", short(path)));
            return Err(error.help("give the tokens themselves, or call `set_vocabulary`"));
        }
        let tokens = json.as_array().ok_or_else(|| expected("a list of texts", json))?;
        tokens.iter().map(String::from_json).collect::<Result<_>>().map(Tokens::List)
    }
    fn kind() -> Kind {
        Kind::List(Box::new(Kind::Text))
    }
}

impl IntoField<Option<Tokens>> for &str {
    fn into_field(self) -> Option<Tokens> {
        Some(Tokens::File(self.into()))
    }
}

macro_rules! lists {
    ($([$($generics:tt)*] $type:ty;)*) => {$(
        impl<S: AsRef<str>, $($generics)*> IntoField<Option<Tokens>> for $type {
            fn into_field(self) -> Option<Tokens> {
                Some(Tokens::List(self.iter().map(|token| token.as_ref().to_owned()).collect()))
            }
        }
    )*};
}

lists! {
    [] Vec<S>;
    [] &Vec<S>;
    [] &[S];
    [const N: usize] [S; N];
    [const N: usize] &[S; N];
}

/// What is looked up, and what comes out.
pub(crate) struct Lookup<'a> {
    pub(crate) max_tokens: Option<usize>,
    /// How many places there are for what is no token.
    pub(crate) oov: usize,
    pub(crate) oov_token: Option<&'a str>,
    pub(crate) mask_token: Option<&'a str>,
    pub(crate) mode: Mode,
    /// Whether places become texts.
    pub(crate) invert: bool,
    /// Whether rows have `max_tokens` numbers.
    pub(crate) pad: bool,
    /// How many tokens there are, where only that is known yet.
    pub(crate) saved_size: Option<usize>,
    pub(crate) salt: Option<&'a [i64]>,
}

/// The place of what counts nowhere.
const NOWHERE: usize = usize::MAX;

impl Lookup<'_> {
    /// Looks at settings that all lookups have, and whether a vocabulary is given, and what its tokens weigh.
    ///
    /// # Errors
    /// The first that cannot be right.
    pub(crate) fn check(&self, given: bool, weighted: bool) -> Result<()> {
        let (has_places, has_weights) = (self.mode == Mode::Int, self.mode == Mode::TfIdf);
        if self.invert && !has_places {
            return Err(Error::usage("`invert` needs the `output_mode` `int`"));
        }
        if weighted && !has_weights {
            return Err(Error::usage("`idf_weights` need the `output_mode` `tf_idf`"));
        }
        if given && has_weights && !weighted {
            return Err(Error::usage("a `vocabulary` needs `idf_weights` in the `output_mode` `tf_idf`"));
        }
        match (self.max_tokens, self.salt) {
            (Some(tokens @ 0..=1), _) => Err(Error::usage(format!("`max_tokens` needs at least 2, got {tokens}"))),
            (None, _) if self.pad => Err(Error::usage("`pad_to_max_tokens` needs `max_tokens`")),
            (_, Some(salt)) if ![1, 2].contains(&salt.len()) => {
                Err(Error::usage(format!("`salt` needs one number or two, got {}", salt.len())))
            }
            _ => Ok(()),
        }
    }

    /// The vocabulary, which there must be.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn known(vocabulary: Option<&Vocabulary>) -> Result<&Vocabulary> {
        let error =
            || Error::usage("there is no vocabulary yet").help("give `vocabulary`, or call `adapt` on the layer");
        vocabulary.ok_or_else(error)
    }

    fn masks(&self) -> usize {
        usize::from(self.mask_token.is_some() && self.mode == Mode::Int)
    }

    /// The place of the first token.
    pub(crate) fn start(&self) -> usize {
        self.masks() + self.oov
    }

    /// The special tokens.
    pub(crate) fn special(&self) -> Vec<String> {
        let mask = self.mask_token.filter(|_| self.masks() > 0);
        let oov = std::iter::repeat_n(self.oov_token.unwrap_or_default(), self.oov);
        mask.into_iter().chain(oov).map(Into::into).collect()
    }

    /// How many numbers a row has.
    fn depth(&self, vocabulary: Option<&Vocabulary>) -> Result<usize> {
        if let Some(padded) = self.max_tokens.filter(|_| self.pad) {
            return Ok(padded);
        }
        match vocabulary.map(|known| self.start() + known.tokens().len()).or(self.saved_size) {
            Some(size) => Ok(size),
            None => Self::known(vocabulary).map(|_| 0),
        }
    }

    /// What comes of an input of that shape.
    ///
    /// # Errors
    /// Samples of no axis, where one is summed; no vocabulary, where the shape depends on it.
    pub(crate) fn output(&self, vocabulary: Option<&Vocabulary>, shape: &Shape) -> Result<(DataKind, Shape)> {
        if self.mode == Mode::Int {
            let places = DataKind::Numbers(DType::I64);
            return Ok((if self.invert { DataKind::Texts } else { places }, shape.clone()));
        }
        if self.mode != Mode::OneHot && shape.rank() < 2 {
            let message = "an `output_mode` that sums samples needs [batch, .., tokens], got [batch]";
            return Err(Error::graph(message).help("`one_hot` makes a row of each text"));
        }
        let dtype = if self.mode == Mode::TfIdf { DType::F32 } else { DType::I64 };
        Ok((DataKind::Numbers(dtype), self.rows(shape, self.depth(vocabulary)?)))
    }

    /// The shape of rows of `depth` numbers, made of an input of that shape.
    fn rows(&self, shape: &Shape, depth: usize) -> Shape {
        let summed = self.mode != Mode::OneHot || shape.rank() > 1 && shape.last() == Some(&1);
        let kept = if summed { shape.rank().saturating_sub(1) } else { shape.rank() };
        shape[..kept].iter().copied().chain([depth]).collect()
    }

    /// The place of each text.
    ///
    /// # Errors
    /// Texts that are no tokens, where there is no place for them.
    pub(crate) fn places<'t>(&self, known: &Vocabulary, texts: impl Iterator<Item = &'t str>) -> Result<Vec<usize>> {
        let (masked, start) = (if self.mode == Mode::Int { 0 } else { NOWHERE }, self.start());
        let mut strangers: Vec<&str> = Vec::new();
        let place = |text: &'t str| match known.place(text) {
            _ if self.mask_token == Some(text) => masked,
            Some(place) => start + place,
            None if self.oov == 0 => {
                strangers.push(text);
                NOWHERE
            }
            None if self.oov == 1 => self.masks(),
            None => self.masks() + (self.hash(text) % self.oov as u64) as usize,
        };
        let places = texts.map(place).collect();
        if strangers.is_empty() {
            return Ok(places);
        }
        let got = list(&strangers[..strangers.len().min(10)]);
        let error = Error::data(format!("needs texts of the vocabulary where `num_oov_indices` is 0, got {got}"));
        Err(error.help("`num_oov_indices(1)` has a place for others"))
    }

    fn hash(&self, text: &str) -> u64 {
        match self.salt {
            None => fingerprint64(text.as_bytes()),
            Some(salt) => siphash64(text.as_bytes(), [salt[0] as u64, salt[salt.len() - 1] as u64]),
        }
    }

    /// The token at a place; that for what is no token at any other.
    pub(crate) fn token<'v>(&'v self, known: &'v Vocabulary, place: i64) -> &'v str {
        let place = usize::try_from(place).ok();
        if let (Some(0), Some(mask), 1) = (place, self.mask_token, self.masks()) {
            return mask;
        }
        let token = place.and_then(|place| known.tokens().get(place.checked_sub(self.start())?));
        token.map(String::as_str).or(self.oov_token).unwrap_or_default()
    }

    /// What comes out for places in that shape.
    ///
    /// # Errors
    /// No weights, where some are needed.
    pub(crate) fn encode(&self, known: &Vocabulary, shape: &Shape, places: &[usize]) -> Result<AnyArray> {
        if self.mode == Mode::Int {
            let places: Vec<i64> = places.iter().map(|&place| place as i64).collect();
            return Array::new(shape.clone(), places).map(AnyArray::Numbers);
        }
        let depth = self.depth(Some(known))?;
        let rows = self.rows(shape, depth);
        let mut counts = cornu_graph::room::empty::<i64>("the rows of a lookup", rows.size())?;
        counts.resize(rows.size(), 0);
        let each = if self.mode == Mode::OneHot { 1 } else { shape.last().copied().unwrap_or(1) };
        for (at, &place) in places.iter().enumerate().filter(|(_, place)| **place < depth) {
            let count = &mut counts[at / each * depth + place];
            *count = if matches!(self.mode, Mode::Count | Mode::TfIdf) { *count + 1 } else { 1 };
        }
        if self.mode != Mode::TfIdf {
            return Array::new(rows, counts).map(AnyArray::Numbers);
        }
        let weights = known.weights().filter(|weights| weights.len() == depth);
        let weights = weights.ok_or_else(|| Error::usage(format!("`tf_idf` needs {depth} weights of tokens")))?;
        let weighted = counts.iter().zip(weights.iter().cycle()).map(|(&count, weight)| count as f32 * weight);
        Array::new(rows, weighted.collect::<Vec<f32>>()).map(AnyArray::Numbers)
    }

    /// The tokens of texts: the most frequent first, of equals the last in the order of bytes.
    ///
    /// # Errors
    /// No text that is a token.
    pub(crate) fn learn(&self, texts: &TextArray) -> Result<Vocabulary> {
        let mut counts: HashMap<&str, (usize, usize)> = HashMap::new();
        let documents = texts.shape().first().copied().unwrap_or(1);
        let size = (texts.len() / documents.max(1)).max(1);
        let (mut seen, mut document) = (HashSet::new(), 0);
        for (at, text) in texts.iter().enumerate() {
            if at / size != document {
                document = at / size;
                seen.clear();
            }
            let count = counts.entry(text).or_default();
            *count = (count.0 + 1, count.1 + usize::from(seen.insert(text)));
        }
        let special = [self.mask_token, self.oov_token];
        let mut found: Vec<_> = counts.into_iter().filter(|(token, _)| !special.contains(&Some(*token))).collect();
        if found.is_empty() {
            return Err(Error::data("needs texts to learn tokens from, got none"));
        }
        found.sort_by_key(|&(token, (count, _))| Reverse((count, token)));
        found.truncate(self.max_tokens.map_or(usize::MAX, |most| most.saturating_sub(self.start())));
        let idf = |&(_, (_, within)): &(&str, (usize, usize))| (documents as f64 / (1 + within) as f64).ln_1p() as f32;
        let weights = (self.mode == Mode::TfIdf).then(|| found.iter().map(idf).collect::<Vec<f32>>());
        let known = Vocabulary::new(found.into_iter().map(|(token, _)| token.to_owned()).collect());
        let known = known.map_err(|token| Error::data(format!("two tokens {token:?}")))?;
        Ok(known.weighted(weights.map(|weights| self.padded(weights))))
    }

    /// What tokens weigh, and before them what those weigh that are none: the mean.
    fn padded(&self, weights: Vec<f32>) -> Vec<f32> {
        let mean = weights.iter().sum::<f32>() / weights.len().max(1) as f32;
        self.filled([vec![mean; self.start()], weights].concat())
    }

    fn filled(&self, mut weights: Vec<f32>) -> Vec<f32> {
        let most = self.max_tokens.filter(|_| self.pad).unwrap_or_default();
        weights.resize(weights.len().max(most), 0.0);
        weights
    }

    /// A vocabulary that is told: with the special tokens first, or without them.
    ///
    /// # Errors
    /// None at all, a token that is there twice, a special one at another place, too many; weights that do not fit.
    pub(crate) fn vocabulary(&self, told: Vec<String>, idf: Option<Vec<f64>>) -> Result<Vocabulary> {
        if told.is_empty() {
            return Err(Error::usage("a vocabulary needs at least one token, got none"));
        }
        let (special, count) = (self.special(), told.len());
        let has_special = told.starts_with(&special);
        let tokens = if has_special { told[special.len()..].to_vec() } else { told };
        let reserved = [self.mask_token, self.oov_token.filter(|_| self.invert)];
        if let Some(token) = tokens.iter().find(|token| reserved.contains(&Some(token))) {
            let error = Error::usage(format!("the special token {token:?} is among the tokens of the vocabulary"));
            let special: Vec<&str> = special.iter().map(String::as_str).collect();
            return Err(
                error.help(format!("leave the special tokens out, or begin with all of them: {}", list(&special)))
            );
        }
        let size = self.start() + tokens.len();
        if let Some(most) = self.max_tokens.filter(|most| size > *most) {
            return Err(Error::usage(format!("`max_tokens` is {most}, got {size} with the special ones")));
        }
        let known = Vocabulary::new(tokens)
            .map_err(|token| Error::usage(format!("a vocabulary needs each token once, got {token:?} twice")))?;
        let weights = match (idf, self.mode) {
            (None, Mode::TfIdf) => return Err(Error::usage("`idf_weights` are needed in the `output_mode` `tf_idf`")),
            (Some(_), mode) if mode != Mode::TfIdf => {
                return Err(Error::usage("`idf_weights` need the `output_mode` `tf_idf`"));
            }
            (Some(idf), _) if idf.len() != count => {
                return Err(Error::usage(format!(
                    "`idf_weights` needs {count} numbers, one a token, got {}",
                    idf.len()
                )));
            }
            (idf, _) => idf.map(|idf| idf.into_iter().map(|weight| weight as f32).collect::<Vec<f32>>()),
        };
        let padded = |weights| if has_special { self.filled(weights) } else { self.padded(weights) };
        Ok(known.weighted(weights.map(padded)))
    }
}
