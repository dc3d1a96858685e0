//! Any bytes as one of the six tables: planned or refused with lines, never applied half, against registers of a real, empty ledger.
#![no_main]

use database::{Database, Options};
use ledger::{CsvKind, Keys, Ledger};
use libfuzzer_sys::fuzz_target;
use model::time::{IngestTime, ManualClock};
use std::sync::{Arc, OnceLock};

fn ledger() -> &'static Ledger {
    static LEDGER: OnceLock<(tokio::runtime::Runtime, Ledger)> = OnceLock::new();
    let (_, ledger) = LEDGER.get_or_init(|| {
        let dir = std::env::temp_dir().join(format!("lantian-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a folder for the database");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let ledger = runtime.block_on(async {
            let db = Database::open(Options::sqlite(dir.join("lantian.db"))).await.expect("a database");
            let clock = Arc::new(ManualClock::at(IngestTime(1_790_000_000_000)));
            Ledger::open(db, Keys::open(&dir).expect("a key"), clock).await.expect("a ledger")
        });
        (runtime, ledger)
    });
    ledger
}

fn run(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    let kind = CsvKind::ALL[usize::from(*kind) % CsvKind::ALL.len()];
    if let Ok(plan) = ledger().plan_csv(kind, bytes) {
        assert!(plan.problems.len() <= bytes.len() * 8 + 64);
    }
}

fuzz_target!(init: { ledger(); }, |bytes: &[u8]| lantian_fuzz::within(|| run(bytes)));
