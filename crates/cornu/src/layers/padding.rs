//! Where windows come to stand at the edges of images.

use cornu_graph::ops::Window;
use cornu_graph::{Error, Result};

/// What there is around images for a window to stand on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// Nothing: it stands on elements alone.
    Valid,
    /// As much as it takes for as many places as elements, divided by the stride and rounded up.
    Same,
    /// As much before the first element that the window's last tap comes to stand on it, and nothing behind.
    Causal,
}

/// Looks at numbers along the axes of a window, each by its name.
///
/// # Errors
/// One of them is 0.
pub(crate) fn at_least_one(numbers: &[(&str, &[usize])]) -> Result<()> {
    match numbers.iter().find(|(_, numbers)| numbers.contains(&0)) {
        None => Ok(()),
        Some((name, got)) => Err(Error::usage(format!("`{name}` needs numbers of at least 1, got {got:?}"))),
    }
}

impl Padding {
    const NAMES: [(&str, Padding); 3] =
        [("valid", Padding::Valid), ("same", Padding::Same), ("causal", Padding::Causal)];

    /// The one of that name, in whatever letters.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(name: &str) -> Result<Padding> {
        Self::among(&Self::NAMES[..2], name)
    }

    /// The one of that name for rows, which have an order.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of_row(name: &str) -> Result<Padding> {
        Self::among(&Self::NAMES, name)
    }

    fn among(known: &[(&str, Padding)], name: &str) -> Result<Padding> {
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let all: Vec<String> = known.iter().map(|(known, _)| format!("`{known}`")).collect();
        let wrong = || Error::usage(format!("`padding` is {}, got `{name}`", all.join(" or ")));
        found.map(|(_, padding)| *padding).ok_or_else(wrong)
    }

    /// The window with that padding, for axes of those sizes.
    pub(crate) fn around(self, window: Window, sizes: &[usize]) -> Window {
        match self {
            Padding::Valid => window,
            Padding::Same => window.same(sizes),
            Padding::Causal => {
                let low: Vec<usize> = window.0.iter().map(|slide| (slide.size - 1) * slide.dilation).collect();
                window.padding(&low, &vec![0; low.len()])
            }
        }
    }
}
