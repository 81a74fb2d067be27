//! Texts of frames: names and paths, each once in memory.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

/// The texts of all frames, for all threads.
#[derive(Default)]
pub struct Texts(Mutex<HashSet<Arc<str>>>);

impl Texts {
    /// The one copy of `text`.
    pub fn share(&self, text: &str) -> Arc<str> {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shared) = texts.get(text) {
            return shared.clone();
        }
        let shared: Arc<str> = text.into();
        texts.insert(shared.clone());
        shared
    }
}

/// What was worked out for bytes in memory, by where they are and not by what they are: names are
/// long, and mostly met again at the same place.
pub struct ByPlace<'a, T>(HashMap<At<'a>, T>);

impl<'a, T: Clone> ByPlace<'a, T> {
    pub fn new() -> Self {
        Self(HashMap::new())
    }

    /// What `work` says of the bytes; asked once for each place.
    pub fn get(&mut self, bytes: &'a [u8], work: impl FnOnce() -> T) -> T {
        self.0.entry(At(bytes)).or_insert_with(work).clone()
    }
}

struct At<'a>(&'a [u8]);

impl PartialEq for At<'_> {
    fn eq(&self, other: &Self) -> bool {
        ptr::eq(self.0, other.0) // also compares the lengths
    }
}

impl Eq for At<'_> {}

impl Hash for At<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        ptr::hash(self.0, state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_are_one() {
        let texts = Texts::default();
        let (one, other) = (texts.share("name"), texts.share(&String::from("name")));
        assert!(Arc::ptr_eq(&one, &other));
    }

    #[test]
    fn bytes_at_one_place_are_worked_on_once_for_each_length() {
        let bytes = *b"some bytes";
        let mut places = ByPlace::new();
        let mut lengths = |part| places.get(part, || part.len());
        assert_eq!([lengths(&bytes[..4]), lengths(&bytes), lengths(&bytes[..4])], [4, 10, 4]);
        assert_eq!(places.get(&bytes, || unreachable!()), 10);
    }
}
