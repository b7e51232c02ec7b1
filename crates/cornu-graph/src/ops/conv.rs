//! Convolutions: a window with a number for each tap slides over images, channels last.
//!
//! [`Conv`] is linear in images `x` and in the kernel `w`; [`ConvInput`](super::ConvInput) and
//! [`ConvWeights`](super::ConvWeights) are what comes back to each of them. Each is linear in both of its operands, and its
//! gradients are the other two.

use super::*;

/// `conv(x, w)`: of images `[n, axes.., c]` and a kernel `[taps.., c / groups, k]`, images `[n, places.., k]`. Each number is a
/// sum over the taps of the window, in order, and the channels of its group. The kernel is not turned, as in Keras, and taps
/// in the padding are left out.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Conv {
    /// The window over the axes of an image.
    pub window: Window,
    /// Into how many groups, side by side, channels are divided: those of the result are made of their own group alone.
    pub groups: usize,
}

/// Images, a kernel and a result that fit each other.
pub(super) struct Fit<'a> {
    pub(super) window: &'a Window,
    pub(super) groups: usize,
    pub(super) x: Shape,
    pub(super) w: Shape,
    pub(super) y: Shape,
}

impl Fit<'_> {
    /// This, if it fits.
    pub(super) fn checked(self) -> Option<Self> {
        let Fit { window, groups, x, w, y } = &self;
        let (axes, rank) = (1..window.0.len() + 1, window.0.len() + 2);
        let ranks = !axes.is_empty() && [x, w, y].iter().all(|shape| shape.rank() == rank);
        let fits = ranks
            && (x[0] == y[0] && w[..rank - 2] == window.sizes()[..])
            && window.places(&x[axes.clone()]).is_some_and(|places| places[..] == y[axes])
            && w[rank - 2].checked_mul(*groups) == Some(x[rank - 1])
            && (w[rank - 1] == y[rank - 1] && y[rank - 1].is_multiple_of((*groups).max(1)) && *groups > 0);
        fits.then_some(self)
    }

    /// Shows each product of an element of `x` and one of `w`, with the element of `y` it is part of, as places in memory.
    fn each(&self, mut see: impl FnMut([usize; 3])) {
        let Fit { window, groups, x, w, y } = self;
        let axes = window.0.len();
        let ([c, k], all) = ([w[axes], y[axes + 1] / groups], y[axes + 1]);
        for place in (0..y.size()).step_by(all.max(1)) {
            for (tap, under) in window.under(x, y, place) {
                for (group, c_in) in (0..*groups).flat_map(|group| (0..c).map(move |c_in| (group, c_in))) {
                    for out in group * k..group * k + k {
                        see([under + group * c + c_in, (tap * c + c_in) * all + out, place + out]);
                    }
                }
            }
        }
    }

    /// The operand that the other two make: the products' factors are these arrays' elements at two of the places, and are
    /// summed at the third.
    pub(super) fn sums(&self, ty: &Type, [a, b]: [(&Array, usize); 2], to: usize) -> Array {
        let mut totals = vec![Reduction::Sum.start(ty.dtype); ty.size()];
        if ty.size() > 0 && !a.0.is_empty() {
            self.each(|places| {
                let product = Binary::Mul.number(a.0.number(places[a.1]), b.0.number(places[b.1]));
                totals[places[to]] = Reduction::Sum.step(totals[places[to]], product);
            });
        }
        Array::from_numbers(ty, |at| totals[at].computed(ty.dtype))
    }
}

/// The type of a result of that shape, if it and the operands, of one type of numbers, fit.
pub(super) fn fitting(fit: Option<Fit>, result: impl Fn(Fit) -> Shape, args: &[&Type]) -> Option<Type> {
    let shape = result(fit?.checked()?);
    let dtype = args.first()?.dtype;
    (args.iter().all(|arg| arg.dtype == dtype) && dtype != DType::Bool).then(|| Type::new(dtype, shape))
}

/// `name groups [sizes] [strides] [dilations] [low] [high]`
pub(super) fn print(f: &mut Formatter<'_>, name: &str, window: &Window, groups: usize) -> fmt::Result {
    write!(f, "{name} {groups} {window}")
}

