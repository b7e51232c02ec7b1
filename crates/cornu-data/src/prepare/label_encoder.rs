//! Class labels as numbers from 0 up.

use std::path::Path;

use cornu_array::{Error, Result, list};

use super::field::{Field, fields};
use super::{learnt, load, write};
use crate::labels::{find, shown};
use crate::{Labels, ToLabels, Values};

const CLASS: &str = "LabelEncoder";

/// Turns class labels into numbers from 0 up, and back, as scikit-learn's class of this name does.
///
/// ```
/// use cornu_data::{LabelEncoder, Values};
///
/// let mut encoder = LabelEncoder::new();
/// assert_eq!(encoder.fit_transform(&["paris", "tokyo", "paris"])?, [0, 1, 0]);
/// assert_eq!(encoder.inverse_transform(&[1, 0])?, Values::from(vec!["tokyo", "paris"]));
/// # Ok::<(), cornu_array::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelEncoder {
    learnt: Option<Values>,
}

fields!(LabelEncoder { learnt } check |encoder| match &encoder.learnt {
    Some(classes) if *Labels::of(classes).classes() != *classes => {
        Err(Error::file("`learnt` needs different classes in ascending order"))
    }
    _ => Ok(()),
});

impl LabelEncoder {
    /// An encoder that has learnt nothing yet.
    pub fn new() -> Self {
        LabelEncoder::default()
    }

    /// Learns the classes.
    ///
    /// # Errors
    /// There must be one label in each row.
    pub fn fit(&mut self, y: impl ToLabels) -> Result<()> {
        self.learnt = Some(y.to_labels()?.classes().clone());
        Ok(())
    }

    /// The number of each label.
    ///
    /// # Errors
    /// There must have been a `fit`, on all classes.
    pub fn transform(&self, y: impl ToLabels) -> Result<Vec<i64>> {
        let (classes, labels) = (learnt(CLASS, &self.learnt)?, y.to_labels()?);
        let known: Vec<Option<usize>> = labels.classes().iter().map(|class| find(classes, class)).collect();
        let unseen: Vec<String> = known
            .iter()
            .zip(labels.classes().iter())
            .filter(|(k, _)| k.is_none())
            .map(|(_, class)| shown(class))
            .collect();
        if !unseen.is_empty() {
            let unseen: Vec<&str> = unseen.iter().map(String::as_str).collect();
            return Err(Error::data(format!("labels that were not there at the fit: {}", list(&unseen))));
        }
        Ok(labels.codes().iter().map(|&code| known[code].unwrap_or_default() as i64).collect())
    }

    /// Learns the classes, and gives the number of each label.
    ///
    /// # Errors
    /// As [`fit`](Self::fit).
    pub fn fit_transform(&mut self, y: impl ToLabels) -> Result<Vec<i64>> {
        let labels = y.to_labels()?;
        self.learnt = Some(labels.classes().clone());
        Ok(labels.codes().iter().map(|&code| code as i64).collect())
    }

    /// The labels that have these numbers.
    ///
    /// # Errors
    /// There must have been a `fit`; numbers must be whole and below that of the classes.
    pub fn inverse_transform(&self, codes: impl ToLabels) -> Result<Values> {
        let (classes, codes) = (learnt(CLASS, &self.learnt)?, codes.label_values()?);
        let count = classes.len();
        let place = |(row, code): (usize, crate::Value<'_>)| match code.to_f64() {
            Some(code) if code >= 0.0 && code < count as f64 && code.fract() == 0.0 => Ok(code as usize),
            _ => Err(Error::data(format!("needs numbers of classes below {count}, got {} in row {row}", shown(code)))),
        };
        Ok(classes.take(&codes.iter().enumerate().map(place).collect::<Result<Vec<_>>>()?))
    }

    /// The classes in order, once learnt.
    pub fn classes(&self) -> Option<&Values> {
        self.learnt.as_ref()
    }

    /// Writes the classes to a file of JSON, in one step.
    ///
    /// # Errors
    /// A place that cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        write(path.as_ref(), serde_json::json!({ "class_name": CLASS, "config": self.to_json() }))
    }

    /// Reads what [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else: the message says at which place.
    pub fn load(path: impl AsRef<Path>) -> Result<LabelEncoder> {
        load(CLASS, path.as_ref())
    }
}
