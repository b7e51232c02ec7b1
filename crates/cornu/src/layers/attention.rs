//! Attention over heads: which axes are multiplied with each other, and what comes of them.

use cornu_graph::{DType, Error, Result, Shape, Tensor};

use super::{Dropout, Layer};
use crate::trace::Cx;

/// Which axes of heads of query, key and value are multiplied with each other.
pub(super) struct Axes {
    /// Those that go along, the heads last; of all three.
    along: Vec<usize>,
    /// Those of the places.
    places: Vec<usize>,
}

impl Axes {
    /// The axes, once `[batch, …, features]` is `[batch, …, heads, size]`.
    ///
    /// # Errors
    /// Axes of places that there are not, and operands that do not fit each other.
    pub(super) fn new(class: &str, own: Option<&[i64]>, [query, key, value]: [&Tensor; 3]) -> Result<Axes> {
        let rank = query.rank();
        let all: Vec<i64> = (1..rank as i64 - 1).collect();
        let own = own.unwrap_or(&all);
        // Keras counts negative ones from behind the heads.
        let place = |axis: &i64| usize::try_from(if *axis < 0 { axis + rank as i64 } else { *axis }).ok();
        let places: Vec<usize> =
            own.iter().filter_map(place).filter(|axis| (1..rank.saturating_sub(1)).contains(axis)).collect();
        let is_twice = |(at, axis): (usize, &usize)| places[..at].contains(axis);
        if places.len() < own.len() || places.is_empty() || places.iter().enumerate().any(is_twice) {
            let needed = format!("`attention_axes` of `{class}` needs axes between first and last of {}", query.ty());
            return Err(Error::graph(format!("{needed}, got {own:?}")));
        }
        let along: Vec<usize> = (0..rank).filter(|axis| !places.contains(axis)).collect();
        let agree = |x: &Tensor, like: &Tensor, axis: usize| x.rank() == rank && x.shape()[axis] == like.shape()[axis];
        let fits = along[..along.len() - 1].iter().all(|&axis| agree(value, query, axis));
        if !fits || !(0..rank - 1).all(|axis| agree(key, value, axis)) {
            let needed = "a `value` of the axes of `query` but for places and features, and a `key` of those of `value` but \
                for features";
            let got = format!("{}, {} and {}", query.ty(), value.ty(), key.ty());
            return Err(Error::graph(format!("`{class}` needs {needed}, got {got}")));
        }
        Ok(Axes { along, places })
    }

    /// Means of the places of the value for each of the query, laid out as that; the scores, of which `drop` leaves some
    /// out, and their mask. Heads are query, key and value; places that the mask does not show are not looked at.
    ///
    /// # Errors
    /// A mask of another shape.
    pub(super) fn attend(
        &self,
        cx: &mut Cx,
        heads: &[Tensor; 3],
        mask: Option<Tensor>,
        drop: &Dropout,
    ) -> Result<(Tensor, Tensor, Option<Tensor>)> {
        let full = self.of_scores(&heads[0], &heads[1]);
        let mask = mask.map(|mask| fitting(&mask, &full, 2 * self.places.len())).transpose()?;
        // In 16 bits Keras takes what such floats can hold.
        let hidden = if cx.compute_dtype() == DType::F16 { -3e4 } else { -1e9 };
        let scores = |[q, k]: [&Tensor; 2]| {
            let alike = self.rows(q).dot_as(&self.rows(k), false, true);
            let wide = alike.cast(alike.dtype().joined(DType::F32)) * (1.0 / (q.dim(-1) as f64).sqrt());
            let shown = match &mask {
                Some(mask) => mask.broadcast_to(&full[..]).reshape(wide.shape()).select(&wide, hidden),
                None => wide,
            };
            shown.softmax(-1).cast(alike.dtype())
        };
        let [q, k, v] = heads;
        let (y, scores) = if drop.rate > 0.0 {
            let scores = scores([q, k]);
            let kept = drop.call(cx, scores.clone());
            (self.back(&kept.dot(&self.rows(v)), q), scores)
        } else {
            // A call keeps its operands alone: scores that nobody asks for are computed anew on the way back.
            let made = cx.trace().call(None, heads, |_, heads| {
                let scores = scores([&heads[0], &heads[1]]);
                vec![self.back(&scores.dot(&self.rows(&heads[2])), &heads[0]), scores]
            });
            (made[0].clone(), made[1].clone())
        };
        Ok((y, scores.reshape(full), mask))
    }

    /// The order in which places lie behind all that goes along.
    fn order(&self) -> Vec<usize> {
        let last = self.along.len() + self.places.len();
        self.along.iter().chain(&self.places).copied().chain([last]).collect()
    }

    /// `[.., places, size]`: all places are one axis to the products.
    fn rows(&self, x: &Tensor) -> Tensor {
        let shape = x.transpose(&self.order()).shape();
        let (behind, last) = (self.along.len(), shape.rank() - 1);
        let places = Shape::from(&shape[behind..last]).size();
        x.transpose(&self.order()).reshape([&shape[..behind], &[places, shape[last]]].concat())
    }

    /// The other way: rows of any size, laid out as `like`.
    fn back(&self, rows: &Tensor, like: &Tensor) -> Tensor {
        let (order, shape) = (self.order(), like.shape());
        let mut sizes: Vec<usize> = order.iter().map(|&axis| shape[axis]).collect();
        sizes[order.len() - 1] = rows.dim(-1);
        let mut back = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &axis)| back[axis] = at);
        rows.reshape(sizes).transpose(&back)
    }

    /// `[.., places of the query, places of the key]`
    fn of_scores(&self, query: &Tensor, key: &Tensor) -> Vec<usize> {
        let [query, key] = [query, key].map(Tensor::shape);
        let along = self.along.iter().chain(&self.places).map(|&axis| query[axis]);
        along.chain(self.places.iter().map(|&axis| key[axis])).collect()
    }
}

/// A mask with axes of size 1 in front of the places, as many as scores have more.
fn fitting(mask: &Tensor, scores: &[usize], places: usize) -> Result<Tensor> {
    let mut shape = mask.shape().to_vec();
    while shape.len() < scores.len() && shape.len() >= places {
        shape.insert(shape.len() - places, 1);
    }
    let fits =
        shape.len() == scores.len() && shape.iter().zip(scores).all(|(mask, scores)| *mask == 1 || mask == scores);
    if fits {
        return Ok(mask.reshape(shape));
    }
    let needed = format!("the masks of `MultiHeadAttention` need to fit scores {}", Shape::from(scores));
    Err(Error::graph(format!("{needed}, got {}", mask.shape())))
}
