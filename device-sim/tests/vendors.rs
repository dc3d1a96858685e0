//! The frames printed in `docs/vendors` are what the codecs take for right, and those printed as wrong are found out.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use protocol::explain::{explain, pasted};
use std::path::Path;

/// Frames of a page: file, line, text, whether they are meant to be wrong.
fn frames() -> Vec<(String, usize, String, bool)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/vendors");
    let mut pages: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.sort();
    let mut found = Vec::new();
    for page in pages.iter().filter(|page| page.extension().is_some_and(|extension| extension == "md")) {
        let text = std::fs::read_to_string(page).unwrap();
        let mut block: Option<bool> = None;
        for (number, line) in text.lines().enumerate() {
            match (block, line.trim()) {
                (None, "```frame") => block = Some(false),
                (None, "```frame-wrong") => block = Some(true),
                (Some(_), "```") => block = None,
                (Some(wrong), frame) if !frame.is_empty() => {
                    let name = page.file_name().unwrap().to_string_lossy().into_owned();
                    found.push((name, number + 1, frame.to_owned(), wrong));
                }
                _ => {}
            }
        }
        assert_eq!(block, None, "{} ends inside a block", page.display());
    }
    found
}

#[test]
fn every_frame_of_the_vendors_pages_reads_as_the_page_says() {
    let frames = frames();
    for page in ["hj212.md", "jt808.md"] {
        assert!(frames.iter().filter(|(name, ..)| name == page).count() >= 8, "{page}");
        assert!(frames.iter().any(|(name, _, _, wrong)| name == page && *wrong), "{page}");
    }
    for (page, line, frame, wrong) in frames {
        let explained =
            pasted(&frame).and_then(|bytes| explain(&bytes)).unwrap_or_else(|e| panic!("{page}:{line}: {e}"));
        let fatal = explained.explanation.all_troubles().any(|(_, trouble)| trouble.fatal);
        let troubles: Vec<_> = explained.explanation.all_troubles().map(|(_, trouble)| trouble.code).collect();
        assert_eq!(fatal, wrong, "{page}:{line}: {troubles:?}");
        assert!(wrong || troubles.is_empty(), "{page}:{line}: {troubles:?}");
    }
}

#[test]
fn the_bytes_that_the_pages_name_are_where_they_say() {
    let place = |page: &str, start: &str, name: &str| {
        let frames = frames();
        let (_, _, frame, _) = frames.iter().find(|(of, _, text, _)| of == page && text.starts_with(start)).unwrap();
        let explained = explain(&pasted(frame).unwrap()).unwrap();
        let span = explained.explanation.spans.iter().find(|span| span.name == name).unwrap();
        (span.at, span.len, span.value.clone())
    };
    assert_eq!(place("hj212.md", "##0160", "length"), (2, 4, "0160".to_owned()));
    assert_eq!(place("hj212.md", "##0160", "QN").0, 6);
    assert_eq!(place("jt808.md", "7e 02 00", "status").0, 17);
    assert_eq!(place("jt808.md", "7e 02 00", "lat"), (21, 4, "34.800001".to_owned()));
    assert_eq!(place("jt808.md", "7e 02 00", "lon").0, 25);
    assert_eq!(place("jt808.md", "7e 02 00", "time"), (35, 6, "2026-11-22 08:00:00".to_owned()));
    assert_eq!(place("jt808.md", "7e 01 00", "province").0, 13);
    assert_eq!(place("jt808.md", "7e 01 00", "plate_colour").0, 49);
}
