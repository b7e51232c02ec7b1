//! What all kinds of splits have in common, so that cross-validation takes any of them.

use cornu_array::{Error, Result};

use super::{KFold, Parts, StratifiedKFold};
use crate::Labels;

/// What is known of the rows that are split.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The number of rows.
    pub rows: usize,
    /// The class of each row, where the targets can be classes.
    pub labels: Option<&'a Labels>,
    /// Whether the targets are taken for classes: whole numbers need not be.
    pub classify: bool,
    /// The group of each row, where groups were given.
    pub groups: Option<&'a Labels>,
}

impl<'a> Given<'a> {
    pub(super) fn labels(&self, who: &str) -> Result<&'a Labels> {
        let none = || Error::data(format!("`{who}` needs targets that are classes, got numbers"));
        self.labels.ok_or_else(|| none().help("numbers are split by `KFold` or `ShuffleSplit`"))
    }

    pub(super) fn groups(&self, who: &str) -> Result<&'a Labels> {
        let none = || Error::usage(format!("`{who}` needs the group of each row, got none"));
        self.groups.ok_or_else(|| none().help("give them: `groups(..)`"))
    }
}

/// Something that splits rows into parts to train on and parts to test on, several times: scikit-learn's `cv`.
///
/// A number is that many folds without shuffling, stratified where the targets are classes and no score is
/// one of numbers; a list of parts is itself.
pub trait CrossValidator {
    /// For each split, the rows to train on and the rows to test on.
    ///
    /// # Errors
    /// Rows that cannot be split so; labels or groups that are needed and not given.
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>>;
}

impl<C: CrossValidator + ?Sized> CrossValidator for &C {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        C::splits(self, given)
    }
}

impl CrossValidator for usize {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        match given.labels.filter(|_| given.classify) {
            Some(labels) => StratifiedKFold::new(*self).split(labels),
            None => KFold::new(*self).split(given.rows),
        }
    }
}

impl CrossValidator for i32 {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        usize::try_from(*self).unwrap_or(0).splits(given)
    }
}

impl CrossValidator for [Parts] {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        for row in self.iter().flat_map(|(train, test)| train.iter().chain(test)) {
            if *row >= given.rows {
                return Err(Error::usage(format!("splits need rows below {}, got {row}", given.rows)));
            }
        }
        Ok(self.to_vec())
    }
}

impl CrossValidator for Vec<Parts> {
    fn splits(&self, given: &Given<'_>) -> Result<Vec<Parts>> {
        self[..].splits(given)
    }
}
