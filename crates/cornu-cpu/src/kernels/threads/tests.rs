//! Regions of one caller and of many, in the crew of the process and in crews of their own.

use super::*;

/// Opens `regions` regions of up to `most` parts, and checks that each of as many things is done exactly once in each.
fn check(threads: &Threads, regions: usize, most: usize) {
    let runs: Vec<AtomicUsize> = (0..most).map(|_| AtomicUsize::new(0)).collect();
    for region in 1..=regions {
        threads.run(most, &|part, parts| {
            assert!(part < parts && parts <= most.clamp(1, threads.count()), "part {part} of {parts}");
            runs[share(most, part, parts)].iter().for_each(|runs| _ = runs.fetch_add(1, Ordering::Relaxed));
        });
        assert!(runs.iter().all(|runs| runs.load(Ordering::Relaxed) == region), "{most} parts, region {region}");
    }
}

/// Threads with a crew of their own, which other tests do not see.
fn apart(count: usize) -> Threads {
    let mut crew = Crew::new(std::process::id());
    crew.cores = count;
    crew.grow(count - 1);
    Threads { count, crew: OnceLock::from(Arc::new(crew)) }
}

/// How many parts a region has.
fn parts(threads: &Threads) -> usize {
    let all = AtomicUsize::new(0);
    threads.run(usize::MAX, &|_, parts| all.store(parts, Ordering::Relaxed));
    all.into_inner()
}

#[test]
fn shares_are_even_and_complete() {
    for (count, parts) in [(1, 1), (7, 3), (8, 8), (100, 7), (1, 2)] {
        let shares: Vec<_> = (0..parts).map(|part| share(count, part, parts)).collect();
        assert_eq!(shares.iter().cloned().flatten().collect::<Vec<_>>(), (0..count).collect::<Vec<_>>());
        assert!(shares.iter().all(|share| share.len() >= count / parts && share.len() <= count.div_ceil(parts)));
    }
}

#[test]
fn everything_is_done_once() {
    for count in [1, 2, 3, 8] {
        let threads = Threads::new(count);
        assert_eq!(threads.count(), count);
        for parts in [0, 1, 2, 3, 7, 100] {
            check(&threads, 50, parts);
        }
    }
}

#[test]
fn many_tiny_regions() {
    check(&Threads::new(2), if cfg!(miri) { 50 } else { 100_000 }, 2);
}

#[test]
fn workers_come_back_from_sleep() {
    let threads = Threads::new(3);
    for pause in [0, 1, 3, 10] {
        std::thread::sleep(Duration::from_millis(pause));
        check(&threads, 3, 3);
    }
}

#[test]
fn a_caller_sleeps_through_a_long_part() {
    let threads = apart(2);
    let slow = AtomicBool::new(false);
    threads.run(2, &|part, _| {
        if part == 0 {
            // Long enough for the worker to wake and take part 1.
            std::thread::sleep(Duration::from_millis(5));
        } else {
            std::thread::sleep(Duration::from_millis(20));
            slow.store(true, Ordering::Relaxed);
        }
    });
    assert!(slow.into_inner());
}

#[test]
fn panics_reach_the_caller_and_leave_the_pool_whole() {
    let threads = apart(4);
    for bad in 0..4 {
        let runs = AtomicUsize::new(0);
        let region = || {
            threads.run(4, &|part, _| {
                runs.fetch_add(1, Ordering::Relaxed);
                assert!(part != bad, "part {part}");
            });
        };
        let panic = catch_unwind(AssertUnwindSafe(region)).expect_err("the region has a part that panics");
        assert_eq!(panic.downcast_ref::<String>(), Some(&format!("part {bad}")));
        assert_eq!(runs.into_inner(), 4);
        check(&threads, 10, 4);
    }
}

#[test]
fn regions_inside_regions_and_from_two_callers() {
    let threads = Threads::new(2);
    let runs = AtomicUsize::new(0);
    let count = |n, part, parts| _ = runs.fetch_add(n * share(5, part, parts).len(), Ordering::Relaxed);
    let outer = || {
        for _ in 0..100 {
            threads.run(3, &|part, parts| {
                let own = share(3, part, parts).len();
                threads.run(5, &|part, parts| count(own, part, parts));
            });
        }
    };
    std::thread::scope(|scope| {
        let other = scope.spawn(outer);
        outer();
        other.join().expect("no part panics");
    });
    assert_eq!(runs.into_inner(), 2 * 100 * 3 * 5);
}

#[test]
fn callers_leave_each_other_their_cores() {
    let threads = apart(3);
    let _first = threads.enter();
    assert_eq!(parts(&threads), 3);
    for left in [2, 1] {
        let others: Vec<Caller> = (left..3).map(|_| threads.enter()).collect();
        assert_eq!(parts(&threads), left);
        drop(others);
    }
    // Who was there a moment ago comes again.
    let later: Vec<usize> = (0..3 * Callers::PATIENCE).map(|_| parts(&threads)).collect();
    assert_eq!((later[0], later[Callers::PATIENCE - 2], later.last()), (1, 1, Some(&3)));
    assert!(later.is_sorted(), "{later:?}");
}

#[test]
fn a_caller_who_finds_the_pool_busy_works_alone() {
    let threads = apart(3);
    threads.run(3, &|part, _| {
        if part == 0 {
            std::thread::scope(|scope| _ = scope.spawn(|| assert_eq!(parts(&threads), 1)));
        }
    });
}

/// Four callers of eight threads want every core at once. Were a caller to wait for threads that do not run, each
/// region would take some slices of the scheduler, milliseconds: minutes in all.
#[test]
fn many_more_threads_than_cores() {
    let regions = if cfg!(miri) { 3 } else { 5_000 };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| check(&Threads::new(8), regions, 8));
        }
    });
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
}
