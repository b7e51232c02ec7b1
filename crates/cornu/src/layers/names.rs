//! The names that layers and models get by themselves: `dense`, `dense_1`, `dense_2`.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::random::scope;

/// How many objects of each name there have been.
type Counts = HashMap<String, usize>;

thread_local! {
    /// The counts of the scopes that the thread is in, outermost first, one at most for each depth. One list for each
    /// thread, so that what one thread builds does not change the names on another.
    static COUNTS: RefCell<Vec<([u64; 2], Counts)>> = RefCell::default();
}

/// Calls `work` with the counts of the present scope.
fn with_counts<T>(work: impl FnOnce(&mut Counts) -> T) -> T {
    COUNTS.with_borrow_mut(|all| {
        let scope = scope();
        // Those of scopes that were left.
        all.retain(|(known, _)| known[0] < scope[0] || *known == scope);
        if all.last().is_none_or(|(known, _)| *known != scope) {
            all.push((scope, Counts::new()));
        }
        let last = all.len() - 1;
        work(&mut all[last].1)
    })
}

/// `keras.backend.clear_session()`: names count from the beginning again. Models and seeds stay as they are.
pub fn clear_session() {
    with_counts(Counts::clear);
}

/// The next name for an object of that class.
pub(crate) fn automatic(class: &str) -> String {
    let name = snake_case(class);
    with_counts(|counts| {
        let count = counts.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 { name } else { format!("{name}_{}", *count - 1) }
    })
}

/// `BatchNormalization` to `batch_normalization`, `Conv2D` to `conv2d`, as Keras does it: a capital starts a word if a
/// small letter follows it or comes before it.
pub(crate) fn snake_case(class: &str) -> String {
    let letters: Vec<char> = class.chars().filter(|c| c.is_alphanumeric() || *c == '_').collect();
    let mut name = String::new();
    for (i, &c) in letters.iter().enumerate() {
        let follows = letters.get(i + 1).is_some_and(|next| next.is_ascii_lowercase());
        let comes_after = i > 0 && letters[i - 1].is_ascii_lowercase();
        if c.is_ascii_uppercase() && i > 0 && (follows || comes_after) {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_keras_names() {
        let names = ["Dense", "BatchNormalization", "Conv2D", "LSTM", "Conv2DTranspose", "ReLU", "InputLayer"];
        let snakes = ["dense", "batch_normalization", "conv2d", "lstm", "conv2d_transpose", "re_lu", "input_layer"];
        assert_eq!(names.map(snake_case), snakes.map(String::from));
        clear_session();
        assert_eq!(["A", "A", "B"].map(automatic), ["a", "a_1", "b"]);
    }

    #[test]
    fn names_within_a_scope_begin_anew_and_go_on_around_it() {
        use crate::random::{Seeds, scoped};
        clear_session();
        assert_eq!(automatic("A"), "a");
        let within =
            || scoped(Seeds::new(1), || [automatic("A"), scoped(Seeds::new(1), || automatic("A")), automatic("A")]);
        assert_eq!(within(), ["a", "a", "a_1"]);
        assert_eq!(within(), ["a", "a", "a_1"]);
        assert_eq!(COUNTS.with_borrow(Vec::len), 2, "what is left is forgotten");
        assert_eq!(automatic("A"), "a_1");
    }
}
