//! `lantian explain`: a frame from the command line or standard input, as a table. Touches no data.

use crate::args::Explain;
use anyhow::{Context, Result};
use protocol::explain::{Language, PASTE_BYTES_MAX, explain, pasted, table};
use std::io::Read;

pub(crate) fn run(arguments: &Explain) -> Result<()> {
    let text = if arguments.frame.is_empty() { standard_input()? } else { arguments.frame.join(" ") };
    let explained = pasted(&text).and_then(|bytes| explain(&bytes)).context("read the frame")?;
    let language = if arguments.english { Language::English } else { Language::Chinese };
    print!("{}", table(&explained, language));
    Ok(())
}

/// Text or hex as it is; other bytes are explained as they are.
fn standard_input() -> Result<String> {
    let limit = u64::try_from(PASTE_BYTES_MAX * 4 + 1).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    std::io::stdin().lock().take(limit).read_to_end(&mut bytes).context("read standard input")?;
    match String::from_utf8(bytes) {
        Ok(text) if !text.starts_with('~') => Ok(text),
        Ok(text) => Ok(hex(text.as_bytes())),
        Err(error) => Ok(hex(error.as_bytes())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |text, byte| text + &format!("{byte:02x}"))
}
