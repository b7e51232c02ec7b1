//! What plugins say: a code of those that Google has for all errors, and a text.

use cornu_graph::{Error, ErrorKind};

/// The error of that code and text.
pub(crate) fn said(code: i32, text: &str) -> Error {
    let kind = match code {
        8 => ErrorKind::Memory,
        9 | 12 | 14 => ErrorKind::Unsupported,
        _ => ErrorKind::Graph,
    };
    Error::new(kind, format!("the plugin says `{}` ({code}): {text}", name(code)))
}

fn name(code: i32) -> &'static str {
    match code {
        1 => "cancelled",
        3 => "invalid argument",
        4 => "deadline exceeded",
        5 => "not found",
        6 => "already exists",
        7 => "permission denied",
        8 => "resource exhausted",
        9 => "failed precondition",
        10 => "aborted",
        11 => "out of range",
        12 => "unimplemented",
        13 => "internal",
        14 => "unavailable",
        15 => "data loss",
        16 => "unauthenticated",
        _ => "unknown",
    }
}