/// Reads what [`print`] writes.
pub(super) fn read(text: &mut OpText, name: &str) -> Option<(Window, usize)> {
    let text = text.named(name)?;
    let groups = text.word("a number of groups")?;
    Some((Window::read(text)?, groups))
}

/// What is said of images in an error: `[n, 2 axes, c]`.
pub(super) fn images(window: &Window, channels: &str) -> String {
    let axes = window.0.len();
    format!("[n, {axes} {}, {channels}]", if axes == 1 { "axis" } else { "axes" })
}

/// What is said of a kernel in an error: `[3, 3, c / 2, k]`.
pub(super) fn kernel(window: &Window, groups: usize) -> String {
    let sizes: Vec<String> = window.0.iter().map(|slide| slide.size.to_string()).collect();
    let of = if groups == 1 { String::new() } else { format!(" / {groups}") };
    format!("[{}, c{of}, k]", sizes.join(", "))
}

/// Windows and images of all kinds, with the shapes of `x`, `w` and `y`: axes of one element, dilation, groups, strides
/// longer than the window, even sizes, uneven padding, taps that no image reaches, and more numbers than a vector holds.
pub(super) fn cases() -> Vec<(Window, usize, [Shape; 3])> {
    let window = Window::new;
    let case = |window: Window, x: &[usize], k: usize, groups: usize| {
        let (x, last) = (Shape::from(x), x.len() - 1);
        let w = window.sizes().iter().copied().chain([x[last] / groups, k]).collect();
        let y = window.pooled(&x).expect("a case that fits").with(last, k);
        (window, groups, [x, w, y])
    };
    vec![
        case(window(&[3, 3]).same(&[4, 5]), &[2, 4, 5, 2], 3, 1),
        case(window(&[1, 1]), &[1, 1, 1, 1], 1, 1),
        case(window(&[1, 1]), &[2, 3, 2, 3], 4, 1),
        case(window(&[2, 3]).strides(&[2, 1]).dilations(&[1, 2]).padding(&[1, 0], &[0, 3]), &[2, 5, 4, 2], 2, 1),
        case(window(&[3]).dilations(&[2]).padding(&[4], &[0]), &[2, 7, 3], 2, 1),
        case(window(&[2]).strides(&[3]), &[1, 8, 2], 2, 1),
        case(window(&[2]).padding(&[3], &[2]), &[1, 2, 1], 2, 1),
        case(window(&[4, 2]).strides(&[1, 2]).same(&[5, 6]), &[1, 5, 6, 4], 6, 2),
        case(window(&[3, 3]).strides(&[2, 2]).same(&[5, 5]), &[2, 5, 5, 3], 3, 3),
        case(window(&[2, 2]).same(&[3, 3]), &[1, 3, 3, 2], 4, 2),
        case(window(&[2, 2, 2]).strides(&[1, 2, 1]).same(&[3, 3, 2]), &[1, 3, 3, 2, 2], 2, 1),
        case(window(&[3]).same(&[30]), &[1, 30, 9], 19, 1),
        case(window(&[3]).same(&[12]), &[2, 12, 21], 21, 21),
    ]
}

