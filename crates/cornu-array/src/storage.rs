//! The elements of an array: a vector of its own, or memory that is lent to it for a while.
#![allow(unsafe_code)]

#[cfg(feature = "ndarray")]
use std::any::TypeId;
use std::fmt;
use std::io::Write;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Elements of one type: a vector, or somebody else's slice while [`lending`] runs. Whoever clones lent elements, or writes
/// to them, has a vector.
pub struct Storage<T>(Held<T>);

enum Held<T> {
    Own(Vec<T>),
    Lent(Lent<T>),
}

/// A slice that stays where it is, unchanged, until the loan it is counted in is over.
struct Lent<T> {
    start: NonNull<T>,
    len: usize,
    out: NonNull<AtomicUsize>,
}

// SAFETY: it is read only, as a `&[T]`; the counter is atomic.
unsafe impl<T: Sync> Send for Lent<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Lent<T> {}

impl<T> Lent<T> {
    fn slice(&self) -> &[T] {
        // SAFETY: the slice was borrowed for `'env`, which lasts until `lending` returns, and that waits until this is dropped.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Drop for Lent<T> {
    fn drop(&mut self) {
        // SAFETY: `lending` keeps the counter until it is zero; nothing is read of it afterwards.
        unsafe { self.out.as_ref() }.fetch_sub(1, Ordering::Release);
    }
}

/// What lends slices that live as long as `'env`: made by [`lending`].
pub struct Loan<'env> {
    /// How many are lent.
    out: AtomicUsize,
    /// Neither longer nor shorter.
    env: PhantomData<&'env mut &'env ()>,
}

impl<'env> Loan<'env> {
    /// The slice as elements of an array, in place.
    pub fn lend<T: Copy>(&self, slice: &'env [T]) -> Storage<T> {
        self.out.fetch_add(1, Ordering::Relaxed);
        let start = NonNull::from(slice).cast();
        Storage(Held::Lent(Lent { start, len: slice.len(), out: NonNull::from(&self.out) }))
    }

    /// The slice as elements of an array, if these are of its type.
    #[cfg(feature = "ndarray")]
    pub(crate) fn lend_as<T: Copy + 'static, E: Copy + 'static>(&self, slice: &'env [T]) -> Option<Storage<E>> {
        let is_same = TypeId::of::<T>() == TypeId::of::<E>();
        // SAFETY: both types are one.
        is_same.then(|| self.lend(unsafe { &*(std::ptr::from_ref(slice) as *const [E]) }))
    }
}

/// How long elements may be away after the work with them has ended: a machine may have to finish its copy.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs something to which arrays are lent in place, and waits until all of them have been dropped. Whoever would keep one
/// clones it.
///
/// The program ends if one is kept nevertheless: its memory is the caller's again.
///
/// ```
/// use cornu_array::{Array, Element, lending};
///
/// let numbers = vec![1.0f32, 2.0, 3.0];
/// let sum = lending(|loan| {
///     let array = Array::from_buffer([3], Element::wrap(loan.lend(&numbers)))?;
///     cornu_array::Result::Ok((0..3).map(|i| array.get(i)).sum::<f64>())
/// });
/// assert_eq!(sum?, 6.0);
/// # Ok::<(), cornu_array::Error>(())
/// ```
pub fn lending<'env, R>(work: impl FnOnce(&Loan<'env>) -> R) -> R {
    let loan = Loan { out: AtomicUsize::new(0), env: PhantomData };
    let _end = End(&loan.out);
    work(&loan)
}

/// Waits, in a panic as well, until nothing is lent any more.
struct End<'a>(&'a AtomicUsize);

impl Drop for End<'_> {
    fn drop(&mut self) {
        let begun = Instant::now();
        while self.0.load(Ordering::Acquire) > 0 {
            if begun.elapsed() > PATIENCE {
                _ = writeln!(std::io::stderr(), "an array was kept whose numbers were lent to it");
                std::process::abort();
            }
            std::thread::yield_now();
        }
    }
}

impl<T: Copy> Storage<T> {
    /// The elements as a vector: without a copy where it is one.
    pub fn into_vec(self) -> Vec<T> {
        match self.0 {
            Held::Own(own) => own,
            Held::Lent(lent) => lent.slice().to_vec(),
        }
    }
}

impl<T> Deref for Storage<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match &self.0 {
            Held::Own(own) => own,
            Held::Lent(lent) => lent.slice(),
        }
    }
}

impl<T: Copy> DerefMut for Storage<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        if let Held::Lent(lent) = &self.0 {
            self.0 = Held::Own(lent.slice().to_vec());
        }
        match &mut self.0 {
            Held::Own(own) => own,
            Held::Lent(_) => unreachable!("it has just been copied"),
        }
    }
}

impl<T: Copy> Clone for Storage<T> {
    fn clone(&self) -> Storage<T> {
        self.to_vec().into()
    }
}

impl<T: PartialEq> PartialEq for Storage<T> {
    fn eq(&self, other: &Storage<T>) -> bool {
        **self == **other
    }
}

impl<T: fmt::Debug> fmt::Debug for Storage<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T> From<Vec<T>> for Storage<T> {
    fn from(own: Vec<T>) -> Storage<T> {
        Storage(Held::Own(own))
    }
}

impl<T> FromIterator<T> for Storage<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Storage<T> {
        Vec::from_iter(elements).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lent_elements_lie_where_they_were_until_somebody_writes() {
        let numbers = vec![1, 2, 3];
        lending(|loan| {
            let mut lent = loan.lend(&numbers);
            assert_eq!(lent.as_ptr(), numbers.as_ptr());
            let clone = lent.clone();
            assert!(clone == lent && clone.as_ptr() != numbers.as_ptr());
            lent[1] = 5;
            assert_eq!((lent.into_vec(), &numbers[..]), (vec![1, 5, 3], &[1, 2, 3][..]));
        });
        let own = vec![1.5];
        let place = own.as_ptr();
        let same = Storage::from(own).into_vec();
        assert_eq!(same.as_ptr(), place);
    }

    #[test]
    fn a_loan_ends_after_what_was_lent() {
        let numbers = vec![7; 100];
        let (send, receive) = std::sync::mpsc::channel();
        let dropped = std::sync::Arc::new(AtomicUsize::new(0));
        let seen = std::sync::Arc::clone(&dropped);
        let thread = std::thread::spawn(move || {
            let lent: Storage<i32> = receive.recv().expect("a slice");
            std::thread::sleep(Duration::from_millis(20));
            let sum: i32 = lent.iter().sum();
            seen.store(1, Ordering::SeqCst);
            drop(lent);
            sum
        });
        lending(|loan| send.send(loan.lend(&numbers)).expect("a thread that waits"));
        assert_eq!(dropped.load(Ordering::SeqCst), 1);
        drop(numbers);
        assert_eq!(thread.join().expect("a sum"), 700);
    }

    #[test]
    fn a_panic_gives_back_what_was_lent() {
        let numbers = vec![1u8; 4];
        let ended = std::panic::catch_unwind(|| {
            lending(|loan| {
                let _lent = loan.lend(&numbers);
                panic!("midway");
            })
        });
        assert!(ended.is_err());
    }
}
