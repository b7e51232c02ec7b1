//! Programs that run in one pass. Between two instructions the interpreter goes through memory; the update of an
//! optimizer, which changes every weight at every step, is worth a loop of its own.
//!
//! Each is written once, as arithmetic on anything: on vectors it is the loop, on [`Term`]s it says which instructions
//! the loop stands for. Both round after each operation, so that the loop gives the interpreter's bits.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Range, Sub};

use super::super::operand::Bases;
use super::super::simd::{Level, Simd, dispatch};
use super::{Binary, Fused, Input, Instruction, LINE, Opcode, Operand, Program, Unary};

/// The most inputs of one kind.
const INPUTS: usize = 4;
/// The most outputs.
const OUTPUTS: usize = 3;

/// Lists the programs: inputs that are read element by element, inputs that are one number, outputs.
macro_rules! whole {
    ($($(#[$doc:meta])* $name:ident($($stream:ident)*; $($uniform:ident)*) $body:block)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            pub(super) const ALL: &[Kind] = &[$(Kind::$name),*];

            /// Writes its terms, and gives the places of the outputs among them.
            fn terms(self, terms: &RefCell<Vec<Node>>) -> Vec<usize> {
                match self {
                    $(Kind::$name => {
                        let mut place = 0..;
                        $(let $stream = Term::new(terms, Node::Stream(place.next().unwrap_or_default()));)*
                        let mut place = 0..;
                        $(let $uniform = Term::new(terms, Node::Uniform(place.next().unwrap_or_default()));)*
                        $body.map(|term| term.place).to_vec()
                    })*
                }
            }
        }

        /// # Safety
        /// `len` floats, a multiple of [`LINE`], must be readable at each stream and writable at each output that the
        /// program has; an output is the memory of a stream or of none.
        #[inline(always)]
        unsafe fn run_with<S: Simd>(s: S, kind: Kind, at: Pointers, len: usize) {
            let Pointers { streams, uniforms, outputs } = at;
            match kind {
                $(Kind::$name => {
                    let [$($stream,)* ..] = streams;
                    let [$($uniform,)* ..] = uniforms.map(|x| Lanes(s, s.splat(x)));
                    for i in (0..len).step_by(S::LANES) {
                        // SAFETY: promised by the caller.
                        unsafe {
                            $(let $stream = Lanes(s, s.load($stream.add(i)));)*
                            for (to, result) in outputs.into_iter().zip($body) {
                                s.store(to.add(i), result.1);
                            }
                        }
                    }
                })*
            }
        }
    };
}

whole! {
    /// Adam: `m` and `v` follow the gradient and its square.
    Adam(w m v g; alpha rise spread epsilon) {
        let m = m + (g - m) * rise;
        let v = v + (g * g - v) * spread;
        [w - m * alpha / (v.sqrt() + epsilon), m, v]
    }
    /// RMSprop: `v` follows the square of the gradient.
    RMSprop(w v g; keep new rate epsilon) {
        let v = v * keep + g * g * new;
        [w - rate * g / (v + epsilon).sqrt(), v]
    }
    /// Gradient descent with momentum.
    Momentum(w m g; keep rate) {
        let m = m * keep - g * rate;
        [w + m, m]
    }
    /// Gradient descent with Nesterov's momentum.
    Nesterov(w m g; keep rate) {
        let step = g * rate;
        let m = m * keep - step;
        [w + m * keep - step, m]
    }
}

dispatch! {
    unsafe fn run = run_with(kind: Kind, at: Pointers, len: usize);
}

/// Where the inputs and outputs of one call are; what a program does not have is of no meaning.
#[derive(Clone, Copy)]
struct Pointers {
    streams: [*const f32; INPUTS],
    uniforms: [f32; INPUTS],
    outputs: [*mut f32; OUTPUTS],
}

/// A number that is the same for all elements.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Uniform {
    Number(f32),
    /// The first number of that span.
    At(usize),
}

/// A program that runs in one pass.
#[derive(Clone, Debug)]
pub(super) struct Whole {
    kind: Kind,
    streams: Vec<usize>,
    uniforms: Vec<Uniform>,
    outputs: Vec<usize>,
}

impl Whole {
    /// The loop for a program, if there is one. The program has been checked.
    pub(super) fn find(program: &Program) -> Option<Whole> {
        Kind::ALL.iter().find_map(|&kind| Match::whole(kind, program))
    }

    /// Computes those blocks.
    ///
    /// # Safety
    /// As [`Kernel::run`](super::Kernel::run).
    pub(super) unsafe fn run(&self, level: Level, fused: &Fused, bases: Bases, blocks: Range<usize>) {
        for (segment, part) in fused.pieces(blocks) {
            let at = |k: usize| bases.at::<f32>(segment.spans[k]);
            let mut pointers = Pointers {
                streams: [std::ptr::null(); INPUTS],
                uniforms: [0.0; INPUTS],
                outputs: [std::ptr::null_mut(); OUTPUTS],
            };
            let Pointers { streams, uniforms, outputs } = &mut pointers;
            // SAFETY: the inputs and outputs lie in their buffers, and the part is one of them.
            unsafe {
                streams.iter_mut().zip(&self.streams).for_each(|(to, &k)| *to = at(k).add(part.start));
                outputs.iter_mut().zip(&self.outputs).for_each(|(to, &k)| *to = at(k).add(part.start));
                for (to, from) in uniforms.iter_mut().zip(&self.uniforms) {
                    *to = match *from {
                        Uniform::Number(x) => x,
                        Uniform::At(k) => *at(k),
                    };
                }
                run(level, self.kind, pointers, part.len().next_multiple_of(LINE));
            }
        }
    }
}

/// A vector that reads like a number.
struct Lanes<S: Simd>(S, S::F);