/// Samples of an op of those shapes of operands, on numbers of all types; sums of nothing, and nothing.
pub(super) fn samples<O: Into<Op>>(op: impl Fn(Window, usize, &[Shape; 3]) -> (O, [Shape; 2])) -> Vec<Sample> {
    let of = |dtype: DType, (window, groups, shapes): (Window, usize, [Shape; 3])| {
        let (op, [a, b]) = op(window, groups, &shapes);
        sample(op, [spread(dtype, a, -1.0, 1.0), spread(dtype, b, 1.0, -1.0)])
    };
    let mut all: Vec<Sample> = cases().into_iter().map(|case| of(DType::F32, case)).collect();
    for dtype in [DType::F16, DType::Bf16, DType::F64] {
        all.extend(cases().into_iter().step_by(3).map(|case| of(dtype, case)));
    }
    // Each edge by each, as one product or in sums; those of whole numbers wrap.
    for dtype in DType::ALL.into_iter().filter(|&dtype| dtype != DType::Bool) {
        let (n, edges) = (edges(dtype).len(), edges(dtype));
        let shapes =
            [[[n, 1, 1], [1, 1, n], [n, 1, n]], [[n, 1, n], [1, n, 1], [n, 1, 1]], [[1, 1, n], [1, n, n], [1, 1, n]]];
        for shapes in shapes {
            let (op, operands) = op(Window::new(&[1]), 1, &shapes.map(Shape::from));
            all.push(edge(op, operands.map(|shape| edges.pick(shape, |i| i % n))));
        }
        let cases = cases().into_iter().step_by(4).filter(|_| dtype.is_whole());
        all.extend(cases.map(|case| {
            let mut sample = of(dtype, case);
            sample.args.iter_mut().for_each(|arg| *arg = edges.pick(arg.shape().clone(), |i| i * 5 % n));
            Sample { edge: true, ..sample }
        }));
    }
    for [n, c, k] in [[0, 2, 3], [2, 0, 3], [2, 2, 0]] {
        let (op, shapes) = op(Window::new(&[2]), 1, &[[n, 3, c].into(), [2, c, k].into(), [n, 2, k].into()]);
        all.push(edge(op, shapes.map(|shape| Array::zeros(&Type::f32(shape)))));
    }
    all
}

impl Conv {
    fn fit<'a>(&'a self, x: &Shape, w: &Shape) -> Option<Fit<'a>> {
        let Conv { window, groups } = self;
        let y = window.pooled(x)?.with(x.rank() - 1, *w.last()?);
        Fit { window, groups: *groups, x: x.clone(), w: w.clone(), y }.checked()
    }

    /// What is wrong with operands: a window that an axis has no room for, or their shapes.
    fn problem(&self, args: &[&Type]) -> String {
        let Conv { window, groups } = self;
        if let [x, _] = args
            && x.rank() == window.0.len() + 2
            && let Some(axis) = (0..window.0.len()).find(|&axis| window.0[axis].places(x.shape[axis + 1]).is_none())
        {
            let Slide { size, dilation, low, high, .. } = window.0[axis];
            let apart = if dilation == 1 { String::new() } else { format!(", {dilation} apart,") };
            let room = format!("with {low} and {high} of padding");
            return mismatch(&format!("room for {size} taps{apart} along axis {} {room}", axis + 1), args);
        }
        mismatch(&format!("images {} and a kernel {}", images(window, "c"), kernel(window, *groups)), args)
    }
}

impl OneResult for Conv {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let fit = if let [x, w] = args { self.fit(&x.shape, &w.shape) } else { None };
        fitting(fit, |fit| fit.y, args).ok_or_else(|| self.problem(args))
    }

    fn vjp(&self, x: &[Tensor], _: &Tensor, ct: &Tensor) -> Vec<Grad> {
        let shape = x[0].shape();
        let size = &shape[1..shape.rank() - 1];
        let dx = ct.conv_input(&x[1], size, &self.window, self.groups);
        vec![Grad::By(dx), Grad::By(x[0].conv_weights(ct, &self.window, self.groups))]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let fit = self.fit(args[0].shape(), args[1].shape()).expect("the type rule was asked first");
        fit.sums(ty, [(args[0], 0), (args[1], 1)], 2)
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        print(f, "conv", &self.window, self.groups)
    }

    fn read(text: &mut OpText, _: &Type) -> Option<Self> {
        read(text, "conv").map(|(window, groups)| Conv { window, groups })
    }

    fn samples() -> Vec<Sample> {
        samples(|window, groups, [x, w, _]| (Conv { window, groups }, [x.clone(), w.clone()]))
    }
}

impl Tensor {
    /// These images `[n, axes.., c]` under a kernel `[taps.., c / groups, k]`: `[n, places.., k]`. Types are joined as those of
    /// a sum.
    #[track_caller]
    pub fn conv(&self, kernel: &Tensor, window: &Window, groups: usize) -> Tensor {
        let dtype = self.dtype().joined(kernel.dtype());
        self.cast(dtype).apply_to(Conv { window: window.clone(), groups }, &[&kernel.cast(dtype)])
    }
}
