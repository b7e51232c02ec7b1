//! Count, mean, spread and quartiles of the columns of numbers, as pandas computes them.

use cornu_graph::{Error, Result};

use super::{Column, Index, Table, Value, Values};

/// What [`Table::describe`] says of each column, in order.
const ROWS: [&str; 8] = ["count", "mean", "std", "min", "25%", "50%", "75%", "max"];

impl Table {
    /// Of each column of numbers: how many are not missing, their mean and standard deviation (with one degree of
    /// freedom taken off), least, quartiles (between two values: linear) and greatest.
    ///
    /// # Errors
    /// There must be a column of numbers.
    pub fn describe(&self) -> Result<Table> {
        let numeric =
            self.columns().iter().filter(|column| matches!(column.values(), Values::Float(_) | Values::Int(_)));
        let columns: Vec<Column> = numeric.map(|column| Column::new(column.name(), summary(column).to_vec())).collect();
        if columns.is_empty() {
            return Err(Error::data("`describe` needs a column of numbers, got none"));
        }
        Ok(Table::from_columns(columns)?.with_index(Index::new(ROWS.to_vec())))
    }
}

fn summary(column: &Column) -> [f64; 8] {
    let cells: Vec<f64> = column.iter().filter_map(Value::to_f64).collect();
    let mut values: Vec<f64> = cells.iter().copied().filter(|value| !value.is_nan()).collect();
    let count = values.len() as f64;
    // Missing values count as zeros, in their places: leaving them out would change the order of the sum.
    let total = |of: &dyn Fn(f64) -> f64| {
        sum(&cells.iter().map(|&value| if value.is_nan() { 0.0 } else { of(value) }).collect::<Vec<_>>())
    };
    let mean = total(&|value| value) / count;
    let squares = total(&|value| (mean - value).powi(2));
    let std = if values.len() > 1 { (squares / (count - 1.0)).sqrt() } else { f64::NAN };
    values.sort_by(f64::total_cmp);
    let (least, greatest) = (values.first(), values.last());
    let end = |value: Option<&f64>| value.copied().unwrap_or(f64::NAN);
    let at = |quantile: f64| quantile_of(&values, quantile);
    [count, mean, std, end(least), at(0.25), at(0.5), at(0.75), end(greatest)]
}

/// The value below which a share `quantile` of the sorted `values` lies, between neighbours by a straight line.
pub(crate) fn quantile_of(values: &[f64], quantile: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let place = quantile * last as f64;
    let below = place.floor();
    let (a, b) = (values[below as usize], values[(below as usize + 1).min(last)]);
    let t = place - below;
    // NumPy's form, which is exact at the nearer neighbour (and NaN between two equal infinities).
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

/// The sum in NumPy's order (pairwise, in blocks of eight running sums), so that the last digits agree with pandas:
/// they are all that is left of the mean of a standardised column.
pub(super) fn sum(values: &[f64]) -> f64 {
    pairwise(values, &|value| [value])[0]
}

/// The sums in NumPy's order of what `of` makes of each value.
pub(crate) fn pairwise<const N: usize>(values: &[f64], of: &impl Fn(f64) -> [f64; N]) -> [f64; N] {
    const BLOCK: usize = 128;
    const LANES: usize = 8;
    if values.len() < LANES {
        return values.iter().fold([-0.0; N], |sum, &value| lanes(sum, of(value)));
    }
    if values.len() > BLOCK {
        let half = values.len() / 2;
        let (left, right) = values.split_at(half - half % LANES);
        return lanes(pairwise(left, of), pairwise(right, of));
    }
    let mut running = [[-0.0; N]; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        running.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane = lanes(*lane, of(value)));
    }
    let [a, b, c, d, e, f, g, h] = running;
    let all = lanes(lanes(lanes(a, b), lanes(c, d)), lanes(lanes(e, f), lanes(g, h)));
    rest.iter().fold(all, |sum, &value| lanes(sum, of(value)))
}

/// Several sums side by side, each one further.
#[inline]
pub(crate) fn lanes<const N: usize>(sums: [f64; N], values: [f64; N]) -> [f64; N] {
    std::array::from_fn(|i| sums[i] + values[i])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_and_text_are_left_out() {
        let table = Table::from_csv_str("a,b,c,d\n1,x,,4\n,y,,4\n4,z,,4\n").unwrap().describe().unwrap();
        assert_eq!(table.names(), ["a", "c", "d"]);
        let column = |name: &str| table.column(name).unwrap().iter().filter_map(Value::to_f64).collect::<Vec<_>>();
        assert_eq!(column("a"), [2.0, 2.5, 4.5_f64.sqrt(), 1.0, 1.75, 2.5, 3.25, 4.0]);
        assert!(column("c")[1..].iter().all(|value| value.is_nan()) && column("c")[0] == 0.0);
        assert_eq!(column("d"), [3.0, 4.0, 0.0, 4.0, 4.0, 4.0, 4.0, 4.0]);
        assert!(Table::from_csv_str("b\nx\n").unwrap().describe().is_err());
    }

    #[test]
    fn sums_of_every_length_are_right() {
        for len in [0, 1, 7, 8, 9, 128, 129, 1000, 4097] {
            let values: Vec<f64> = (0..len).map(f64::from).collect();
            assert_eq!(sum(&values), f64::from(len * (len - 1)) / 2.0);
        }
    }
}
