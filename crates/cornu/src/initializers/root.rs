//! Square roots of what another initializer gives.

use cornu_graph::random::Stream;
use cornu_graph::{Array, Result, Type};

use super::Initializer;
use crate::choice::Choice;
use crate::config::{Config, Setting};

/// The square roots of what `squares` gives: running deviations start where running variances do. No file has it.
pub(crate) fn root(squares: &Choice<dyn Initializer>) -> Choice<dyn Initializer> {
    Root(squares.clone()).into()
}

#[derive(Debug)]
struct Root(Choice<dyn Initializer>);

impl Config for Root {
    fn class_name(&self) -> &str {
        "Root"
    }

    fn module(&self) -> &str {
        "keras.initializers"
    }

    fn settings(&self) -> Vec<Setting<'_>> {
        Vec::new()
    }
}

impl Initializer for Root {
    fn array(&self, ty: &Type, stream: Stream) -> Result<Array> {
        let squares = self.0.resolve()?.array(ty, stream)?;
        Ok(Array::from_fn(ty, |i| squares.get(i).sqrt()))
    }
}
