//! FarmHash's 64 bits of a text, which TensorFlow's hash buckets are made of.

/// The three odd constants of FarmHash.
const K: [u64; 3] = [0xc3a5_c85c_97cb_3127, 0xb492_b66f_be98_f273, 0x9ae1_6a3b_2f90_404f];

/// FarmHash's `Fingerprint64` (<https://github.com/google/farmhash>): the same on every machine, for ever.
/// `fingerprint64(text) % buckets` is `tf.strings.to_hash_bucket_fast`.
///
/// ```
/// assert_eq!(cornu_array::fingerprint64(b"cornu") % 5, 2);
/// ```
#[must_use]
pub fn fingerprint64(text: &[u8]) -> u64 {
    match text.len() {
        0..=16 => up_to_16(text),
        17..=32 => {
            let (a, b, mul) = ends(text, K[1]);
            mix(a, b, mul)
        }
        33..=64 => up_to_64(text),
        _ => longer(text),
    }
}

fn word(text: &[u8], at: usize) -> u64 {
    (0..8).map(|i| u64::from(text[at + i]) << (8 * i)).sum()
}

fn half_word(text: &[u8], at: usize) -> u64 {
    (0..4).map(|i| u64::from(text[at + i]) << (8 * i)).sum()
}

fn shift(x: u64) -> u64 {
    x ^ (x >> 47)
}

fn mix(u: u64, v: u64, mul: u64) -> u64 {
    let a = shift((u ^ v).wrapping_mul(mul));
    shift((v ^ a).wrapping_mul(mul)).wrapping_mul(mul)
}

/// The multiplier of a text of up to 64 bytes.
fn multiplier(text: &[u8]) -> u64 {
    K[2].wrapping_add(2 * text.len() as u64)
}

fn up_to_16(text: &[u8]) -> u64 {
    let (len, mul) = (text.len(), multiplier(text));
    match len {
        0 => K[2],
        1..=3 => {
            let [a, b, c] = [0, len / 2, len - 1].map(|at| u64::from(text[at]));
            let (y, z) = (a + (b << 8), len as u64 + (c << 2));
            shift(y.wrapping_mul(K[2]) ^ z.wrapping_mul(K[0])).wrapping_mul(K[2])
        }
        4..=7 => mix(len as u64 + (half_word(text, 0) << 3), half_word(text, len - 4), mul),
        _ => {
            let (a, b) = (word(text, 0).wrapping_add(K[2]), word(text, len - 8));
            let c = b.rotate_right(37).wrapping_mul(mul).wrapping_add(a);
            let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(mul);
            mix(c, d, mul)
        }
    }
}

/// What the first and the last 16 bytes give, and the multiplier.
fn ends(text: &[u8], first: u64) -> (u64, u64, u64) {
    let (len, mul) = (text.len(), multiplier(text));
    let (a, b) = (word(text, 0).wrapping_mul(first), word(text, 8));
    let (c, d) = (word(text, len - 8).wrapping_mul(mul), word(text, len - 16).wrapping_mul(K[2]));
    let y = a.wrapping_add(b).rotate_right(43).wrapping_add(c.rotate_right(30)).wrapping_add(d);
    (y, a.wrapping_add(b.wrapping_add(K[2]).rotate_right(18)).wrapping_add(c), mul)
}

fn up_to_64(text: &[u8]) -> u64 {
    let len = text.len();
    let (y, z, mul) = ends(text, K[2]);
    let (a, z) = (word(text, 0).wrapping_mul(K[2]), mix(y, z, mul));
    let (e, f) = (word(text, 16).wrapping_mul(mul), word(text, 24));
    let g = y.wrapping_add(word(text, len - 32)).wrapping_mul(mul);
    let h = z.wrapping_add(word(text, len - 24)).wrapping_mul(mul);
    let left = e.wrapping_add(f).rotate_right(43).wrapping_add(g.rotate_right(30)).wrapping_add(h);
    mix(left, e.wrapping_add(f.wrapping_add(a).rotate_right(18)).wrapping_add(g), mul)
}

/// What is carried from 64 bytes to the next.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    /// Takes in 64 bytes; `mul` and `nine` differ for the last.
    fn take(&mut self, text: &[u8], mul: u64, nine: u64) {
        let Self { x, y, z, v, w } = self;
        let sum = x.wrapping_add(*y).wrapping_add(v.0).wrapping_add(word(text, 8));
        *x = sum.rotate_right(37).wrapping_mul(mul) ^ w.1.wrapping_mul(nine);
        *y = y.wrapping_add(v.1).wrapping_add(word(text, 48)).rotate_right(42).wrapping_mul(mul);
        *y = y.wrapping_add(v.0.wrapping_mul(nine)).wrapping_add(word(text, 40));
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(mul);
        *v = weak(&text[..32], v.1.wrapping_mul(mul), x.wrapping_add(w.0));
        *w = weak(&text[32..], z.wrapping_add(w.1), y.wrapping_add(word(text, 16)));
        std::mem::swap(z, x);
    }
}

/// Two seeds and 32 bytes.
fn weak(text: &[u8], a: u64, b: u64) -> (u64, u64) {
    let [w, x, y, z] = [0, 8, 16, 24].map(|at| word(text, at));
    let a = a.wrapping_add(w);
    let b = b.wrapping_add(a).wrapping_add(z).rotate_right(21);
    let sum = a.wrapping_add(x).wrapping_add(y);
    (sum.wrapping_add(z), b.wrapping_add(sum.rotate_right(44)).wrapping_add(a))
}

