//! How far a projection has come: one line in a file of its own, replaced as a whole.
//!
//! ```text
//! lantian-cursor 1 <partition> <seq> <crc32 of the line so far, hex>
//! ```
//! A file that is missing or damaged means "from the start": projections are idempotent.

use crate::journal::layer::FileLayer;
use model::envelope::Position;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Where a projection keeps its cursor. Blocking; called off the async threads.
pub trait CursorStore: Send + Sync {
    fn load(&self) -> io::Result<Option<Position>>;
    /// Returns when the position would survive a power cut.
    fn save(&self, position: Position) -> io::Result<()>;
}

/// A cursor in a file.
#[derive(Debug)]
pub struct FileCursor {
    layer: Arc<dyn FileLayer>,
    path: PathBuf,
}

impl FileCursor {
    pub fn new(layer: Arc<dyn FileLayer>, path: impl Into<PathBuf>) -> Self {
        Self { layer, path: path.into() }
    }
}

impl CursorStore for FileCursor {
    fn load(&self) -> io::Result<Option<Position>> {
        let file = match self.layer.open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut bytes = [0; FILE_BYTES_MAX];
        let length = file.read_at(0, &mut bytes)?;
        let position = std::str::from_utf8(bytes.get(..length).unwrap_or_default()).ok().and_then(parse);
        if position.is_none() {
            tracing::warn!(path = %self.path.display(), "cursor is damaged: the projection starts over");
        }
        Ok(position)
    }

    fn save(&self, position: Position) -> io::Result<()> {
        let text = format!("lantian-cursor 1 {} {}", position.partition, position.seq);
        let text = format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()));
        let temporary = self.path.with_extension("tmp");
        let file = self.layer.create(&temporary)?;
        file.write_at(0, text.as_bytes())?;
        file.sync_data()?;
        self.layer.rename(&temporary, &self.path)?;
        self.path.parent().map_or(Ok(()), |dir| self.layer.sync_dir(dir))
    }
}

fn parse(text: &str) -> Option<Position> {
    let (line, crc) = text.trim_end().rsplit_once(' ')?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(line.as_bytes()) {
        return None;
    }
    let mut words = line.strip_prefix("lantian-cursor 1 ")?.split(' ');
    let (partition, seq) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some(Position { partition, seq })
}

const FILE_BYTES_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::memory::MemoryLayer;
    use std::path::Path;

    #[test]
    fn a_saved_cursor_survives_a_power_cut_at_any_point_as_the_old_or_the_new_one() {
        let disk = MemoryLayer::new();
        let cursor = FileCursor::new(Arc::new(disk.clone()), "/data/influx.cursor");
        assert_eq!(cursor.load().unwrap(), None);
        let place = |seq| Position { partition: 2, seq };
        cursor.save(place(10)).unwrap();
        for operations in 0..6 {
            for survive in [false, true] {
                cursor.save(place(10)).unwrap();
                disk.fail_after(operations);
                let saved = cursor.save(place(11)).is_ok();
                disk.cut_power(|| survive);
                let found = cursor.load().unwrap();
                assert!(found == Some(place(11)) || (!saved && found == Some(place(10))), "{operations} {found:?}");
            }
        }
    }

    #[test]
    fn a_damaged_cursor_means_from_the_start() {
        let disk = MemoryLayer::new();
        let cursor = FileCursor::new(Arc::new(disk.clone()), "/data/influx.cursor");
        cursor.save(Position { partition: 0, seq: 77 }).unwrap();
        disk.damage(Path::new("/data/influx.cursor"), |bytes| bytes[19] = b'9');
        assert_eq!(cursor.load().unwrap(), None);
    }
}
