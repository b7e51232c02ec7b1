//! Numbers closest to zero, below 1.2e-38: taken as zero while kernels run.
//!
//! x86 processors leave their fast paths for every operation that reads or makes such a number, at a hundred cycles and
//! more. Training makes many: a moment whose gradient stays zero shrinks until it is stuck there. TensorFlow flushes
//! them as well, so Keras's numbers are no others.

/// While this lives, its thread reads and writes subnormal numbers as zero.
pub struct Flush {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    before: u32,
}

impl Flush {
    /// Starts flushing.
    #[inline]
    #[allow(clippy::new_without_default, reason = "it does something to the thread")]
    pub fn new() -> Flush {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            /// Flush results to zero (bit 15), and take operands as zero (bit 6).
            const FLUSH: u32 = 1 << 15 | 1 << 6;
            let before = control();
            set_control(before | FLUSH);
            Flush { before }
        }
        #[cfg(not(all(target_arch = "x86_64", not(miri))))]
        Flush {}
    }
}

impl Drop for Flush {
    #[inline]
    fn drop(&mut self) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        set_control(self.before);
    }
}

/// The control word of the vector unit.
#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn control() -> u32 {
    let mut word = 0u32;
    // SAFETY: stores the control word, which every x86-64 has, to a word of ours.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    word
}

#[cfg(all(target_arch = "x86_64", not(miri)))]
#[inline]
fn set_control(word: u32) {
    // SAFETY: only the two flush bits differ from the word before: rounding and exceptions stay as Rust assumes them.
    // Until the word is set back, operations on subnormal numbers give zeros, which is what the kernels want; nothing
    // else runs meanwhile.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags)) };
}

#[cfg(all(test, target_arch = "x86_64", not(miri)))]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[test]
    fn subnormals_are_zero_for_a_while() {
        let halve = || black_box(f32::MIN_POSITIVE) * black_box(0.5);
        assert!(halve() > 0.0);
        let flush = Flush::new();
        assert_eq!(halve(), 0.0);
        drop(flush);
        assert!(halve() > 0.0);
    }
}
