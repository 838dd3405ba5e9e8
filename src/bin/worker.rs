//! The worker: the whole engine, off the page's thread.

fn main() {
    undertone::worker::agent::run();
}
