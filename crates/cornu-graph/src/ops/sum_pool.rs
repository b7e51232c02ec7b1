//! Sums of elements under windows, and the elements under one tap of each.

use super::pooled::{numbers, pools, taps_in_turn};
use super::*;

/// `sum_pool(x)`: for each place of the window over images `[batch, …, channels]` the sum of the elements under it, from the
/// first tap to the last, beginning with zero. `sum_pool(x, taps)` takes of each place the element under the tap of that
/// number alone: zero if it is padding, or there is no such tap.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SumPool {
    /// What slides over the axes between batch and channels.
    pub window: Window,
}

impl OneResult for SumPool {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let pooled = match args {
            [x, taps @ ..] if x.dtype != DType::Bool && taps.len() < 2 => {
                let pooled = self.window.pooled(&x.shape);
                self.window
                    .taps()
                    .zip(pooled)
                    .filter(|((_, dtype), shape)| taps.iter().all(|taps| taps.dtype == *dtype && taps.shape == *shape))
            }
            _ => None,
        };
        let needed = || mismatch(&format!("images of numbers in which {} fits, and no or all taps", self.window), args);
        pooled.map(|(_, shape)| Type::new(args[0].dtype, shape)).ok_or_else(needed)
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let sizes = x[0].shape();
        let back = ct.unpool(&self.window, &sizes[1..sizes.rank() - 1], x.get(1));
        [Grad::By(back), Grad::Flat].into_iter().take(x.len()).collect()
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let x = args[0];
        let sum = |at: usize| {
            let taken = args.get(1).map(|taps| taps.number(at));
            let under = self.window.under(x.shape(), &ty.shape, at);
            let taken = under.filter(|&(tap, _)| taken.is_none_or(|taken| taken == Number::Whole(tap as i128)));
            taken.fold(Reduction::Sum.start(ty.dtype), |sum, (_, element)| Reduction::Sum.step(sum, x.number(element)))
        };
        Array::from_numbers(ty, |at| sum(at).computed(ty.dtype))
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "sum_pool {}", self.window)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        Some(SumPool { window: Window::read(text.named("sum_pool")?)? })
    }

    fn samples() -> Vec<Sample> {
        let of = |(window, shape): (Window, Shape)| {
            let pooled = window.pooled(&shape).expect("a window that fits");
            let (x, taps) = (f32s(shape, -1.0, 1.0), taps_in_turn(&window, &pooled));
            let both = [sample(SumPool { window: window.clone() }, [x.clone()]), sample(SumPool { window }, [x, taps])];
            both.map(|sample| Sample { edge: pooled.size() == 0, ..sample })
        };
        let edges = numbers().map(|dtype| {
            let x = edges(dtype);
            let (n, window) = (x.len(), Window::new(&[2]).padding(&[1], &[0]));
            edge(SumPool { window }, [x.reshape([1, n, 1]).expect("as many")])
        });
        pools().into_iter().flat_map(of).chain(edges).collect()
    }
}

impl Tensor {
    /// The sum of the elements under each place of the window, which slides over the axes between batch and channels; of the
    /// elements under one tap of each place, where their numbers are given.
    #[track_caller]
    pub fn sum_pool(&self, window: &Window, taps: Option<&Tensor>) -> Tensor {
        self.apply_to(SumPool { window: window.clone() }, &Vec::from_iter(taps))
    }
}
