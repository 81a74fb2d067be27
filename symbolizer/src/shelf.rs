//! Frames that were once looked up, on disk.
//!
//! An entry holds what is known of one module: it is called after the module's build-id and a
//! digest of all that the names depend on, which are the version of this crate, the name of the
//! module, and the files that were used. Where better debug information has appeared since, or
//! some has gone, the digest is another one, and the entry is not found. A file is known by
//! [`file_key`](sigspy_cache::file_key), and not by its build-id alone: programs that were patched,
//! or made to deceive, may have that of another, and must not lend it their names. Files that were
//! changed a moment ago have no key, and no entry. Names that lack a `.dwo` file are not kept, so a
//! unit that is there is the right one by its own id, which the module's file asks for.

use std::path::Path;

use sha2::{Digest, Sha256};
use sigspy_cache::Cache;
use sigspy_model::{Frame, Module};

use crate::elf::Image;
use crate::files::Files;
use crate::split::SplitFiles;
use crate::stored::{self, Stored};
use crate::texts::Texts;

/// The folder below that of the cache. Changes when names that were once right are no longer.
pub const FOLDER: &str = "symbols/v2";
/// How much it holds at most: bytes.
const MOST_BYTES: u64 = 1 << 30;
/// An entry that would have more addresses begins anew with those that are asked for.
const MOST_ADDRESSES: usize = 1 << 18;
/// Of the digest, so much is part of the key: bytes.
const DIGEST: usize = 16;

/// The entries of all modules.
pub struct Shelf(Cache);

/// The entry of one module.
pub struct Entry<'s> {
    cache: &'s Cache,
    key: Vec<u8>,
    bytes: Vec<u8>,
}

impl Shelf {
    /// The entries in the cache `folder`. `None`: it cannot be made, or others could write to it.
    pub fn open(folder: &Path) -> Option<Self> {
        Cache::open(&folder.join(FOLDER), MOST_BYTES).map(Self)
    }

    /// The entry of a module with these files. `None` for one without a build-id, without files, or
    /// with one that is too young.
    pub fn entry(
        &self,
        module: &Module,
        files: &Files<'_>,
        split: &SplitFiles<'_>,
    ) -> Option<Entry<'_>> {
        let build_id = module.build_id.as_ref().filter(|_| module.image.is_none())?;
        files.own.as_ref().or(files.debug.as_ref())?;
        let images = [files.own.as_ref(), files.debug.as_ref(), files.shared.as_ref()];
        let images = images.into_iter().chain(split.packages.iter().map(Some));
        let mut digest = Sha256::new_with_prefix(env!("CARGO_PKG_VERSION"));
        add_text(&mut digest, module.name().as_bytes());
        for image in images {
            add_text(&mut digest, image.map_or(Some(&[][..]), Image::key)?);
        }
        let key = [&build_id.0, &digest.finalize()[..DIGEST]].concat();
        let bytes = self.0.load(&key).unwrap_or_default();
        Some(Entry { cache: &self.0, key, bytes })
    }
}

impl Entry<'_> {
    /// The frames in it, if there are any.
    pub fn stored<'b>(&'b self, texts: &'b Texts) -> Option<Stored<'b>> {
        Stored::read(&self.bytes, texts)
    }

    /// Adds frames of ascending addresses.
    pub fn add(&self, addresses: &[u64], frames: &[Vec<Frame>], texts: &Texts) {
        let others = self.others(addresses, texts);
        let new = addresses.iter().copied().zip(frames.iter().map(Vec::as_slice));
        let old = others.iter().map(|(address, frames)| (*address, frames.as_slice()));
        let mut all: Vec<(u64, &[Frame])> = new.chain(old).collect();
        all.sort_unstable_by_key(|(address, _)| *address);
        if let Some(bytes) = stored::store(all.into_iter()) {
            self.cache.store(&self.key, &bytes);
        }
    }

    /// What there is about other addresses; nothing if it is too much to be kept.
    fn others(&self, addresses: &[u64], texts: &Texts) -> Vec<(u64, Vec<Frame>)> {
        let Some(mut stored) = self.stored(texts) else { return Vec::new() };
        let is_other = |address: &u64| addresses.binary_search(address).is_err();
        let others: Vec<u64> = stored.addresses().filter(is_other).collect();
        if others.len() + addresses.len() > MOST_ADDRESSES {
            return Vec::new();
        }
        let frames = |address| Some((address, stored.frames(address)?));
        others.into_iter().filter_map(frames).collect()
    }
}

fn add_text(digest: &mut Sha256, text: &[u8]) {
    digest.update((text.len() as u64).to_le_bytes());
    digest.update(text);
}
