//! How the bias of a cell starts that is not to forget at first.

use std::sync::Arc;

use cornu_graph::random::Stream;
use cornu_graph::{Array, Result, Type};

use super::Initializer;
use crate::config::{Config, Setting};

/// Ones for the gate that forgets, and what another initializer makes for those before and behind it.
#[derive(Debug)]
pub(crate) struct ForgetBias(pub(crate) Arc<dyn Initializer>);

impl Config for ForgetBias {
    fn class_name(&self) -> &str {
        self.0.class_name()
    }
    fn module(&self) -> &str {
        self.0.module()
    }
    fn settings(&self) -> Vec<Setting<'_>> {
        self.0.settings()
    }
}

impl Initializer for ForgetBias {
    fn array(&self, ty: &Type, stream: Stream) -> Result<Array> {
        let units = ty.shape.size() / 4;
        let part = |gates: usize| self.0.array(&Type::new(ty.dtype, [gates * units]), stream);
        let (before, behind) = (part(1)?, part(2)?);
        let number = |i: usize| match i / units {
            0 => before.get(i),
            1 => 1.0,
            _ => behind.get(i - 2 * units),
        };
        Ok(Array::from_fn(ty, number))
    }
}
