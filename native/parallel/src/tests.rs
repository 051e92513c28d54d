use super::{LEAST, Pool, each, fill, join, joined, map, part, ranges, threads};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread::{ThreadId, current};

/// Some costs: nothing is split, some things are, everything is.
const COSTS: [usize; 4] = [0, 1, LEAST / 3, 10 * LEAST];

fn both(check: impl Fn() + Sync + Send) {
    check();
    for threads in [1, 2, 3] {
        Pool::new(threads).unwrap().run(&check);
        Pool::eager(threads).unwrap().run(&check);
    }
}

#[test]
fn there_is_one_thread_outside_of_a_pool_and_those_of_the_pool_within() {
    assert_eq!(threads(), 1);
    for count in [1, 2, 5] {
        assert_eq!(Pool::new(count).unwrap().run(threads), count);
    }
    assert_eq!(threads(), 1);
}

#[test]
fn results_are_in_order_however_work_is_split() {
    both(|| {
        for cost in COSTS {
            for count in [0, 1, 2, 7, 100] {
                let squares = map(count, cost, |index| index * index);
                assert!(
                    squares
                        .into_iter()
                        .eq((0..count).map(|index| index * index))
                );
                let all = ranges(count, cost, |range| range);
                assert!(all.into_iter().flatten().eq(0..count));
                let all = joined(count, cost, Iterator::collect::<Vec<usize>>);
                assert!(all.into_iter().eq(0..count));
                let mut items: Vec<usize> = (0..count).collect();
                let doubled = each(&mut items, cost, |index, item| {
                    *item += index;
                    *item + 1
                });
                assert!(
                    doubled
                        .into_iter()
                        .eq(items.into_iter().map(|item| item + 1))
                );
            }
            assert_eq!(join(cost, || 1, || "b"), (1, "b"));
        }
    });
}

#[test]
fn each_piece_is_handed_out_once() {
    both(|| {
        for cost in COSTS {
            for (length, size) in [(0, 3), (9, 3), (10, 3), (100, 1), (5, 8)] {
                let mut data = vec![0; length];
                fill(&mut data, size, cost, |first, part| {
                    for (at, value) in part.iter_mut().enumerate() {
                        *value += first * size + at + 1;
                    }
                });
                assert!(data.into_iter().eq(1..=length));
            }
        }
    });
}

#[test]
fn equal_parts_are_powers_of_two_and_few() {
    assert_eq!(part(100, 10 * LEAST), 128);
    Pool::new(2).unwrap().run(|| {
        assert_eq!(part(100, 10 * LEAST), 8);
        assert_eq!(part(100, LEAST / 50), 32);
        assert_eq!(part(100, 1), 128);
        assert_eq!(part(1, 10 * LEAST), 1);
    });
}

/// The threads that parts of so much work are done by.
fn workers(cost: usize, waits: bool) -> BTreeSet<String> {
    let seen = Mutex::new(Vec::<ThreadId>::new());
    let parts = ranges(64, cost, |_| {
        let known = {
            let mut seen = seen.lock().unwrap();
            seen.push(current().id());
            seen.len()
        };
        // Whoever comes first waits for another one, so that all threads come to it.
        while known == 1 && waits && seen.lock().unwrap().len() < 2 {
            std::thread::yield_now();
        }
    });
    assert_eq!(parts.len() > 1, waits);
    seen.lock()
        .unwrap()
        .iter()
        .map(|id| format!("{id:?}"))
        .collect()
}

#[test]
fn work_that_is_worth_it_is_done_by_several_threads_and_other_work_is_not() {
    let pool = Pool::new(2).unwrap();
    assert_eq!(pool.run(|| workers(LEAST, true)).len(), 2);
    assert_eq!(pool.run(|| workers(LEAST / 64, false)).len(), 1);
    let eager = Pool::eager(2).unwrap();
    assert_eq!(eager.run(|| workers(1, true)).len(), 2);
}

#[test]
fn a_panic_in_a_part_is_one_of_the_caller_and_leaves_the_pool_in_order() {
    let pool = Pool::new(2).unwrap();
    let fails = || pool.run(|| map(8, LEAST, |index| assert_ne!(index, 5, "no {index}")));
    let panic = catch_unwind(AssertUnwindSafe(fails)).unwrap_err();
    let text = panic.downcast_ref::<String>().unwrap();
    assert!(text.contains("no 5"));
    assert_eq!(pool.run(|| map(3, LEAST, |index| index)), [0, 1, 2]);
}
