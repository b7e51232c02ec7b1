//! Diabetes among Pima women: 768 rows of eight standardised measurements (columns `0` to `7`) and whether diabetes was
//! found (column `8`: 1 or 0). Smith et al., "Using the ADAP learning algorithm to forecast the onset of diabetes
//! mellitus" (1988).

use cornu_array::Result;

use super::Known;
use crate::Table;

/// Where the table is published, cleaned and standardised.
pub const URL: &str = concat!(
    "https://raw.githubusercontent.com/4GeeksAcademy/machine-learning-content/master/assets/",
    "clean-pima-indians-diabetes.csv"
);

pub(crate) const FILE: Known = Known {
    url: URL,
    names: &["clean-pima-indians-diabetes.csv", "pima-indians-diabetes.csv"],
    sha256: "7134b75435c9897a2e62297ff4cff3684aa21b78547d5d8100f84e202594545f",
};

/// The table: [`Table::read_csv`] of [`URL`].
///
/// # Errors
/// There must be a copy of the file or a connection; see [`Table::read_csv`].
pub fn load_data() -> Result<Table> {
    Table::read_csv(URL)
}
