//! The page's parts. They take signals and callbacks and know no page.

mod downloads;
mod drop_zone;
mod engine;
mod error;
mod legend;
mod live;
mod mark;
mod microphone;
mod model_choice;
mod progress;
mod record;
mod samples;
mod scores;
mod stage;
mod transport;
mod utterances;
mod verdict;

pub use downloads::Downloads;
pub use drop_zone::DropZone;
pub use engine::EngineStatus;
pub use error::ErrorMessage;
pub use legend::Legend;
pub use live::LiveView;
pub use mark::Mark;
pub use microphone::MicrophoneChoice;
pub use model_choice::ModelChoice;
pub use progress::Progress;
pub use record::Record;
pub use samples::Samples;
pub use scores::ScoreBars;
pub use stage::Stage;
pub use transport::Transport;
pub use utterances::Utterances;
pub use verdict::Verdict;