fn longer(text: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let y = SEED.wrapping_mul(K[1]).wrapping_add(113);
    let z = shift(y.wrapping_mul(K[2]).wrapping_add(113)).wrapping_mul(K[2]);
    let x = SEED.wrapping_mul(K[2]).wrapping_add(word(text, 0));
    let mut state = State { x, y, z, v: (0, 0), w: (0, 0) };
    let blocks = (text.len() - 1) / 64;
    for block in text.chunks_exact(64).take(blocks) {
        state.take(block, K[1], 1);
    }
    let mul = K[1].wrapping_add((state.z & 0xff) << 1);
    let rest = ((text.len() - 1) % 64) as u64;
    state.w.0 = state.w.0.wrapping_add(rest);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.take(&text[text.len() - 64..], mul, 9);
    let State { x, y, z, v, w } = state;
    let left = mix(v.0, w.0, mul).wrapping_add(shift(y).wrapping_mul(K[0])).wrapping_add(z);
    mix(left, mix(v.1, w.1, mul).wrapping_add(x), mul)
}

/// SipHash-2-4 of a text under a key (Aumasson and Bernstein, 2012): what TensorFlow's `to_hash_bucket_strong` is made of.
#[must_use]
pub fn siphash64(text: &[u8], key: [u64; 2]) -> u64 {
    const START: [u64; 4] =
        [0x736f_6d65_7073_6575, 0x646f_7261_6e64_6f6d, 0x6c79_6765_6e65_7261, 0x7465_6462_7974_6573];
    let mut v = [0, 1, 2, 3].map(|i: usize| START[i] ^ key[i % 2]);
    let (words, rest) = text.as_chunks::<8>();
    let last = rest.iter().rev().fold(0, |word, &byte| (word << 8) | u64::from(byte)) | (text.len() as u64) << 56;
    for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([last]) {
        v[3] ^= word;
        (0..2).for_each(|_| round(&mut v));
        v[0] ^= word;
    }
    v[2] ^= 0xff;
    (0..4).for_each(|_| round(&mut v));
    v[0] ^ v[1] ^ v[2] ^ v[3]
}

fn round([a, b, c, d]: &mut [u64; 4]) {
    *a = a.wrapping_add(*b);
    *b = b.rotate_left(13) ^ *a;
    *a = a.rotate_left(32);
    *c = c.wrapping_add(*d);
    *d = d.rotate_left(16) ^ *c;
    *a = a.wrapping_add(*d);
    *d = d.rotate_left(21) ^ *a;
    *c = c.wrapping_add(*b);
    *b = b.rotate_left(17) ^ *c;
    *c = c.rotate_left(32);
}

#[cfg(test)]
mod tests {
    use super::{fingerprint64, siphash64};

    /// TensorFlow 2.13's `to_hash_bucket_fast` of a text repeated, into so many buckets as have all bits tried.
    const BUCKETS: [(&str, usize, u64, u64); 20] = [
        ("", 1, 1936946117179621456, 1936946117179621451),
        ("a", 1, 3694432073954588132, 1388589064740894174),
        ("ab", 1, 3066228220894225695, 760385211680531737),
        ("abc", 1, 2640714258260161385, 334871249046467432),
        ("abcd", 1, 1897425971756105985, 1897425971756105985),
        ("cornu", 1, 1228326048247040422, 1228326048247040422),
        ("eight888", 1, 5466538823234072757, 854852804806684851),
        ("ninechars", 1, 6260300683697152404, 1648614665269764493),
        ("sixteen chars 16", 1, 4564041597714371878, 2258198588500677925),
        ("seventeen chars17", 1, 8035158280253416355, 1117629252612334496),
        ("The quick brown fox jumps over t", 1, 3916272259504149091, 1610429250290455133),
        ("The quick brown fox jumps over th", 1, 8241563171161551831, 1324034143520469967),
        ("ñandú", 1, 2937055576365324700, 631212567151630747),
        ("a", 33, 8087743964839449942, 1170214937198368078),
        ("a", 63, 7519940488587662353, 602411460946580489),
        ("a", 64, 5893282057753879417, 1281596039326491511),
        ("a", 65, 7778058094944459892, 860529067303378033),
        ("0123456789", 20, 439712990348739478, 439712990348739473),
        ("x", 128, 5868382771906808855, 1256696753479420949),
        ("y", 129, 1914834069162296259, 1914834069162296259),
    ];

    #[test]
    fn buckets_are_those_of_tensorflow() {
        for (text, times, most, odd) in BUCKETS {
            let hash = fingerprint64(text.repeat(times).as_bytes());
            assert_eq!((hash % (i64::MAX as u64), hash % ((1 << 61) + 1)), (most, odd), "{text:?} {times} times");
        }
    }

    /// TensorFlow 2.13's `to_hash_bucket_strong` under the key `[133, 137]`, into two numbers of buckets.
    const STRONG: [(&str, u64, u64); 6] = [
        ("", 4928313950774450900, 316627932347062998),
        ("a", 7077939996121841354, 160410968480759501),
        ("cornu", 4794427732601932207, 182741714174544305),
        ("eight888", 2995746371638024280, 689903362424330308),
        ("seventeen chars17", 9115833907211904844, 2198304879570822991),
        ("The quick brown fox jumps over the lazy dog", 4100171707309238755, 1794328698095544783),
    ];

    #[test]
    fn texts_under_a_key_are_hashed_as_tensorflow_does() {
        for (text, one, other) in STRONG {
            let hash = siphash64(text.as_bytes(), [133, 137]);
            assert_eq!((hash % ((1 << 63) - 25), hash % ((1 << 61) - 1)), (one, other), "{text:?}");
        }
    }
}
