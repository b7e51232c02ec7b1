//! Where a node was traced: for messages, plans and profiles. Passes keep it; equality knows nothing of it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

/// The layer and the line of source that a node comes from. Prints as `dense_1 at src/main.rs:12:9`; what is read from a
/// text has neither.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The path of the layer: the names of [`crate::Trace::scope`], joined by `/`.
    pub layer: Option<Arc<str>>,
    /// Who added it.
    pub line: Option<&'static Location<'static>>,
}

impl Origin {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        self.layer.is_none() && self.line.is_none()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.layer, self.line) {
            (Some(layer), Some(line)) => write!(f, "{layer} at {line}"),
            (Some(layer), None) => f.write_str(layer),
            (None, Some(line)) => write!(f, "{line}"),
            (None, None) => f.write_str("unknown"),
        }
    }
}
