//! How programs are compiled: a message of protocol buffers.

use std::sync::LazyLock;

/// What XLA may not do: leave out a rounding to a shorter float.
const FORBIDDEN: &str = "xla_allow_excess_precision";

/// The serialised `CompileOptionsProto` of all programs: one copy on one device.
pub(crate) static OPTIONS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let (mut build, mut no, mut flag, mut all) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    int(&mut build, 1, -1); // device_ordinal: the first
    int(&mut build, 4, 1); // num_replicas: without it plugins end the process
    int(&mut build, 5, 1); // num_partitions
    bytes(&mut all, 3, &build); // executable_build_options
    int(&mut no, 2, 0); // bool_field
    bytes(&mut flag, 1, FORBIDDEN.as_bytes());
    bytes(&mut flag, 2, &no);
    bytes(&mut all, 7, &flag); // env_option_overrides
    all
});

/// A number, seven bits a byte from the lowest.
fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A field of a number.
fn int(out: &mut Vec<u8>, field: u64, value: i64) {
    varint(out, field << 3);
    varint(out, value.cast_unsigned());
}

/// A field of bytes.
fn bytes(out: &mut Vec<u8>, field: u64, value: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}
