//! Plain data as bytes, on its way from one program of the page to another: with
//! postcard, which reads by order instead of by name, so that the page holds no
//! parser of text.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The bytes of plain data: numbers, strings, lists and enumerations.
///
/// # Panics
/// If the data are not plain: a map or list that does not know its length.
pub fn to_bytes(data: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(data).expect("messages are plain data")
}

/// What [`to_bytes`] was given; `None` if the bytes are no such thing.
pub fn from_bytes<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    match postcard::take_from_bytes(bytes) {
        Ok((data, [])) => Some(data),
        _ => None,
    }
}
