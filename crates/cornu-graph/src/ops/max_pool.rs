//! The largest elements under windows, and where they are.

use super::pooled::{numbers, pools};
use super::*;

/// `max_pool(x)`: for each place of the window over images `[batch, …, channels]` the largest element under it, and the
/// number of its tap, in the smallest type that counts them. Of equal ones it is the first, and the first that is not a
/// number, if there is one. Padding is never the largest: where there is nothing else, the result is the smallest there is,
/// under tap 0.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct MaxPool {
    /// What slides over the axes between batch and channels.
    pub window: Window,
}

impl OpDef for MaxPool {
    fn infer(&self, args: &[&Type]) -> Result<Vec<Type>, String> {
        let results = |x: &Type| {
            let (shape, (_, taps)) = (self.window.pooled(&x.shape)?, self.window.taps()?);
            Some(vec![Type::new(x.dtype, shape.clone()), Type::new(taps, shape)])
        };
        match args {
            [x] if x.dtype != DType::Bool => results(x),
            _ => None,
        }
        .ok_or_else(|| mismatch(&format!("images of numbers in which {} fits", self.window), args))
    }

    fn vjp(&self, at: &Site) -> Grads {
        let sizes = at.x[0].shape();
        let by = |ct: &Tensor| Grad::By(ct.unpool(&self.window, &sizes[1..sizes.rank() - 1], Some(&at.y[1])));
        Grads::new(at, vec![at.ct[0].as_ref().map_or(Grad::Flat, by)])
    }

    fn eval(&self, args: &[&Array], types: &[&Type]) -> Result<Vec<Array>, Error> {
        let (x, ty) = (args[0], types[0]);
        let first = |at: usize| {
            let under: Vec<_> = self.window.under(x.shape(), &ty.shape, at).collect();
            let winner = Arg { largest: true, axis: 0 };
            (!under.is_empty()).then(|| under[winner.winner(under.len(), |i| x.number(under[i].1))])
        };
        let found: Vec<_> = (0..ty.size()).map(first).collect();
        let value = |at: usize| found[at].map_or(Number::smallest(ty.dtype), |(_, element)| x.number(element));
        let tap = |at: usize| found[at].map_or(0.0, |(tap, _)| tap as f64);
        Ok(vec![Array::from_numbers(ty, value), Array::from_fn(types[1], tap)])
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "max_pool {}", self.window)
    }

    fn read(text: &mut OpText, _: &[Type]) -> Option<Self> {
        Some(MaxPool { window: Window::read(text.named("max_pool")?)? })
    }

    fn samples() -> Vec<Sample> {
        let of = |(window, shape): (Window, Shape)| {
            let size = shape.size();
            let spread = sample(MaxPool { window: window.clone() }, [f32s(shape, -9.0, 9.0)]);
            Sample { edge: size == 0 || window.0.iter().any(|slide| slide.low >= slide.size), ..spread }
        };
        let edges = numbers().flat_map(|dtype| {
            let all = edges(dtype);
            [1, 3].map(|times| {
                let x = all.pick([1, all.len(), times], |i| (i + i / 5) % all.len());
                edge(MaxPool { window: Window::new(&[4]).padding(&[1], &[0]) }, [x])
            })
        });
        pools().into_iter().map(of).chain(edges).collect()
    }
}

impl Tensor {
    /// The largest element under each place of the window, which slides over the axes between batch and channels, and the
    /// number of its tap: of equal ones, the first.
    #[track_caller]
    pub fn max_pool(&self, window: &Window) -> [Tensor; 2] {
        let results = self.trace().push_some(2, MaxPool { window: window.clone() }, &[self]);
        [results[0].clone(), results[1].clone()]
    }
}
