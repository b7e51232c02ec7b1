//! A function as a step.

use std::fmt;
use std::sync::Arc;

use cornu_array::{Error, Result};
use serde_json::Value as Json;

use super::{Features, Frame, Transformer, learnt};
use crate::Table;

const CLASS: &str = "FunctionTransformer";

type Function = Arc<dyn Fn(&Table) -> Result<Table> + Send + Sync>;

/// A function of a table as a transformer, as scikit-learn's class of this name.
///
/// ```
/// use cornu_data::{FunctionTransformer, Table, Transformer};
///
/// let mut first = FunctionTransformer::new(|table: &Table| table.select(table.names()[0]));
/// let table = Table::new([("a", vec![1]), ("b", vec![2])])?;
/// assert_eq!(first.fit_transform(&table)?.names(), ["a"]);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// No file holds a function: what has such a step cannot be saved.
#[derive(Clone)]
pub struct FunctionTransformer {
    function: Function,
    inverse: Option<Function>,
    names: Option<Vec<String>>,
}

impl fmt::Debug for FunctionTransformer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(CLASS).field("names", &self.names).finish_non_exhaustive()
    }
}

impl FunctionTransformer {
    /// Does to a table what `function` does. Rows of numbers come as a table with the columns `x0`, `x1`, ….
    pub fn new(function: impl Fn(&Table) -> Result<Table> + Send + Sync + 'static) -> Self {
        FunctionTransformer { function: Arc::new(function), inverse: None, names: None }
    }

    /// The way back.
    #[must_use]
    pub fn inverse_func(self, inverse: impl Fn(&Table) -> Result<Table> + Send + Sync + 'static) -> Self {
        FunctionTransformer { inverse: Some(Arc::new(inverse)), ..self }
    }

    /// `x` changed by the function.
    ///
    /// # Errors
    /// Those of the function.
    pub fn transform<X: Features>(&self, x: X) -> Result<X::Prepared> {
        X::prepared(self.apply(x.frame(CLASS)?)?)
    }

    /// Calls the function for the names that come out, and again for the result.
    ///
    /// # Errors
    /// Those of the function.
    pub fn fit_transform<X: Features>(&mut self, x: X) -> Result<X::Prepared> {
        let frame = x.frame(CLASS)?;
        self.learn(&frame)?;
        X::prepared(self.apply(frame)?)
    }
}

impl Transformer for FunctionTransformer {
    fn class(&self) -> &'static str {
        CLASS
    }

    fn learn(&mut self, x: &Frame<'_>) -> Result<()> {
        let made = (self.function)(&x.borrowed().into_table()?)?;
        self.names = Some(made.names().into_iter().map(String::from).collect());
        Ok(())
    }

    fn apply(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let rows = matches!(x, Frame::Rows(_));
        Frame::from((self.function)(&x.into_table()?)?).like(rows)
    }

    fn undo(&self, x: Frame<'_>) -> Result<Frame<'static>> {
        let none = || Error::usage(format!("this `{CLASS}` has no inverse")).help("give one by `inverse_func`");
        let (rows, inverse) = (matches!(x, Frame::Rows(_)), self.inverse.as_ref().ok_or_else(none)?);
        Frame::from(inverse(&x.into_table()?)?).like(rows)
    }

    fn feature_names_out(&self, _: Option<&[String]>) -> Result<Vec<String>> {
        learnt(CLASS, &self.names).cloned()
    }

    fn config(&self) -> Json {
        Json::Null
    }

    fn check_storable(&self) -> Result<()> {
        Err(Error::unsupported(format!("a `{CLASS}` cannot be saved: no file holds a function"))
            .help("call the function before the other steps, and save those"))
    }

    fn boxed(&self) -> Box<dyn Transformer> {
        Box::new(self.clone())
    }
}
