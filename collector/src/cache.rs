//! Unwind tables on disk, by [`file_key`](sigspy_cache::file_key), so that each module is compiled
//! once. Not by build-id: tools that patch or lay out programs anew leave that as it was.

use std::path::Path;

use sigspy_unwind::Table;

/// The folder holds at most so many bytes, but for the tables of one session.
const MOST_BYTES: u64 = 256 << 20;
/// Changes when tables that were once right are no longer.
const FOLDER: &str = "unwind/v4";

/// A folder of tables.
pub struct Cache(sigspy_cache::Cache);

impl Cache {
    /// The tables in the cache `folder`, which is created. `None`: it cannot be, or others could
    /// write to it.
    pub fn open(folder: &Path) -> Option<Self> {
        sigspy_cache::Cache::open(&folder.join(FOLDER), MOST_BYTES).map(Self)
    }

    /// The table of the module with this key.
    pub fn load(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.0.load(key).filter(|bytes| Table::new(bytes).is_some_and(|table| table.validate()))
    }

    /// Keeps a table, if it can.
    pub fn store(&self, key: &[u8], table: &[u8]) {
        self.0.store(key, table);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_found_again_and_other_bytes_are_none() {
        let folder = std::env::temp_dir().join(format!("sigspy-tables-{}", std::process::id()));
        let cache = Cache::open(&folder).unwrap();
        let own = std::fs::read("/proc/self/exe").unwrap();
        let table = sigspy_unwind::compile(&own).unwrap().bytes;
        cache.store(&[1, 2, 3], &table);
        cache.store(&[1, 2, 4], &table[..table.len() / 2]);
        let found = [&[1, 2, 3], &[1, 2, 4], &[1, 2, 5]].map(|id| cache.load(id));
        std::fs::remove_dir_all(&folder).unwrap();
        assert_eq!(found, [Some(table), None, None]);
    }
}
