//! What `keras.utils` makes of arrays: one-hot classes, unit length.

use cornu_array::room::has_room;
use cornu_array::{Error, Result};
use ndarray::{ArrayD, ArrayView1, Axis, Zip};

use super::{Labels, ToArray, ToLabels, Value, Values, from_array, print};

/// Classes as rows of zeros with a one: `[..]` or `[.., 1]` becomes `[.., classes]`, one more than the greatest class. Of
/// text, the classes are those that occur, in alphabetical order. A part of the rows may lack the last classes:
/// [`to_categorical_with`] is told how many there are.
///
/// ```
/// use cornu_data::to_categorical;
///
/// assert_eq!(to_categorical([0, 2])?, ndarray::array![[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]].into_dyn());
/// assert_eq!(to_categorical(["no", "yes", "no"])?, to_categorical([0, 1, 0])?);
/// # Ok::<(), cornu_array::Error>(())
/// ```
///
/// # Errors
/// Classes must be text or whole numbers from 0 up, none missing, and there must be one.
pub fn to_categorical(x: impl ToLabels) -> Result<ArrayD<f32>> {
    one_hot(x, None)
}

/// [`to_categorical`] with a place for each of that many classes, whether or not they occur: `[.., num_classes]`.
///
/// # Errors
/// Those of [`to_categorical`], and a class that is not below `num_classes`.
pub fn to_categorical_with(x: impl ToLabels, num_classes: usize) -> Result<ArrayD<f32>> {
    one_hot(x, Some(num_classes))
}

fn one_hot(x: impl ToLabels, num_classes: Option<usize>) -> Result<ArrayD<f32>> {
    let (mut shape, values) = x.shaped_values()?;
    let classes = classes(&values)?;
    let width = match num_classes {
        Some(width) => width,
        None => classes.iter().max().ok_or_else(|| Error::data("`to_categorical` needs at least one class"))? + 1,
    };
    if let Some(place) = classes.iter().position(|&class| class >= width) {
        let class = classes[place];
        return Err(Error::data(format!("`to_categorical` needs classes below {width}, got {class} at index {place}"))
            .help("classes count from 0"));
    }
    if shape.len() > 1 && shape.last() == Some(&1) {
        shape.pop();
    }
    shape.push(width);
    if !has_room::<f32>(&shape) {
        let message = format!("`to_categorical` has no room for {} rows of {width} classes", classes.len());
        return Err(Error::data(message).help(
            "numbers so large are hardly classes: for a regression leave them as they are, with the loss `mse`",
        ));
    }
    let mut rows = ArrayD::zeros(shape);
    for (mut row, class) in rows.rows_mut().into_iter().zip(classes) {
        row[class] = 1.0;
    }
    Ok(rows)
}

/// The number of the class of each label.
fn classes(values: &Values) -> Result<Vec<usize>> {
    let labels = Labels::of(values);
    if let Some(place) = labels.codes().iter().position(|&code| labels.class(code) == Value::Missing) {
        return Err(Error::data(format!("`to_categorical` needs a class in each row, got none at index {place}")));
    }
    if labels.classes().iter().any(|class| matches!(class, Value::Text(_))) {
        return Ok(labels.codes().to_vec());
    }
    let class = |(place, value): (usize, Value<'_>)| match value.to_f64() {
        // One more must still be a number: so many classes have no room anyway.
        Some(class) if class >= 0.0 && class.fract() == 0.0 => Ok((class as usize).min(usize::MAX - 1)),
        _ => {
            let value = value.to_f64().map_or_else(|| print::label(value), |class| class.to_string());
            Err(Error::data(format!("`to_categorical` needs whole classes from 0 up, got {value} at index {place}")))
        }
    };
    values.iter().enumerate().map(class).collect()
}

/// `x` with each row along `axis` divided by its norm, `(Σ |x|^order)^(1/order)`; rows of zeros stay as they are. A
/// negative axis counts from the last. Keras's defaults are the last axis and order 2.
///
/// # Errors
/// `x` must have that axis; `order` must be positive (infinity takes the greatest absolute value).
pub fn normalize(x: impl ToArray, axis: isize, order: f64) -> Result<ArrayD<f64>> {
    let x = x.into_array()?;
    let rank = x.shape().rank();
    let place = if axis < 0 { axis.checked_add_unsigned(rank) } else { Some(axis) };
    let Some(axis) = place.and_then(|axis| usize::try_from(axis).ok()).filter(|&axis| axis < rank) else {
        return Err(Error::usage(format!("`normalize` needs an axis of {}, got {axis}", x.ty())));
    };
    if order.is_nan() || order <= 0.0 {
        return Err(Error::usage(format!("`normalize` needs a positive order, got {order}")));
    }
    let mut x = from_array::<f64>(&x);
    let norm = |row: ArrayView1<'_, f64>| {
        if order.is_infinite() {
            row.iter().fold(0.0, |most: f64, x| most.max(x.abs()))
        } else if order == 2.0 {
            row.iter().map(|x| x * x).sum::<f64>().sqrt()
        } else {
            row.iter().map(|x| x.abs().powf(order)).sum::<f64>().powf(order.recip())
        }
    };
    Zip::from(x.lanes_mut(Axis(axis))).for_each(|mut row| {
        let norm = norm(row.view());
        if norm != 0.0 {
            row /= norm;
        }
    });
    Ok(x)
}
