//! Columns treated side by side, by all threads of this machine where there is enough to do.

use std::num::NonZero;
use std::thread;

/// How many values pay for a thread.
const PAYS: usize = 1 << 20;

/// What becomes of each item, in order. The items hold so many values in all.
pub(crate) fn side_by_side<T: Sync, R: Send>(items: &[T], values: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(items.len()).min(values / PAYS).max(1);
    let part = |items: &[T]| items.iter().map(&work).collect::<Vec<R>>();
    if threads == 1 {
        return part(items);
    }
    thread::scope(|scope| {
        let mut parts = items.chunks(items.len().div_ceil(threads));
        let own = parts.next().unwrap_or_default();
        // Without a thread the part is done here.
        let start = |items| thread::Builder::new().spawn_scoped(scope, move || part(items)).map_err(|_| items);
        let others: Vec<_> = parts.map(start).collect();
        let mut all = part(own);
        for other in others {
            all.extend(match other {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(items) => part(items),
            });
        }
        all
    })
}

#[test]
fn items_keep_their_order_on_any_number_of_threads() {
    for (count, values) in [(0, 0), (1, PAYS), (7, 3), (7, 100 * PAYS)] {
        let items: Vec<usize> = (0..count).collect();
        assert_eq!(side_by_side(&items, values, |item| item + 1), (1..=count).collect::<Vec<_>>());
    }
}
