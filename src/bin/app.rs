//! The page.

fn main() {
    undertone::ui::run();
}
