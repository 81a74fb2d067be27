//! All modules of a session: numbered for the recording, their tables placed in the arena.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use sigspy_cache::file_key;
use sigspy_model::ModuleId;

use crate::arena::Arena;
use crate::image::{self, Headers};
use crate::journal::Journal;
use crate::maps::{FileId, Mapping, VDSO};
use crate::module_files::ModuleFiles;
use crate::recording::Event;
use crate::tables::Tables;

/// Where the unwind table of a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    Pending,
    /// There is none, or no room for it.
    Absent,
    /// Offset and length in the arena.
    At(u32, u32),
}

struct Module {
    headers: Headers,
    table: Table,
}

/// Modules by the file they are.
pub struct Modules {
    known: HashMap<(FileId, String), Option<u32>>,
    modules: Vec<Module>,
    pub files: ModuleFiles,
    pub tables: Tables,
    pub arena: Arena,
}

impl Modules {
    pub fn new(cache: Option<&Path>) -> std::io::Result<Self> {
        let (tables, arena) = (Tables::start(cache)?, Arena::new()?);
        let files = ModuleFiles::default();
        Ok(Self { known: HashMap::new(), modules: Vec::new(), files, tables, arena })
    }

    /// The number of the module behind `mapping`, one of `mappings` of process `pid`. A new one
    /// is defined in `journal`, and its table asked for. `None`: code without an ELF image.
    pub fn of(
        &mut self,
        pid: u32,
        mappings: &[Mapping],
        mapping: &Mapping,
        journal: &mut Journal,
    ) -> Option<u32> {
        if mapping.file == FileId::default() && mapping.path != VDSO {
            return None;
        }
        let key = (mapping.file, mapping.path.clone());
        if let Some(&known) = self.known.get(&key) {
            return known;
        }
        let module = self.add(pid, mappings, mapping, journal);
        self.known.insert(key, module);
        module
    }

    fn add(
        &mut self,
        pid: u32,
        mappings: &[Mapping],
        mapping: &Mapping,
        journal: &mut Journal,
    ) -> Option<u32> {
        let (image, file) = image::open(pid, mappings, mapping)?;
        let headers = Headers::read(image.bytes())?;
        let id = self.modules.len() as u32;
        let build_id = headers.build_id.clone();
        let is_file = mapping.file != FileId::default();
        let key = file.as_ref().and_then(|file| file_key(&file.metadata().ok()?));
        self.files.keep(pid, ModuleId(id), &mapping.path, file);
        journal.events.push(Event::Module {
            id,
            path: mapping.path.clone(),
            build_id,
            image: (!is_file).then(|| image.bytes().to_vec()),
        });
        self.tables.ask_for(id, key, image);
        self.modules.push(Module { headers, table: Table::Pending });
        Some(id)
    }

    /// Runtime address minus relative address of a module in `mapping`.
    pub fn bias(&self, module: u32, mapping: &Mapping) -> Option<u64> {
        self.modules.get(module as usize)?.headers.bias(mapping)
    }

    /// Where the table of a module is.
    pub fn table(&self, module: u32) -> Table {
        self.modules.get(module as usize).map_or(Table::Absent, |module| module.table)
    }

    /// The bytes of a table.
    pub fn table_bytes(&self, table: Table) -> Option<&[u8]> {
        match table {
            Table::At(offset, length) => self.arena.table(offset, length),
            Table::Pending | Table::Absent => None,
        }
    }

    /// Waits for the next table. False: none is in the making, or none came in time.
    pub fn wait_for_table(&mut self, patience: Duration) -> bool {
        self.tables.pending > 0 && self.tables.wait(patience) && self.place_finished()
    }

    /// Places tables that are ready. True: there were some.
    pub fn place_finished(&mut self) -> bool {
        let mut any = false;
        while let Some(finished) = self.tables.next() {
            let place = finished.table.and_then(|table| self.arena.place(&table));
            if let Some(module) = self.modules.get_mut(finished.module as usize) {
                module.table = place.map_or(Table::Absent, |(at, length)| Table::At(at, length));
            }
            any = true;
        }
        any
    }
}