impl<S: Simd> Clone for Lanes<S> {
    #[inline(always)]
    fn clone(&self) -> Self {
        *self
    }
}

impl<S: Simd> Copy for Lanes<S> {}

impl<S: Simd> Lanes<S> {
    #[inline(always)]
    fn sqrt(self) -> Self {
        Lanes(self.0, self.0.sqrt(self.1))
    }
}

/// A step of a program to be compared with.
#[derive(Clone, Copy, Debug)]
enum Node {
    /// An input that is read element by element.
    Stream(usize),
    /// An input that is one number.
    Uniform(usize),
    /// An operation on one or two terms.
    Op(Opcode, usize, usize),
}

/// A place among steps; arithmetic on it adds more of them.
#[derive(Clone, Copy)]
struct Term<'a> {
    terms: &'a RefCell<Vec<Node>>,
    place: usize,
}

impl<'a> Term<'a> {
    fn new(terms: &'a RefCell<Vec<Node>>, node: Node) -> Self {
        let mut list = terms.borrow_mut();
        list.push(node);
        Term { terms, place: list.len() - 1 }
    }

    fn sqrt(self) -> Self {
        Term::new(self.terms, Node::Op(Unary::Sqrt.into(), self.place, self.place))
    }
}

macro_rules! operators {
    ($($operator:ident $function:ident)*) => {
        $(
            impl<S: Simd> $operator for Lanes<S> {
                type Output = Self;

                #[inline(always)]
                fn $function(self, other: Self) -> Self {
                    Lanes(self.0, self.0.$function(self.1, other.1))
                }
            }

            impl $operator for Term<'_> {
                type Output = Self;

                fn $function(self, other: Self) -> Self {
                    Term::new(self.terms, Node::Op(Binary::$operator.into(), self.place, other.place))
                }
            }
        )*
    };
}

operators! { Add add Sub sub Mul mul Div div }

/// Where the inputs of a kind are in a program, as far as they were found.
#[derive(Clone)]
struct Match {
    terms: Vec<Node>,
    streams: [Option<usize>; INPUTS],
    uniforms: [Option<Uniform>; INPUTS],
}

impl Match {
    /// The loop, if the program computes just the outputs of the kind.
    fn whole(kind: Kind, program: &Program) -> Option<Whole> {
        let terms = RefCell::default();
        let wanted = kind.terms(&terms);
        let mut found = Match { terms: terms.into_inner(), streams: [None; INPUTS], uniforms: [None; INPUTS] };
        let mut outputs = Vec::new();
        if program.outputs.len() != wanted.len() {
            return None;
        }
        for term in wanted {
            let (at, next) = program.outputs.iter().find_map(|output| {
                let mut tried = found.clone();
                let free = !outputs.contains(&output.at);
                (free && tried.unify(term, output.from, program)).then_some((output.at, tried))
            })?;
            found = next;
            outputs.push(at);
        }
        let (streams, uniforms) = (found.streams.into_iter().flatten(), found.uniforms.into_iter().flatten());
        Some(Whole { kind, streams: streams.collect(), uniforms: uniforms.collect(), outputs })
    }

    /// Whether an operand is that term, given what is known of the inputs.
    fn unify(&mut self, term: usize, operand: Operand, program: &Program) -> bool {
        let input = match operand {
            Operand::Input(i) => Some(program.inputs[usize::from(i)]),
            Operand::Register(_) | Operand::Constant(_) => None,
        };
        match (self.terms[term], operand, input) {
            (Node::Stream(i), _, Some(Input::Full(at))) => *self.streams[i].get_or_insert(at) == at,
            (Node::Uniform(i), _, Some(Input::Scalar(at))) => self.is_uniform(i, Uniform::At(at)),
            (Node::Uniform(i), Operand::Constant(x), _) => self.is_uniform(i, Uniform::Number(x)),
            (Node::Op(op, a, b), Operand::Register(register), _) => {
                let Instruction { op: found, a: x, b: y, .. } = program.code[usize::from(register)];
                found == op && self.unify(a, x, program) && (op.arity() < 2 || self.unify(b, y, program))
            }
            _ => false,
        }
    }

    fn is_uniform(&mut self, i: usize, uniform: Uniform) -> bool {
        *self.uniforms[i].get_or_insert(uniform) == uniform
    }
}

#[cfg(test)]
impl Kind {
    /// The program it stands for, over `len` elements: streams lie `stride` floats apart, the first single number behind
    /// them; the others are constants. Outputs are written over the first streams.
    pub(super) fn program(self, len: usize, stride: usize) -> Program {
        let terms = RefCell::default();
        let outputs = self.terms(&terms);
        let terms = terms.into_inner();
        let streams = terms.iter().filter(|node| matches!(node, Node::Stream(_))).count();
        let (mut code, mut operands) = (Vec::new(), Vec::new());
        for node in terms {
            operands.push(match node {
                Node::Stream(i) => Operand::Input(i as u16),
                Node::Uniform(0) => Operand::Input(streams as u16),
                Node::Uniform(i) => Operand::Constant(0.25 / i as f32),
                Node::Op(op, a, b) => {
                    code.push(Instruction { op, a: operands[a], b: operands[b], c: operands[a] });
                    Operand::Register(code.len() as u16 - 1)
                }
            });
        }
        let inputs = (0..streams).map(Input::Full).chain([Input::Scalar(streams)]).collect();
        let output = |(at, term): (usize, usize)| super::Output { from: operands[term], at };
        let spans = (0..=streams).map(|k| super::Span { base: 0, at: k * stride * size_of::<f32>() }).collect();
        let segments = vec![super::Segment { rows: 1, cols: len, spans }];
        Program { inputs, outputs: outputs.into_iter().enumerate().map(output).collect(), code, segments }
    }
}
