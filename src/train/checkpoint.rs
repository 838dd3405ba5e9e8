//! A fit on disk, so that a training that is cut off goes on where it was.

use super::cache::name;
use super::fitting::{AVERAGED, WEIGHT_DECAY};
use super::optimizer::{AdamW, Average};
use crate::model::front_ends::PackedFrontEnd;
use candle_core::{Device, Result, Tensor, safetensors};
use serde::{Deserialize, Serialize};
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Passes follow one another in less than a second where heads are small;
/// writing each would only wear the disk.
const EVERY: Duration = Duration::from_secs(20);

/// The best pass so far.
#[derive(Clone)]
pub(super) struct Best {
    /// Mean unweighted average recall over the validation corpora.
    pub validated: f64,
    /// Passes that the weights saw.
    pub passes: usize,
    /// By name.
    pub weights: BTreeMap<String, Tensor>,
}

/// What a fit goes on from, but for the passes done.
pub(super) struct FittingState {
    /// By name.
    pub weights: BTreeMap<String, Tensor>,
    /// With its moments.
    pub optimizer: AdamW,
    /// The running mean of the weights.
    pub average: Average,
}

/// What was read of a checkpoint.
pub(super) struct Resumed {
    /// Passes done.
    pub passes: usize,
    /// The best of them.
    pub best: Option<Best>,
    /// Where the fit stands.
    pub fitting: FittingState,
}

/// The numbers beside the tensors.
#[derive(Serialize, Deserialize)]
struct Facts {
    passes: usize,
    /// Of the best pass, and what it achieved.
    best: Option<(usize, f64)>,
    optimizer_steps: usize,
    average_updates: usize,
}

/// Where one fit is kept; a finished one too, so that a protocol of many fits
/// goes on after the last finished one.
pub(super) struct Checkpoint {
    facts: PathBuf,
    written: Cell<Option<Instant>>,
}

impl Checkpoint {
    /// The file in `folder` of a fit that is decided by `what`.
    pub fn new(folder: &Path, what: &str) -> Checkpoint {
        let name = name(what);
        Checkpoint {
            facts: folder.join(format!("{name}.json")),
            written: Cell::new(None),
        }
    }

    /// What is kept; `None` if there is nothing that can be read.
    pub fn read(&self) -> Option<Resumed> {
        let facts: Facts = serde_json::from_slice(&std::fs::read(&self.facts).ok()?).ok()?;
        // The tensors of another moment than the facts would be no state at all.
        let path = self.at(facts.passes);
        let mut parts: BTreeMap<String, BTreeMap<String, Tensor>> = BTreeMap::new();
        for (name, tensor) in safetensors::load(path, &Device::Cpu).ok()? {
            let (part, name) = name.split_once('/')?;
            let part = parts.entry(part.to_owned()).or_default();
            part.insert(name.to_owned(), tensor);
        }
        let mut part = |name: &str| parts.remove(name);
        Some(Resumed {
            passes: facts.passes,
            best: match facts.best {
                Some((passes, validated)) => Some(Best {
                    validated,
                    passes,
                    weights: part("best")?,
                }),
                None => None,
            },
            fitting: FittingState {
                weights: part("weights")?,
                optimizer: AdamW::resumed(
                    WEIGHT_DECAY,
                    facts.optimizer_steps,
                    part("first")?,
                    part("second")?,
                ),
                average: Average::resumed(AVERAGED, facts.average_updates, part("average")?),
            },
        })
    }

    /// Keeps where a fit stands after `passes` passes, unless that was done a
    /// moment ago and there is more to come.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn write(
        &self,
        passes: usize,
        last: bool,
        state: &FittingState,
        best: Option<&Best>,
    ) -> Result<()> {
        let recent = self.written.get().is_some_and(|at| at.elapsed() < EVERY);
        if recent && !last {
            return Ok(());
        }
        let (first, second) = state.optimizer.moments();
        let parts = [
            ("weights", Some(&state.weights)),
            ("first", Some(first)),
            ("second", Some(second)),
            ("average", Some(state.average.weights())),
            ("best", best.map(|b| &b.weights)),
        ];
        let tensors: HashMap<String, Tensor> = parts
            .into_iter()
            .filter_map(|(part, tensors)| Some((part, tensors?)))
            .flat_map(|(part, tensors)| {
                let named = tensors.iter();
                named.map(move |(name, t)| (format!("{part}/{name}"), t.clone()))
            })
            .collect();
        let facts = Facts {
            passes,
            best: best.map(|b| (b.passes, b.validated)),
            optimizer_steps: state.optimizer.steps(),
            average_updates: state.average.updates(),
        };
        let before = self.last_passes();
        if let Some(folder) = self.facts.parent() {
            std::fs::create_dir_all(folder)?;
        }
        safetensors::save(&tensors, self.at(passes))?;
        // The facts name the tensors: until they are replaced, the old ones hold.
        let draft = self.facts.with_extension("draft");
        let json = serde_json::to_vec(&facts).map_err(candle_core::Error::wrap)?;
        std::fs::write(&draft, json)?;
        std::fs::rename(&draft, &self.facts)?;
        if let Some(before) = before.filter(|b| *b != passes) {
            std::fs::remove_file(self.at(before))?;
        }
        self.written.set(Some(Instant::now()));
        Ok(())
    }

    fn last_passes(&self) -> Option<usize> {
        let facts: Facts = serde_json::from_slice(&std::fs::read(&self.facts).ok()?).ok()?;
        Some(facts.passes)
    }

    fn at(&self, passes: usize) -> PathBuf {
        self.facts.with_extension(format!("{passes}.safetensors"))
    }
}

/// Where front ends are kept that one training has tuned.
pub(super) struct TunedFrontEnds(Vec<PathBuf>);

impl TunedFrontEnds {
    /// The files in `folder` of so many front ends, decided by `what`.
    pub fn new(folder: &Path, what: &str, n: usize) -> TunedFrontEnds {
        let name = name(&format!("tuned {what}"));
        let file = |i| folder.join(format!("{name}.{i}.safetensors"));
        TunedFrontEnds((0..n).map(file).collect())
    }

    /// What is kept; `None` unless all of them can be read.
    pub fn read(&self) -> Option<Vec<PackedFrontEnd>> {
        let read = |path| PackedFrontEnd::from_bytes(&std::fs::read(path).ok()?).ok();
        self.0.iter().map(read).collect()
    }

    /// Keeps them.
    ///
    /// # Errors
    /// If the folder cannot be written to.
    pub fn write(&self, front_ends: &[PackedFrontEnd]) -> Result<()> {
        for (path, front_end) in self.0.iter().zip(front_ends) {
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            let bytes = front_end.to_bytes().map_err(candle_core::Error::wrap)?;
            let draft = path.with_extension("draft");
            std::fs::write(&draft, bytes)?;
            std::fs::rename(&draft, path)?;
        }
        Ok(())
    }
}
