//! The checksum of HDF5's newer structures: Bob Jenkins's `lookup3`.

/// The checksum of some bytes.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let start = 0xdead_beef_u32.wrapping_add(bytes.len() as u32);
    let mut state = [start; 3];
    let add = |state: &mut [u32; 3], block: &[u8]| {
        for (place, &byte) in block.iter().enumerate() {
            state[place / 4] = state[place / 4].wrapping_add(u32::from(byte) << (8 * (place % 4)));
        }
    };
    // The last block is mixed in another way, even if it is whole.
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, more) = rest.split_at(12);
        add(&mut state, block);
        mix(&mut state);
        rest = more;
    }
    if rest.is_empty() {
        return state[2];
    }
    add(&mut state, rest);
    finish(state)
}

fn mix([a, b, c]: &mut [u32; 3]) {
    for shifts in [[4, 6, 8], [16, 19, 4]] {
        *a = a.wrapping_sub(*c) ^ c.rotate_left(shifts[0]);
        *c = c.wrapping_add(*b);
        *b = b.wrapping_sub(*a) ^ a.rotate_left(shifts[1]);
        *a = a.wrapping_add(*c);
        *c = c.wrapping_sub(*b) ^ b.rotate_left(shifts[2]);
        *b = b.wrapping_add(*a);
    }
}

fn finish([mut a, mut b, mut c]: [u32; 3]) -> u32 {
    c = (c ^ b).wrapping_sub(b.rotate_left(14));
    a = (a ^ c).wrapping_sub(c.rotate_left(11));
    b = (b ^ a).wrapping_sub(a.rotate_left(25));
    c = (c ^ b).wrapping_sub(b.rotate_left(16));
    a = (a ^ c).wrapping_sub(c.rotate_left(4));
    b = (b ^ a).wrapping_sub(a.rotate_left(14));
    (c ^ b).wrapping_sub(b.rotate_left(24))
}

#[test]
fn the_numbers_are_those_of_its_author() {
    assert_eq!(checksum(b""), 0xdead_beef);
    assert_eq!(checksum(b"Four score and seven years ago"), 0x1777_0551);
}
