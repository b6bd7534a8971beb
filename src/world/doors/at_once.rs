//! Runs work on several threads.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// How many threads the machine runs at the same time.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Calls `act` on each item, on up to `at_once` threads. The answers are in the order of the items.
pub(crate) fn side_by_side<T: Sync, A: Send>(items: &[T], at_once: usize, act: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let workers = at_once.min(items.len());
    let (next, answers) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some((index, item)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    items.get(index).map(|item| (index, item))
                } {
                    let answer = act(item);
                    answers.lock().expect("no worker panics").push((index, answer));
                }
            });
        }
    });
    let mut answers = answers.into_inner().expect("no worker panics");
    answers.sort_unstable_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// Joins a thread and returns its result. The threads here must not panic.
pub(crate) fn joined<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().expect("a thread does not panic")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let items: Vec<u32> = (0..50).collect();
        assert_eq!(side_by_side(&items, 3, |item| item * 2), items.iter().map(|item| item * 2).collect::<Vec<_>>());
        assert!(side_by_side(&[] as &[u32], 3, |item| *item).is_empty());
    }
}
