//! The files of `testdata/hj212`: what each frame and stream says, checked by decoder, framer and explainer.

use super::super::*;
use crate::explain::Direction;

struct Block<'a> {
    title: &'a str,
    raw: Vec<u8>,
    problems: &'a str,
    reading: &'a str,
}

fn blocks(file: &str) -> Vec<Block<'_>> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    for line in file.lines().filter(|line| !line.is_empty() && !line.starts_with("# ") && !line.starts_with("## ")) {
        if let Some(title) = line.strip_prefix("= ") {
            blocks.push(Block { title, raw: Vec::new(), problems: "", reading: "" });
            continue;
        }
        let block = blocks.last_mut().expect("a title comes first");
        if block.raw.is_empty() {
            block.raw = unescape(line);
        } else if let Some(problems) = line.strip_prefix('!') {
            block.problems = problems.trim();
        } else {
            block.reading = line.strip_prefix("> ").expect("a reading comes last");
        }
    }
    blocks
}

fn unescape(line: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let (byte, used) = match after.as_bytes()[0] {
            b'r' => (b'\r', 1),
            b'n' => (b'\n', 1),
            b't' => (b'\t', 1),
            b'\\' => (b'\\', 1),
            _ => (u8::from_str_radix(&after[1..3], 16).unwrap(), 3),
        };
        out.push(byte);
        rest = &after[used..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

fn reading(message: &Message<'_>) -> String {
    let way = match direction(message) {
        Direction::Up => "up",
        Direction::Down => "down",
        Direction::Either => "either",
    };
    let mut parts = vec![format!("{} {way}", message.cn.unwrap_or("?"))];
    parts.extend(message.items.iter().map(|item| {
        let fields = item.fields.iter().map(|field| match field.suffix {
            "" => format!("{}={}", field.code, field.text),
            suffix => format!("{}-{suffix}={}", field.code, field.text),
        });
        fields.collect::<Vec<_>>().join(" ")
    }));
    parts.join(" | ")
}

/// As the framer gives them, with an end of the line added so that nothing waits.
fn framed(raw: &[u8], cut: usize) -> Vec<Vec<u8>> {
    let mut framer = Framer::default();
    let mut found = Vec::new();
    for chunk in [raw, b"\r\n"].concat().chunks(cut) {
        framer.push(chunk);
        while let Some(event) = framer.next_event() {
            if let Event::Frame { raw, .. } = event {
                found.push(raw.to_vec());
            }
        }
    }
    found
}

#[test]
fn every_frame_of_the_file_reads_as_written_and_names_its_problems() {
    let file = blocks(include_str!("../../../testdata/hj212/frames.txt"));
    assert!(file.len() > 120);
    for block in file {
        let found = framed(&block.raw, block.raw.len() + 2);
        let raw = found.first().unwrap_or_else(|| panic!("no frame: {}", block.title));
        let parts = Parts::split(raw);
        let text = parts.text();
        let (message, _) = Message::parse(&text);
        assert_eq!(reading(&message), block.reading, "{}", block.title);
        let explained = explain(&block.raw);
        let mut problems: Vec<_> = explained.all_troubles().map(|(_, trouble)| trouble.code).collect();
        problems.sort_unstable();
        assert_eq!(problems.join(" "), block.problems, "{}", block.title);
        assert_eq!(explained.direction, direction(&message), "{}", block.title);
    }
}

#[test]
fn every_stream_of_the_file_gives_its_frames_however_it_is_cut() {
    for block in blocks(include_str!("../../../testdata/hj212/streams.txt")) {
        for cut in [1, 2, 3, 7, 64, 100_000] {
            let mns: Vec<_> = framed(&block.raw, cut)
                .iter()
                .map(|raw| {
                    let text = Parts::split(raw).text().into_owned();
                    Message::parse(&text).0.mn.unwrap_or("?").to_owned()
                })
                .collect();
            assert_eq!(mns.join(" "), block.reading, "{} cut by {cut}", block.title);
        }
    }
}

#[test]
fn every_problem_that_a_frame_can_have_stands_in_the_file() {
    let file = include_str!("../../../testdata/hj212/frames.txt");
    let shown: Vec<&str> =
        file.lines().filter_map(|line| line.strip_prefix('!')).flat_map(str::split_whitespace).collect();
    // These have tests of their own: a start without digits is no start to the framer, the field limit needs a long frame.
    let elsewhere = [ProblemCode::LengthMissing, ProblemCode::TooManyFields, ProblemCode::CnMissing];
    for code in ProblemCode::ALL.iter().filter(|code| !elsewhere.contains(code)) {
        assert!(shown.contains(&code.code()), "{code:?}");
    }
    let parts = Parts::split(b"##QN=1;CP=&&&&0000");
    assert!(parts.problems().iter().any(|problem| problem.code == ProblemCode::LengthMissing));
    let text = format!("CP=&&{}&&", "a=1;".repeat(2_001));
    let (message, problems) = Message::parse(&text);
    assert_eq!(message.items.len(), 2_000);
    for code in [ProblemCode::TooManyFields, ProblemCode::CnMissing] {
        assert!(problems.iter().any(|problem| problem.code == code), "{code:?}");
    }
}
