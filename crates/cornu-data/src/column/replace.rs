//! Values for other values: by a list of pairs, or by a function.

use cornu_array::{Error, Result};

use super::Column;
use crate::compute::equal;
use crate::{Category, NAT, Scalar, Value, Values, order};

impl Column {
    /// Replaces values: each that is the first of a pair becomes the second; all others stay.
    ///
    /// As in pandas 3, words of which some become numbers are an `object`, which [`Column::to_array`] takes once all are
    /// numbers; [`Column::map_values`] and [`Column::astype`] give whole numbers at once.
    ///
    /// ```
    /// # use cornu_data::{Column, Values};
    /// let sex = Column::new("sex", vec!["male", "female", "male"]);
    /// let code = sex.replace([("male", 0), ("female", 1)])?;
    /// assert_eq!((code.dtype(), code.astype("int64")?.values()), ("object", &Values::from(vec![0, 1, 0])));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    ///
    /// # Errors
    /// A column of categories takes its categories alone.
    pub fn replace<A: Into<Scalar>, B: Into<Scalar>>(&self, pairs: impl IntoIterator<Item = (A, B)>) -> Result<Column> {
        let pairs: Vec<(Scalar, Scalar)> = pairs.into_iter().map(|(old, new)| (old.into(), new.into())).collect();
        // A truth value is no number here, nor a number a truth value.
        let same = |value: Value<'_>, old: &Scalar| {
            equal(value, old.as_value()) && matches!(value, Value::Bool(_)) == matches!(old, Scalar::Bool(_))
        };
        let new = |value: Value<'_>| pairs.iter().find(|(old, _)| same(value, old)).map(|(_, new)| new);
        let (codes, firsts) = order::numbered(self.values());
        let distinct: Vec<Option<&Scalar>> = firsts.iter().map(|&row| new(self.values().get(row))).collect();
        if distinct.iter().all(Option::is_none) {
            return Ok(self.clone());
        }
        if let Values::Category(category) = self.values() {
            return self.recoded(category, &firsts, &distinct);
        }
        let scalar = |code: usize| distinct[code].map_or_else(|| self.values().get(firsts[code]).into(), Clone::clone);
        let replaced: Vec<Scalar> = (0..firsts.len()).map(scalar).collect();
        let scalars = codes.iter().map(|&code| replaced[code as usize].clone()).collect();
        Ok(self.with_values(kept(self.values(), scalars)))
    }

    /// A column of categories in which some stand for others.
    fn recoded(&self, category: &Category, firsts: &[usize], new: &[Option<&Scalar>]) -> Result<Column> {
        let mut codes = category.codes.clone();
        for (&first, new) in firsts.iter().zip(new) {
            let Some(new) = new else { continue };
            let place = category.categories.iter().position(|value| equal(value, new.as_value()));
            if place.is_none() && !new.is_missing() {
                return Err(self.no_category(new));
            }
            let (old, new) = (category.codes[first], place.map(|place| place as u32));
            codes.iter_mut().zip(&category.codes).filter(|(_, code)| **code == old).for_each(|(code, _)| *code = new);
        }
        Ok(self.with_values(Values::Category(category.with_codes(codes))))
    }

    pub(super) fn no_category(&self, value: &Scalar) -> Error {
        let name = self.name();
        let error =
            Error::usage(format!("column `{name}` needs one of its categories, got {} ({value})", value.kind()));
        let Values::Category(category) = self.values() else { return error };
        let names: Vec<String> = category.categories.iter().take(20).map(crate::print::label).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        error.help(format!("they are {}; `astype(\"str\")` takes any text", cornu_array::list(&names)))
    }

    /// Replaces each value by the second of the pair whose first it is; what is in no pair becomes missing. The new values
    /// give the type.
    ///
    /// ```
    /// # use cornu_data::{Column, Values};
    /// let sex = Column::new("sex", vec!["male", "female", "male"]);
    /// assert_eq!(sex.map_values([("male", 0), ("female", 1)]).values(), &Values::from(vec![0, 1, 0]));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    #[must_use]
    pub fn map_values<A: Into<Scalar>, B: Into<Scalar>>(&self, pairs: impl IntoIterator<Item = (A, B)>) -> Column {
        let (olds, news): (Vec<Scalar>, Vec<Scalar>) =
            pairs.into_iter().map(|(old, new)| (old.into(), new.into())).unzip();
        let (codes, firsts) = order::numbered(self.values());
        let place = |&row: &usize| olds.iter().position(|old| equal(self.values().get(row), old.as_value()));
        let places: Vec<Option<usize>> = firsts.iter().map(place).collect();
        let rows: Vec<Option<usize>> = codes.iter().map(|&code| places[code as usize]).collect();
        self.with_values(match Values::from(news).take_or_missing(&rows) {
            // Nothing was found: what is missing is NaN.
            Values::Truth(values) if values.iter().all(Option::is_none) => Values::Float(vec![f64::NAN; values.len()]),
            values => values,
        })
    }

    /// The function of each distinct value, missing ones too; what it gives, gives the type.
    ///
    /// ```
    /// # use cornu_data::{Column, Value, Values};
    /// let name = Column::new("name", vec!["ann", "robert"]);
    /// let length = name.apply(|value| if let Value::Text(text) = value { Some(text.len()) } else { None });
    /// assert_eq!(length.values(), &Values::from(vec![3, 6]));
    /// # Ok::<(), cornu_array::Error>(())
    /// ```
    #[must_use]
    pub fn apply<T: Into<Scalar>>(&self, function: impl Fn(Value<'_>) -> T) -> Column {
        let (codes, firsts) = order::numbered(self.values());
        let distinct: Vec<Scalar> = firsts.iter().map(|&row| function(self.values().get(row)).into()).collect();
        self.with_values(codes.iter().map(|&code| distinct[code as usize].clone()).collect::<Vec<_>>())
    }
}

/// The values in the type of the old ones if they are of their kind; else in the one that pandas gives.
fn kept(old: &Values, new: Vec<Scalar>) -> Values {
    let all = |kind: fn(&Scalar) -> bool| new.iter().all(|scalar| scalar.is_missing() || kind(scalar));
    let number = |scalar: &Scalar| matches!(scalar, Scalar::Float(_) | Scalar::Int(_));
    let double = |scalar: &Scalar| scalar.to_f64().unwrap_or(f64::NAN);
    match old {
        Values::Float(_) if all(number) => Values::Float(new.iter().map(double).collect()),
        Values::Float32(_) if all(number) => Values::Float32(new.iter().map(|value| double(value) as f32).collect()),
        Values::Int(_) if all(number) => Values::from(new),
        Values::Text(_) if all(|value| matches!(value, Scalar::Text(_))) => {
            let text = |scalar: &Scalar| if let Scalar::Text(text) = scalar { Some(text.clone()) } else { None };
            new.iter().map(text).collect::<Vec<_>>().into()
        }
        Values::Date(_) if all(|value| matches!(value, Scalar::Date(_))) => {
            Values::Date(new.iter().map(|value| if let Scalar::Date(value) = value { *value } else { NAT }).collect())
        }
        Values::Bool(_) if new.iter().all(|value| matches!(value, Scalar::Bool(_))) => Values::from(new),
        // What is of another kind than before is an object, whatever it holds.
        _ if all(|value| matches!(value, Scalar::Bool(_))) => Values::Truth(
            new.iter().map(|value| if let Scalar::Bool(value) = value { Some(*value) } else { None }).collect(),
        ),
        _ => Values::Object(new),
    }
}
