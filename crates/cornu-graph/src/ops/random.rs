//! Random numbers as functions of a stream, which is data: six words that a variable can hold.

use super::*;
use crate::Buffer;
use crate::random::{Stream, uniform_f64, uniform01};

/// A function of a stream (`u32[6]`: the words of [`Stream::pack`]) or of a pair of seeds (`u32[2]`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Random {
    /// Numbers in `[0, 1)`, the first of the stream's: `u32[6]` to singles or doubles of that type.
    Uniform(Type),
    /// The stream that is that many blocks of four words further on: `u32[6]` to `u32[6]`.
    Advance(u64),
    /// The stream of a pair of seeds, each taken modulo this number: `u32[2]` to `u32[6]`.
    Stateless(u32),
}

impl OneResult for Random {
    fn infer(&self, args: &[&Type]) -> Result<Type, String> {
        let stream = Type::new(DType::U32, [6]);
        let pair = Type::new(DType::U32, [2]);
        match (self, args) {
            (Random::Uniform(ty), [x]) if **x == stream && matches!(ty.dtype, DType::F32 | DType::F64) => {
                Ok(ty.clone())
            }
            (Random::Advance(_), [x]) if **x == stream => Ok(stream),
            (Random::Stateless(modulus), [x]) if **x == pair && *modulus > 0 => Ok(stream),
            (Random::Uniform(_) | Random::Advance(_), _) => Err(mismatch("a stream", args)),
            (Random::Stateless(_), _) => Err(mismatch("a pair of seeds and a modulus above zero", args)),
        }
    }

    fn vjp(&self, _: &[Tensor], _: &Tensor, _: &Tensor) -> Vec<Grad> {
        vec![Grad::Flat]
    }

    fn eval(&self, args: &[&Array], ty: &Type) -> Array {
        let words = args[0].to_vec::<u32>();
        match self {
            Random::Uniform(_) => {
                let mut array = Array::zeros(ty);
                let stream = self.stream(&words);
                match array.buffer_mut() {
                    Buffer::F64(values) => uniform_f64(stream, 0, 0.0, 1.0, values),
                    Buffer::F32(values) => uniform01(stream, 0, values),
                    _ => unreachable!("the type rule was asked first"),
                }
                array
            }
            Random::Advance(_) | Random::Stateless(_) => Array::vector(self.stream(&words).pack().to_vec()),
        }
    }

    fn print(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Random::Uniform(_) => f.write_str("random_uniform"),
            Random::Advance(blocks) => write!(f, "random_advance {blocks}"),
            Random::Stateless(modulus) => write!(f, "random_stateless {modulus}"),
        }
    }

    fn read(text: &mut OpText, ty: &Type) -> Option<Self> {
        Some(match text.name() {
            "random_uniform" => Random::Uniform(ty.clone()),
            "random_advance" => Random::Advance(text.word("a number of blocks")?),
            "random_stateless" => Random::Stateless(text.word("a modulus")?),
            _ => return None,
        })
    }

    fn samples() -> Vec<Sample> {
        let mut stream = Stream::stateful(42, 1);
        stream.advance(u128::from(u32::MAX));
        let packed = Array::vector(stream.pack().to_vec());
        vec![
            sample(Random::Uniform(Type::f32([3, 5])), [packed.clone()]),
            sample(Random::Uniform(Type::new(DType::F64, [3, 5])), [packed.clone()]),
            sample(Random::Uniform(Type::f32([70])), [packed.clone()]),
            sample(Random::Advance(256 * 15), [packed]),
            edge(Random::Uniform(Type::f32([0])), [Array::vector(vec![u32::MAX; 6])]),
            edge(Random::Advance(u64::MAX), [Array::vector(vec![u32::MAX; 6])]),
            edge(Random::Stateless(u32::MAX), [Array::vector(vec![u32::MAX, 0])]),
            sample(Random::Stateless(2_147_483_646), [Array::vector(vec![4_000_000_000u32, 7])]),
        ]
    }
}

impl Random {
    /// The stream that this op reads or makes, from the words of its operand.
    ///
    /// # Panics
    /// If there are fewer words than the type rule asks for.
    pub fn stream(&self, words: &[u32]) -> Stream {
        match *self {
            Random::Uniform(_) => unpack(words),
            Random::Advance(blocks) => {
                let mut stream = unpack(words);
                stream.advance(blocks.into());
                stream
            }
            Random::Stateless(modulus) => {
                let part = |i: usize| i64::from(words[i] % modulus);
                Stream::stateless([part(0), part(1)])
            }
        }
    }
}

/// The stream of six words.
fn unpack(words: &[u32]) -> Stream {
    Stream::unpack(std::array::from_fn(|i| words[i]))
}

/// Streams, of type `u32[6]`.
impl Tensor {
    /// The first numbers of this stream, in `[0, 1)`.
    #[track_caller]
    pub fn random_uniform(&self, shape: impl Into<Shape>) -> Tensor {
        self.apply(Random::Uniform(Type::f32(shape)))
    }

    /// This stream, `blocks` blocks of four words further on.
    #[track_caller]
    pub fn random_advance(&self, blocks: u64) -> Tensor {
        self.apply(Random::Advance(blocks))
    }

    /// The stream of this pair of seeds (`u32[2]`), each taken modulo `modulus`.
    #[track_caller]
    pub fn random_stateless(&self, modulus: u32) -> Tensor {
        self.apply(Random::Stateless(modulus))
    }
}
