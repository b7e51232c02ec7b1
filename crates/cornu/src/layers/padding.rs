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
}

impl Padding {
    /// The one of that name, in whatever letters.
    ///
    /// # Errors
    /// There is none.
    pub(crate) fn of(name: &str) -> Result<Padding> {
        match &*name.to_lowercase() {
            "valid" => Ok(Padding::Valid),
            "same" => Ok(Padding::Same),
            _ => Err(Error::usage(format!("`padding` is `valid` or `same`, got `{name}`"))),
        }
    }

    /// The window with that padding, for axes of those sizes.
    pub(crate) fn around(self, window: Window, sizes: &[usize]) -> Window {
        match self {
            Padding::Valid => window,
            Padding::Same => window.same(sizes),
        }
    }
}
