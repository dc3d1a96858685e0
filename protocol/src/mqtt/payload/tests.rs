//! The promises of the payload reader.

use super::*;
use proptest::prelude::*;

fn one(text: &str) -> Reading<'_> {
    let mut document = read(text.as_bytes()).unwrap();
    assert_eq!(document.readings.len(), 1, "{document:?}");
    assert!(document.problems.is_empty(), "{document:?}");
    document.readings.remove(0)
}

fn number(reading: &Reading<'_>, name: &str) -> f64 {
    match reading.values.iter().find(|field| field.name == name).unwrap().value {
        Scalar::Number(number) => number,
        ref other => panic!("{other:?}"),
    }
}

fn problems(text: &str) -> Vec<(ProblemCode, String)> {
    read(text.as_bytes()).unwrap().problems.into_iter().map(|problem| (problem.code, problem.place)).collect()
}

#[test]
fn a_plain_reading_is_read() {
    let reading = one(r#"{"fume":1.2,"fan_on":true,"mode":"auto","pm":null}"#);
    assert_eq!(reading.at, When::Absent);
    assert!((number(&reading, "fume") - 1.2).abs() < 1e-12);
    assert_eq!(reading.values[1].value, Scalar::Bool(true));
    assert_eq!(reading.values[2].value, Scalar::Text("auto".into()));
    assert_eq!(reading.values[3].value, Scalar::Null);
}

#[test]
fn time_comes_as_milliseconds_or_rfc_3339() {
    assert_eq!(one(r#"{"ts":1795305600000,"values":{"fume":1}}"#).at, When::At(1_795_305_600_000));
    assert_eq!(one(r#"{"values":{"fume":1},"ts":"2026-11-22T08:00:00+08:00"}"#).at, When::At(1_795_305_600_000));
    assert_eq!(one(r#"{"ts":1.7953056e12,"fume":1}"#).at, When::At(1_795_305_600_000));
    assert_eq!(one(r#"{"ts":null,"fume":1}"#).at, When::Absent);
}

#[test]
fn a_time_that_is_none_is_a_problem_and_the_values_stay() {
    let document = read(br#"{"ts":"2026-02-30T00:00:00Z","values":{"fume":1}}"#).unwrap();
    assert_eq!(document.readings[0].at, When::Unreadable);
    assert_eq!(document.problems[0].code, ProblemCode::TimeUnreadable);
    assert_eq!(document.problems[0].place, "ts");
    assert_eq!(document.readings[0].values.len(), 1);
}

#[test]
fn a_batch_keeps_its_good_records_and_names_the_bad_one() {
    let text = r#"[{"fume":1},7,{"ts":5,"values":{"fume":1e999,"pm":2}},{}]"#;
    let document = read(text.as_bytes()).unwrap();
    assert_eq!(document.readings.len(), 2);
    assert_eq!(document.readings[1].values.len(), 1);
    assert_eq!(
        problems(text),
        [
            (ProblemCode::NoRecord, "[1]".to_owned()),
            (ProblemCode::NumberOutOfRange, "[2].values.fume".to_owned()),
            (ProblemCode::NoRecord, "[3]".to_owned()),
        ]
    );
}

#[test]
fn flags_are_read() {
    let reading = one(r#"{"fume":{"value":1.2,"flag":"C"},"pm":{"flag":"N","value":3,"extra":[{}]}}"#);
    assert_eq!(reading.values[0].flag.as_deref(), Some("C"));
    assert!((number(&reading, "pm") - 3.0).abs() < f64::EPSILON);
}

#[test]
fn a_position_is_read_and_an_impossible_one_named() {
    let reading = one(
        r#"{"ts":1,"position":{"lon":113.6,"lat":34.8,"speed_kmh":41.5,"heading_deg":90,"fixed":true,"hdop":[1]}}"#,
    );
    let position = reading.position.unwrap();
    assert!((position.lon - 113.6).abs() < 1e-9 && (position.lat - 34.8).abs() < 1e-9);
    assert_eq!((position.speed_kmh, position.heading_deg, position.fixed), (Some(41.5), Some(90.0), Some(true)));
    assert_eq!(
        problems(r#"{"ts":1,"position":{"lon":34.8,"lat":113.6},"fume":1}"#),
        [(ProblemCode::PositionUnusable, "position".to_owned())]
    );
    assert_eq!(
        problems(r#"{"ts":1,"position":{"lon":"x","lat":1},"fume":1}"#)[0],
        (ProblemCode::NotAValue, "position.lon".to_owned())
    );
}

#[test]
fn an_event_is_read_with_its_attributes() {
    let reading = one(
        r#"{"ts":1,"gate":2,"event":"vehicle_exit","end":13,"plate":"\u8c6bA·12345","pictures":["a.jpg","b.jpg"],"washed":false}"#,
    );
    let event = reading.event.unwrap();
    assert_eq!(event.what, "vehicle_exit");
    assert_eq!(event.end, When::At(13));
    assert_eq!(event.plate.as_deref(), Some("豫A·12345"));
    assert_eq!(event.pictures, ["a.jpg", "b.jpg"]);
    assert_eq!(event.attributes[0], ("gate".into(), Scalar::Number(2.0)));
    assert_eq!(event.attributes[1], ("washed".into(), Scalar::Bool(false)));
}

#[test]
fn a_record_may_name_its_device() {
    assert_eq!(one(r#"{"device":"yj-1","values":{"fume":1}}"#).device.as_deref(), Some("yj-1"));
}

#[test]
fn of_two_equal_names_the_first_holds() {
    let text = r#"{"fume":1,"fume":2}"#;
    assert_eq!(problems(text), [(ProblemCode::DuplicateName, "fume".to_owned())]);
    let document = read(text.as_bytes()).unwrap();
    assert_eq!(document.readings[0].values, [Field { name: "fume".into(), value: Scalar::Number(1.0), flag: None }]);
}

#[test]
fn text_that_is_no_json_is_unreadable_with_its_place() {
    for (text, code) in [
        ("", ProblemCode::Truncated),
        ("{\"fume\":1", ProblemCode::Truncated),
        ("{\"fume\":NaN}", ProblemCode::NotJson),
        ("{\"fume\":01}", ProblemCode::NotJson),
        ("hello", ProblemCode::NotJson),
        ("{}", ProblemCode::NoRecord),
        ("[]", ProblemCode::NoRecord),
        ("{\"a\":1} x", ProblemCode::NotJson),
    ] {
        let found = read(text.as_bytes());
        match code {
            ProblemCode::NoRecord => assert!(found.is_err() || found.unwrap().readings.is_empty(), "{text}"),
            _ => assert_eq!(found.unwrap_err().code, code, "{text}"),
        }
    }
    assert_eq!(read(b"{\"a\":\"\xff\"}").unwrap_err().code, ProblemCode::NotUtf8);
    assert_eq!(read(format!("{{\"a\":{}", "[".repeat(100)).as_bytes()).unwrap_err().code, ProblemCode::TooDeep);
    assert_eq!(read(b"[{\"a\":1},{\"a\":}]").unwrap_err().place, "[1]");
}

#[test]
fn everything_has_a_bound() {
    let many = format!("[{}]", vec![r#"{"a":1}"#; RECORDS_MAX + 2].join(","));
    let document = read(many.as_bytes()).unwrap();
    assert_eq!(document.readings.len(), RECORDS_MAX);
    assert_eq!(document.problems.len(), 1);

    let fields: Vec<String> = (0..FIELDS_MAX + 3).map(|index| format!("\"f{index}\":1")).collect();
    let wide = format!("{{{}}}", fields.join(","));
    let document = read(wide.as_bytes()).unwrap();
    assert_eq!((document.readings[0].values.len(), document.problems.len()), (FIELDS_MAX, 3));

    let long = format!(r#"{{"{}":1,"a":"{}","b":1}}"#, "n".repeat(100), "t".repeat(5000));
    assert_eq!(
        problems(&long).iter().map(|(code, _)| *code).collect::<Vec<_>>(),
        [ProblemCode::NameTooLong, ProblemCode::TextTooLong]
    );

    let noisy = format!("[{}]", vec!["1"; 500].join(","));
    let document = read(noisy.as_bytes()).unwrap();
    assert_eq!((document.problems.len(), document.problems_unlisted), (PROBLEMS_MAX, 500 - PROBLEMS_MAX));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        drop(read(&bytes));
    }

    #[test]
    fn any_damage_to_a_good_document_is_answered(at in 0_usize..160, byte in any::<u8>(), cut in 0_usize..200) {
        let mut bytes = br#"[{"ts":1795305600000,"values":{"fume":{"value":1.2,"flag":"C"},"pm":null}},{"ts":"2026-11-22T08:00:00+08:00","position":{"lon":113.6,"lat":34.8}}]"#.to_vec();
        if let Some(slot) = bytes.get_mut(at) {
            *slot = byte;
        }
        bytes.truncate(cut.max(1));
        if let Ok(document) = read(&bytes) {
            for reading in &document.readings {
                for field in &reading.values {
                    if let Scalar::Number(number) = field.value {
                        prop_assert!(number.is_finite());
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_come_back_as_written(number in any::<f64>().prop_filter("finite", |number| number.is_finite())) {
        let text = format!("{{\"a\":{number:?}}}").replace("inf", "0");
        let document = read(text.as_bytes()).unwrap();
        prop_assert_eq!(&document.readings[0].values[0].value, &Scalar::Number(number));
    }
}

/// The blocks of a fence in the page for vendors.
fn examples(fence: &str) -> Vec<&'static str> {
    const PAGE: &str = include_str!("../../../../docs/vendors/mqtt.md");
    let blocks = PAGE.split("```").skip(1).step_by(2);
    blocks.filter_map(|block| block.strip_prefix(fence)?.strip_prefix('\n')).flat_map(str::lines).collect()
}

#[test]
fn the_examples_of_the_page_for_vendors_are_read_without_a_problem() {
    let plain = examples("json");
    assert!(plain.len() >= 5, "{plain:?}");
    for example in plain {
        assert_eq!(read(example.as_bytes()).unwrap().problems, [], "{example}");
    }
    for example in examples("gateway") {
        let parts = crate::mqtt::thingsboard::parts(example.as_bytes()).unwrap();
        assert!(parts.iter().all(|part| read(&example.as_bytes()[part.range.clone()]).unwrap().problems.is_empty()));
        assert_eq!(parts.len(), 2);
    }
    for example in examples("onvif") {
        let event = crate::mqtt::onvif::read(example.as_bytes()).unwrap();
        assert!(event.at.is_some() && event.item("PlateNumber").is_some() && event.dropped == 0);
    }
}

#[test]
fn seconds_are_refused_where_milliseconds_are_wanted() {
    assert_eq!(problems(r#"{"ts":1795305600,"fume":1}"#), [(ProblemCode::TimeInSeconds, "ts".to_owned())]);
    assert_eq!(problems(r#"[{"ts":1.7953056e9,"fume":1}]"#), [(ProblemCode::TimeInSeconds, "[0].ts".to_owned())]);
}

#[test]
fn what_will_not_be_used_is_named_where_it_stands() {
    const NOW: i64 = 1_795_305_600_000;
    let named = |text: &str| -> Vec<String> {
        let document = read_arrived(text.as_bytes(), Arrival { received_ms: NOW, parts: &["front"] }).unwrap();
        document.problems.iter().map(|one| format!("{} {}", one.code.word(), one.place)).collect()
    };
    let cases = [
        (format!(r#"{{"ts":{},"fume":1}}"#, NOW + AHEAD_MS_MAX), ""),
        (format!(r#"{{"ts":{},"fume":1}}"#, NOW + AHEAD_MS_MAX + 1), "time_far_future ts"),
        (format!(r#"[{{"fume":1}},{{"ts":{},"fume":1}}]"#, i64::MAX), "time_far_future [1].ts"),
        (format!(r#"{{"ts":{},"fume":1}}"#, NOW - BEHIND_MS_MAX), ""),
        (r#"{"ts":1,"fume":1}"#.to_owned(), "time_far_past ts"),
        (
            r#"{"values":{"fume":{"value":1,"flag":"Z"},"pm":{"value":1,"flag":"n"}}}"#.to_owned(),
            "flag_unknown values.fume",
        ),
        (r#"{"fume":{"value":1,"flag":5}}"#.to_owned(), "flag_unknown fume"),
        (r#"{"event":" ","plate":"x"}"#.to_owned(), "event_unnamed event"),
        (format!(r#"{{"end":{},"event":"wash","ts":{NOW}}}"#, NOW - 1), "end_before_start end"),
        (format!(r#"{{"event":"wash","end":{}}}"#, NOW - 1), "end_before_start end"),
        (r#"{"event":"x","pictures":["front","https://h/1.jpg","ftp://h/2.jpg"]}"#.to_owned(), ""),
        (
            r#"{"event":"x","pictures":["../../../etc/passwd","nope"]}"#.to_owned(),
            "picture_unusable pictures; picture_unusable pictures",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(named(&text).join("; "), expected, "{text}");
    }
}
