//! Philox 4x32-10 (Salmon and others, "Parallel random numbers: as easy as 1, 2, 3", 2011): a block cipher that turns
//! a key and a counter into four random words.

/// The multipliers of a round.
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// What is added to the key between rounds.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
/// The key that scrambles stateless seeds.
const SCRAMBLE: [u32; 2] = [0x3EC8_F720, 0x0246_1E29];

/// Where a sequence of random words starts: a key, and a counter of 128 bits with its least significant word first.
///
/// Word `i` of the sequence is word `i mod 4` of block `i div 4`, and block `b` is made from `counter + b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Stream {
    /// Chooses one of 2⁶⁴ sequences.
    pub key: [u32; 2],
    /// The place in the sequence.
    pub counter: [u32; 4],
}

impl Stream {
    /// The stream of TensorFlow's stateless operations for a pair of seeds.
    ///
    /// Initializers take `[seed, 0]`.
    pub fn stateless(seed: [i64; 2]) -> Stream {
        let [low, high] = seed.map(i64::cast_unsigned);
        let scrambled = Stream { key: SCRAMBLE, counter: split(u128::from(low) | u128::from(high) << 64) };
        let [key0, key1, counter2, counter3] = scrambled.block(0);
        Stream { key: [key0, key1], counter: [0, 0, counter2, counter3] }
    }

    /// The stream of TensorFlow's stateful operations when they are first run.
    pub fn stateful(seed: u64, seed2: u64) -> Stream {
        let [key0, key1, ..] = split(seed.into());
        Stream { key: [key0, key1], counter: split(u128::from(seed2) << 64) }
    }

    /// Moves on by `blocks` blocks of four words.
    pub fn advance(&mut self, blocks: u128) {
        self.counter = split(self.position().wrapping_add(blocks));
    }

    /// The four words of block `index`, counted from this place.
    #[inline]
    pub fn block(&self, index: u64) -> [u32; 4] {
        cipher(self.key, split(self.position().wrapping_add(index.into())))
    }

    /// The words of blocks that follow each other, from this place on. It is compiled with its caller, so that lanes of the
    /// caller's vectors are blocks.
    #[inline(always)]
    pub fn blocks(&self, to: &mut [[u32; 4]]) {
        let [low, high] = [self.position() as u64, (self.position() >> 64) as u64];
        for (i, to) in to.iter_mut().enumerate() {
            let low_here = low.wrapping_add(i as u64);
            let high_here = high.wrapping_add(u64::from(low_here < low));
            *to = cipher(self.key, split(u128::from(high_here) << 64 | u128::from(low_here)));
        }
    }

    /// Key and counter, as a graph keeps them in a variable.
    pub fn pack(self) -> [u32; 6] {
        let ([k0, k1], [c0, c1, c2, c3]) = (self.key, self.counter);
        [k0, k1, c0, c1, c2, c3]
    }

    /// The stream that was packed.
    pub fn unpack([k0, k1, c0, c1, c2, c3]: [u32; 6]) -> Stream {
        Stream { key: [k0, k1], counter: [c0, c1, c2, c3] }
    }

    /// The counter as one number.
    #[inline]
    fn position(&self) -> u128 {
        self.counter.iter().rev().fold(0, |number, &word| number << 32 | u128::from(word))
    }
}

/// A generator that walks along a [`Stream`], block by block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Philox {
    key: [u32; 2],
    counter: u128,
}

impl Philox {
    /// A generator at the start of `stream`.
    #[inline]
    pub fn new(stream: Stream) -> Philox {
        Philox { key: stream.key, counter: stream.position() }
    }

    /// The next four words.
    #[inline]
    pub fn block(&mut self) -> [u32; 4] {
        let block = cipher(self.key, split(self.counter));
        self.skip(1);
        block
    }

    /// Passes over `blocks` blocks.
    #[inline]
    pub fn skip(&mut self, blocks: u128) {
        self.counter = self.counter.wrapping_add(blocks);
    }

    /// The place it has reached.
    pub fn stream(&self) -> Stream {
        Stream { key: self.key, counter: split(self.counter) }
    }
}

/// The four words of a number, least significant first.
#[inline(always)]
fn split(number: u128) -> [u32; 4] {
    [0, 32, 64, 96].map(|shift| (number >> shift) as u32)
}

/// Ten rounds: each multiplies two words, exchanges halves and adds the key; the key changes between rounds.
#[inline(always)]
fn cipher(mut key: [u32; 2], mut counter: [u32; 4]) -> [u32; 4] {
    for _ in 0..10 {
        let [c0, c1, c2, c3] = counter;
        let (p0, p1) = (wide(MULTIPLIER[0], c0), wide(MULTIPLIER[1], c2));
        counter = [(p1 >> 32) as u32 ^ c1 ^ key[0], p1 as u32, (p0 >> 32) as u32 ^ c3 ^ key[1], p0 as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// The product of two words, all 64 bits of it.
#[inline(always)]
fn wide(a: u32, b: u32) -> u64 {
    u64::from(a) * u64::from(b)
}
