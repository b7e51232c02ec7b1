//! What a layer looks things up in: it hangs on the layer, as variables do, but lies on the host.

use std::collections::HashMap;

/// Tokens in an order, each once, and what each weighs where that counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vocabulary {
    tokens: Vec<String>,
    places: HashMap<String, usize>,
    weights: Option<Vec<f32>>,
}

impl Vocabulary {
    /// Those tokens.
    ///
    /// # Errors
    /// The first token that is there twice.
    pub fn new(tokens: Vec<String>) -> Result<Vocabulary, String> {
        let mut places = HashMap::with_capacity(tokens.len());
        for (place, token) in tokens.iter().enumerate() {
            if places.insert(token.clone(), place).is_some() {
                return Err(token.clone());
            }
        }
        Ok(Vocabulary { tokens, places, weights: None })
    }

    /// The same, with what each place of an output weighs: special tokens first.
    #[must_use]
    pub fn weighted(self, weights: Option<Vec<f32>>) -> Vocabulary {
        Vocabulary { weights, ..self }
    }

    /// What each place of an output weighs, if that counts.
    pub fn weights(&self) -> Option<&[f32]> {
        self.weights.as_deref()
    }

    /// The tokens in order.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The place of a token among them.
    pub fn place(&self, token: &str) -> Option<usize> {
        self.places.get(token).copied()
    }
}
