//! `cargo xtask …`: repository checks (`tidy`), test servers (`tools`), the fuzz targets (`fuzz`), and everything CI runs (`ci`).
//! No dependency of the product is used here, so that it builds in seconds.
#![expect(clippy::print_stdout, reason = "a command-line tool talks on standard output")]

mod ci;
mod fuzz;
mod tidy;
mod tools;

use anyhow::{Result, bail};

const HELP: &str = "\
cargo xtask COMMAND
  tidy    repository rules: layout, file heads, sizes, crate edges, licences, wording
  tools   fetch the test servers (Debian packages) and Python clients into target/tools
  fuzz    cargo xtask fuzz [SECONDS [TARGET…]]: every fuzz target for so long (30), in parallel
  ci      everything CI runs; ends with one line `N passed, N failed`
          cargo xtask ci [STAGE…] runs only the named stages (see their names in the summary)";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.first().map(String::as_str) {
        Some("tidy") => tidy::run(),
        Some("tools") => tools::fetch(),
        Some("fuzz") => fuzz::run(arguments.get(1..).unwrap_or_default()),
        Some("ci") => ci::run(arguments.get(1..).unwrap_or_default()),
        Some("help" | "--help" | "-h") | None => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => bail!("unknown command {other:?}\n{HELP}"),
    }
}
