//! Many files on several engines: a [`Schedule`] with a [`Client`] for each of
//! its workers, started when it is first needed and ended when all is done.

use super::client::{Client, ModelFile, Sound, Update};
use super::schedule::{Schedule, TaskId};
use crate::analysis::{Analysis, AnalyzeError, Options};
use crate::web::SoundFile;
use std::cell::RefCell;
use std::rc::Rc;

/// What has become of a task.
#[derive(Clone, Debug, PartialEq)]
pub enum TaskUpdate {
    /// A worker has taken it up.
    Begun,
    /// How far it is, `0..=1`.
    Progress(f32),
    /// Its answer.
    Done(Box<Analysis>),
    /// It has none; the others go on.
    Failed(AnalyzeError),
    /// No engine would start: the task waits again, and the pool has paused.
    Stalled(AnalyzeError),
}

/// A handle on the pool. Clones share it.
#[derive(Clone)]
pub struct Pool(Rc<RefCell<Inner>>);

struct Inner {
    tell: Rc<dyn Fn(TaskId, TaskUpdate)>,
    schedule: Schedule,
    /// The first so many of the schedule's workers, as many as were needed.
    engines: Vec<Client>,
    /// What each task is about, and how it is to be heard.
    files: Vec<(SoundFile, Options)>,
    model: Option<ModelFile>,
}

impl Pool {
    /// A pool without work. `tell` hears what becomes of each task.
    pub fn new(n_workers: usize, tell: impl Fn(TaskId, TaskUpdate) + 'static) -> Pool {
        Pool(Rc::new(RefCell::new(Inner {
            tell: Rc::new(tell),
            schedule: Schedule::new(n_workers),
            engines: Vec::new(),
            files: Vec::new(),
            model: None,
        })))
    }

    /// Hands over the model that every worker is given. Nothing is begun
    /// before; workers that are at something end it with the model they have.
    pub fn provide(&self, model: ModelFile) {
        {
            let mut inner = self.0.borrow_mut();
            inner.model = Some(model);
            if inner.schedule.busy().is_empty() {
                inner.end_engines();
            }
        }
        self.fill();
    }

    /// Adds a file behind all that wait.
    pub fn add(&self, file: SoundFile, options: Options) -> TaskId {
        let task = {
            let mut inner = self.0.borrow_mut();
            inner.files.push((file, options));
            let task = inner.files.len() - 1;
            inner.schedule.add(task);
            task
        };
        self.fill();
        task
    }

    /// Adds a task again that was cancelled.
    pub fn add_again(&self, task: TaskId, options: Options) {
        {
            let mut inner = self.0.borrow_mut();
            inner.files[task].1 = options;
            inner.schedule.add(task);
        }
        self.fill();
    }

    /// Holds everything where it is, or goes on.
    pub fn pause(&self, paused: bool) {
        let busy: Vec<Client> = {
            let mut inner = self.0.borrow_mut();
            inner.schedule.set_paused(paused);
            inner.busy_engines()
        };
        busy.iter().for_each(|engine| engine.pause(paused));
        self.fill();
    }

    /// Gives everything up that is not done; returns those tasks.
    pub fn cancel(&self) -> Vec<TaskId> {
        let mut inner = self.0.borrow_mut();
        let tasks = inner.schedule.cancel();
        inner.end_engines();
        tasks
    }

    /// Has idle workers take up what waits; ends them when nothing does.
    fn fill(&self) {
        loop {
            let (worker, task, (file, options), model) = {
                let mut inner = self.0.borrow_mut();
                if inner.schedule.is_idle() {
                    inner.end_engines();
                }
                let Some(model) = inner.model.clone() else {
                    return;
                };
                let Some((worker, task)) = inner.schedule.next_task() else {
                    return;
                };
                (worker, task, inner.files[task].clone(), model)
            };
            self.tell(task, TaskUpdate::Begun);
            self.engine(worker, model)
                .analyze(Sound::File(file), options);
        }
    }

    /// The worker's engine; the schedule asks for them in order.
    fn engine(&self, worker: usize, model: ModelFile) -> Client {
        let there = self.0.borrow().engines.get(worker).cloned();
        there.unwrap_or_else(|| {
            let pool = Rc::downgrade(&self.0);
            let engine = Client::start_with(model, move |update| {
                if let Some(pool) = pool.upgrade() {
                    Pool(pool).hear(worker, update);
                }
            });
            self.0.borrow_mut().engines.push(engine.clone());
            engine
        })
    }

    fn hear(&self, worker: usize, update: Update) {
        let (task, update) = {
            let mut inner = self.0.borrow_mut();
            let Some(task) = inner.schedule.task_of(worker) else {
                return;
            };
            let update = match update {
                Update::Progress(fraction) => TaskUpdate::Progress(fraction),
                Update::Done(analysis) => {
                    inner.schedule.finish(worker);
                    TaskUpdate::Done(analysis)
                }
                Update::Failed(error @ AnalyzeError::Model { .. }) => {
                    inner.schedule.put_back(worker);
                    TaskUpdate::Stalled(error)
                }
                Update::Failed(error) => {
                    inner.schedule.finish(worker);
                    TaskUpdate::Failed(error)
                }
                _ => return,
            };
            (task, update)
        };
        let stalled = matches!(update, TaskUpdate::Stalled(_));
        self.tell(task, update);
        if stalled {
            // The others stand still as well until the person goes on.
            self.pause(true);
        } else {
            self.fill();
        }
    }

    fn tell(&self, task: TaskId, update: TaskUpdate) {
        let tell = self.0.borrow().tell.clone();
        tell(task, update);
    }
}

impl Inner {
    fn busy_engines(&self) -> Vec<Client> {
        let busy = self.schedule.busy();
        busy.iter()
            .filter_map(|worker| self.engines.get(*worker).cloned())
            .collect()
    }

    fn end_engines(&mut self) {
        self.engines.drain(..).for_each(|engine| engine.end());
    }
}
