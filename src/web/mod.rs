//! The browser: microphone, files, downloads. Knows no emotion.
