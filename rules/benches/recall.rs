//! Recall and precision of each shipped rule over labelled scenarios, 20 seeds: `cargo bench -p lantian-rules --bench recall`.

#![expect(unreachable_pub, reason = "the scenarios are shared by a test and a bench")]
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

#[path = "../tests/scenarios/labelled/mod.rs"]
mod labelled;

use labelled::{Library, Table};

const SEEDS: u64 = 20;

fn main() {
    assert!(labelled::contradictions(1).is_empty(), "labels and truths agree");
    let library = Library::shipped();
    let rules = library.codes().count();
    let scenarios: usize = labelled::ways().values().map(|(offending, innocent)| offending + innocent).sum();
    println!("{rules} shipped rules, {scenarios} scenarios");
    let table = Table::over(&library, SEEDS);
    println!("{table}");
    for line in table.short(|_| true) {
        println!("{line}");
    }
}
