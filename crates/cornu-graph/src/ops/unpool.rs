//! Pooled images spread over what they were pooled from.

use super::pooled::{numbers, pools, taps_in_turn};
use super::*;

/// `unpool(y)`: images `[batch, …, channels]` of those sizes; each element is the sum of what stands in `y` for the places
/// of the window over it, from the first place to the last, beginning with zero. `unpool(y, taps)` counts, of each place,
/// the element under the tap of that number alone.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Unpool {
    /// What slides over the axes between batch and channels.
    pub window: Window,
    /// The sizes of these axes.
    pub sizes: Box<[usize]>,
}

impl Unpool {
    /// The images that have such a shape when they are pooled, and the type of their taps.
    fn images(&self, pooled: &Shape) -> Option<(Shape, DType)> {
        let [batch, .., channels] = pooled[..] else { return None };
        let images: Shape = [batch].into_iter().chain(self.sizes.iter().copied()).chain([channels]).collect();
        let (_, taps) = self.window.taps()?;
        (self.window.pooled(&images)? == *pooled).then_some((images, taps))
    }
}

impl OneResult for Unpool {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let images = match args {
            [y, taps @ ..] if y.dtype != DType::Bool && taps.len() < 2 => {
                let fit = |dtype| taps.iter().all(|taps| taps.dtype == dtype && taps.shape == y.shape);
                self.images(&y.shape).filter(|&(_, dtype)| fit(dtype))
            }
            _ => None,
        };
        let needed = || format!("images of {:?} pooled by {}, and no or all taps", self.sizes, self.window);
        images.map(|(shape, _)| Type::new(args[0].dtype, shape)).ok_or_else(|| mismatch(&needed(), args))
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        [Grad::By(ct.sum_pool(&self.window, x.get(1))), Grad::Flat].into_iter().take(x.len()).collect()
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let (y, mut totals) = (args[0], vec![Reduction::Sum.start(ty.dtype); ty.size()]);
        for at in 0..y.len() {
            let taken = args.get(1).map(|taps| taps.number(at));
            for (tap, element) in self.window.under(&ty.shape, y.shape(), at) {
                if taken.is_none_or(|taken| taken == Number::Whole(tap as i128)) {
                    totals[element] = Reduction::Sum.step(totals[element], y.number(at));
                }
            }
        }
        Array::from_numbers(ty, |i| totals[i].computed(ty.dtype))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "unpool {} {:?}", self.window, self.sizes)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        let text = text.named("unpool")?;
        Some(Unpool { window: Window::read(text)?, sizes: text.list()? })
    }

    fn samples() -> Vec<Sample> {
        let of = |(window, shape): (Window, Shape)| {
            let pooled = window.pooled(&shape).expect("a window that fits");
            let op = Unpool { window: window.clone(), sizes: shape[1..shape.rank() - 1].into() };
            let (y, taps) = (f32s(pooled.clone(), -1.0, 1.0), taps_in_turn(&window, &pooled));
            let both = [sample(op.clone(), [y.clone()]), sample(op, [y, taps])];
            both.map(|sample| Sample { edge: pooled.size() == 0, ..sample })
        };
        let edges = numbers().map(|dtype| {
            let (y, window) = (edges(dtype), Window::new(&[2]).padding(&[1], &[0]));
            let (n, sizes) = (y.len(), [y.len()].into());
            edge(Unpool { window, sizes }, [y.reshape([1, n, 1]).expect("as many")])
        });
        pools().into_iter().flat_map(of).chain(edges).collect()
    }
}

impl Tensor {
    /// Images of those sizes between batch and channels, of which each element is the sum of this over the places of the
    /// window that stand over it; where numbers of taps are given, of the places that name its own.
    #[track_caller]
    pub fn unpool(&self, window: &Window, sizes: &[usize], taps: Option<&Tensor>) -> Tensor {
        self.apply_to(Unpool { window: window.clone(), sizes: sizes.into() }, &Vec::from_iter(taps))
    }
}
