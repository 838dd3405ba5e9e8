//! Which worker does which task: plain bookkeeping that knows no browser, so
//! it is tested natively.

use std::collections::VecDeque;

/// Names a task: its place in the order in which tasks were added.
pub type TaskId = usize;

/// How many workers a machine with this many cores is given: one core is left
/// to the page and the person, and each worker has its own copy of the model.
pub fn n_workers(n_cores: usize) -> usize {
    n_cores.saturating_sub(1).clamp(1, 8)
}

/// Tasks that wait and workers that are busy or not.
#[derive(Clone, Debug)]
pub struct Schedule {
    waiting: VecDeque<TaskId>,
    /// What each worker is at.
    workers: Vec<Option<TaskId>>,
    paused: bool,
}

impl Schedule {
    /// Nothing to do, for this many workers.
    pub fn new(n_workers: usize) -> Schedule {
        Schedule {
            waiting: VecDeque::new(),
            workers: vec![None; n_workers],
            paused: false,
        }
    }

    /// Adds a task behind all that wait.
    pub fn add(&mut self, task: TaskId) {
        self.waiting.push_back(task);
    }

    /// The next worker to be given a task, and the task; `None` while there is
    /// no task, no worker or a pause. The first idle worker is taken, so that
    /// those behind it are started only when they are needed.
    pub fn next(&mut self) -> Option<(usize, TaskId)> {
        if self.paused {
            return None;
        }
        let worker = self.workers.iter().position(Option::is_none)?;
        let task = self.waiting.pop_front()?;
        self.workers[worker] = Some(task);
        Some((worker, task))
    }

    /// What a worker is at.
    pub fn task_of(&self, worker: usize) -> Option<TaskId> {
        self.workers.get(worker).copied().flatten()
    }

    /// A worker is done with its task, whatever came of it.
    pub fn finish(&mut self, worker: usize) -> Option<TaskId> {
        self.workers.get_mut(worker)?.take()
    }

    /// A worker could not do its task through no fault of the task, which goes
    /// back to the front; nothing more is begun until [`Schedule::set_paused`].
    pub fn put_back(&mut self, worker: usize) -> Option<TaskId> {
        let task = self.finish(worker)?;
        self.waiting.push_front(task);
        self.paused = true;
        Some(task)
    }

    /// Whether nothing is begun now.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Begins nothing more, or goes on.
    pub fn set_paused(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// The workers that are at a task.
    pub fn busy(&self) -> Vec<usize> {
        let busy = |(worker, task): (usize, &Option<TaskId>)| task.map(|_| worker);
        self.workers.iter().enumerate().filter_map(busy).collect()
    }

    /// Whether there is nothing left to do and nobody at it.
    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.workers.iter().all(Option::is_none)
    }

    /// Gives every task up; returns those that were under way or waited, in
    /// order. A pause ends with it.
    pub fn cancel(&mut self) -> Vec<TaskId> {
        let mut tasks: Vec<TaskId> = self.workers.iter_mut().filter_map(Option::take).collect();
        tasks.extend(self.waiting.drain(..));
        tasks.sort_unstable();
        self.paused = false;
        tasks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(n_workers: usize, n_tasks: usize) -> Schedule {
        let mut schedule = Schedule::new(n_workers);
        (0..n_tasks).for_each(|task| schedule.add(task));
        schedule
    }

    #[test]
    fn one_core_is_left_over_and_eight_workers_are_enough() {
        let counts: Vec<usize> = [0, 1, 2, 4, 9, 64].map(n_workers).to_vec();
        assert_eq!(counts, [1, 1, 1, 3, 8, 8]);
    }

    #[test]
    fn tasks_are_begun_in_order_by_as_few_workers_as_need_be() {
        let mut schedule = of(3, 2);
        assert_eq!(schedule.next(), Some((0, 0)));
        assert_eq!(schedule.finish(0), Some(0));
        // The first is idle again, so the second is not needed.
        assert_eq!(schedule.next(), Some((0, 1)));
        assert_eq!(schedule.next(), None);
        schedule.add(2);
        assert_eq!(schedule.next(), Some((1, 2)));
        assert_eq!(schedule.busy(), [0, 1]);
        assert!(!schedule.is_idle());
    }

    #[test]
    fn a_pause_begins_nothing_and_loses_nothing() {
        let mut schedule = of(2, 3);
        schedule.next();
        schedule.set_paused(true);
        assert_eq!(schedule.next(), None);
        assert_eq!(schedule.finish(0), Some(0));
        assert_eq!(schedule.next(), None);
        schedule.set_paused(false);
        assert_eq!(schedule.next(), Some((0, 1)));
    }

    #[test]
    fn a_task_that_was_put_back_is_next_once_the_pause_ends() {
        let mut schedule = of(1, 2);
        schedule.next();
        assert_eq!(schedule.put_back(0), Some(0));
        assert_eq!((schedule.is_paused(), schedule.next()), (true, None));
        schedule.set_paused(false);
        assert_eq!(schedule.next(), Some((0, 0)));
    }

    #[test]
    fn cancelling_gives_back_what_was_not_done() {
        let mut schedule = of(2, 5);
        schedule.next();
        schedule.next();
        schedule.finish(0);
        schedule.set_paused(true);
        assert_eq!(schedule.cancel(), [1, 2, 3, 4]);
        assert!(schedule.is_idle() && !schedule.is_paused());
        // A late word of a worker that was at something finds nothing.
        assert_eq!(schedule.finish(1), None);
    }

    proptest! {
        #[test]
        fn every_task_is_done_once_by_an_idle_worker(
            n_workers in 1usize..9,
            n_tasks in 0usize..60,
            ends in prop::collection::vec(0usize..8, 0..200),
        ) {
            let mut schedule = of(n_workers, n_tasks);
            let mut done = vec![0; n_tasks];
            let mut ends = ends.into_iter().chain(std::iter::repeat(0));
            while !schedule.is_idle() {
                while let Some((worker, task)) = schedule.next() {
                    prop_assert_eq!(schedule.task_of(worker), Some(task));
                }
                let busy = schedule.busy();
                prop_assert!(busy.len() <= n_workers);
                let worker = busy[ends.next().unwrap_or(0) % busy.len()];
                done[schedule.finish(worker).expect("it was busy")] += 1;
            }
            prop_assert!(done.iter().all(|n| *n == 1));
        }
    }
}
