//! Floats that begin on a cache line, as those of a session do.

/// Small positive numbers, no two neighbours alike.
pub(crate) struct Memory {
    all: Vec<f32>,
    skipped: usize,
}

impl Memory {
    /// Memory of `len` floats and some more.
    pub(crate) fn new(len: usize) -> Memory {
        let all: Vec<f32> = (0..len + 32).map(|i| 0.01 + (i % 17) as f32 * 0.05).collect();
        let skipped = all.as_ptr().align_offset(64);
        Memory { all, skipped }
    }

    /// The floats.
    pub(crate) fn floats(&mut self) -> &mut [f32] {
        &mut self.all[self.skipped..]
    }
}
