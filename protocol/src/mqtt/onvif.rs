//! ONVIF events as JSON over MQTT (`{prefix}/onvif-ej/{topic}`): when, of what, and what. Numbers come as numbers or as
//! quoted strings; both are read as what they say. Nested items are named with dots.
//!
//! ```json
//! {"UtcTime":"2026-11-22T00:00:00Z","Source":{"VideoSource":"1"},
//!  "Data":{"PlateNumber":"豫A12345","Likelihood":"0.93","Vehicle":{"Cover":"closed"}}}
//! ```

use super::json::{Fault, Kind, Reader};
use super::payload::{Problem, ProblemCode, Scalar, TEXT_BYTES_MAX};
use super::stamp::rfc3339_ms;
use std::borrow::Cow;

/// Most items of one event.
pub const ITEMS_MAX: usize = 128;
/// Deepest nesting that is named; deeper is passed over.
const DEPTH_MAX: usize = 4;
/// Longest name with its dots.
const NAME_BYTES_MAX: usize = 128;

#[derive(Debug, Clone, PartialEq, Default)]
pub struct Event<'a> {
    /// UTC milliseconds; `None`: not said, or no time.
    pub at: Option<i64>,
    /// `UtcTime` as it came, when it is no time.
    pub at_unreadable: Option<Cow<'a, str>>,
    pub source: Vec<Item<'a>>,
    pub data: Vec<Item<'a>>,
    /// Items beyond [`ITEMS_MAX`], nested too deep, or with too long a name or text.
    pub dropped: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Item<'a> {
    /// `Vehicle.Cover`
    pub name: String,
    pub value: Scalar<'a>,
}

impl Event<'_> {
    /// The `Data` item of a name; of the last word alone when nothing has the whole name.
    pub fn item(&self, name: &str) -> Option<&Item<'_>> {
        let last = |item: &&Item<'_>| item.name.rsplit('.').next() == Some(name);
        self.data.iter().find(|item| item.name == name).or_else(|| self.data.iter().find(last))
    }
}

/// Reads an event.
///
/// # Errors
/// Text that is no JSON object, with where.
pub fn read(payload: &[u8]) -> Result<Event<'_>, Problem> {
    let problem = |code, offset| Problem { code, place: String::new(), offset };
    let text = std::str::from_utf8(payload).map_err(|error| problem(ProblemCode::NotUtf8, error.valid_up_to()))?;
    let mut reader = Reader::new(text);
    let mut event = Event::default();
    let read = whole(&mut reader, &mut event);
    read.map_err(|fault| {
        let code = match fault {
            Fault::Syntax => ProblemCode::NotJson,
            Fault::Ends => ProblemCode::Truncated,
            Fault::TooDeep => ProblemCode::TooDeep,
        };
        problem(code, reader.offset())
    })?;
    Ok(event)
}

fn whole<'a>(reader: &mut Reader<'a>, event: &mut Event<'a>) -> Result<(), Fault> {
    let mut another = reader.begin(b'{')?;
    while another {
        let key = reader.key()?;
        match (&*key, reader.kind()?) {
            ("UtcTime", Kind::Text) => {
                let text = reader.text_value()?;
                // It is UTC by its name, also where a camera leaves out the letter.
                event.at = rfc3339_ms(&text).or_else(|| rfc3339_ms(&format!("{text}Z")));
                event.at_unreadable = event.at.is_none().then_some(text);
            }
            ("Source", Kind::Object) => items(reader, "", 0, &mut event.source, &mut event.dropped)?,
            ("Data", Kind::Object) => items(reader, "", 0, &mut event.data, &mut event.dropped)?,
            _ => reader.skip()?,
        }
        another = reader.more(b'{')?;
    }
    reader.end()
}

fn items<'a>(
    reader: &mut Reader<'a>,
    prefix: &str,
    depth: usize,
    into: &mut Vec<Item<'a>>,
    dropped: &mut usize,
) -> Result<(), Fault> {
    let mut another = reader.begin(b'{')?;
    while another {
        let key = reader.key()?;
        let name = if prefix.is_empty() { key.into_owned() } else { format!("{prefix}.{key}") };
        let kind = reader.kind()?;
        let value = match kind {
            Kind::Object if depth + 1 < DEPTH_MAX && name.len() <= NAME_BYTES_MAX => {
                items(reader, &name, depth + 1, into, dropped)?;
                another = reader.more(b'{')?;
                continue;
            }
            Kind::Object | Kind::Array => {
                reader.skip()?;
                None
            }
            Kind::Text => Some(Scalar::Text(reader.text_value()?)).filter(short),
            Kind::Number => reader.number_text()?.parse().ok().filter(|n: &f64| n.is_finite()).map(Scalar::Number),
            Kind::Bool => Some(Scalar::Bool(reader.bool_value()?)),
            Kind::Null => {
                reader.null()?;
                Some(Scalar::Null)
            }
        };
        match value {
            Some(value) if into.len() < ITEMS_MAX && name.len() <= NAME_BYTES_MAX => into.push(Item { name, value }),
            _ => *dropped += 1,
        }
        another = reader.more(b'{')?;
    }
    Ok(())
}

fn short(value: &Scalar<'_>) -> bool {
    !matches!(value, Scalar::Text(text) if text.len() > TEXT_BYTES_MAX)
}

/// An event's topic without namespace prefixes and without its `&Source` levels: `RuleEngine/Recognition/LicensePlate`.
pub fn plain_topic(topic: &str) -> String {
    let levels = topic.split('/').filter(|level| !level.starts_with('&'));
    let plain = levels.map(|level| level.split_once(':').map_or(level, |(_, name)| name));
    plain.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_event_is_read_with_quoted_numbers_and_nested_items() {
        let text = r#"{"UtcTime":"2026-11-22T00:00:00Z","Source":{"VideoSource":"1"},"x":[{}],
            "Data":{"Plate":{"PlateNumber":"豫A12345"},"Likelihood":"0.93","Speed":12.5,"Empty":{},"List":[1]}}"#;
        let event = read(text.as_bytes()).unwrap();
        assert_eq!(event.at, Some(1_795_305_600_000));
        assert_eq!(event.item("PlateNumber").unwrap().value, Scalar::Text("豫A12345".into()));
        assert_eq!(event.item("Plate.PlateNumber"), event.item("PlateNumber"));
        assert_eq!(event.item("Likelihood").unwrap().value, Scalar::Text("0.93".into()));
        assert_eq!(event.item("Speed").unwrap().value, Scalar::Number(12.5));
        assert_eq!((event.item("List"), event.dropped), (None, 1));
        assert_eq!(event.source.len(), 1);
        assert_eq!(read(br#"{"UtcTime":"2026-11-22T00:00:00"}"#).unwrap().at, Some(1_795_305_600_000));
        assert_eq!(read(br#"{"UtcTime":"soon"}"#).unwrap().at_unreadable.unwrap(), "soon");
    }

    #[test]
    fn bounds_hold() {
        let many: Vec<_> = (0..ITEMS_MAX + 5).map(|n| format!("\"k{n}\":{n}")).collect();
        let text = format!("{{\"Data\":{{{}}}}}", many.join(","));
        let event = read(text.as_bytes()).unwrap();
        assert_eq!((event.data.len(), event.dropped), (ITEMS_MAX, 5));
        let deep = format!("{{\"Data\":{}1{}}}", "{\"a\":".repeat(8), "}".repeat(8));
        assert_eq!(read(deep.as_bytes()).unwrap().dropped, 1);
        assert_eq!(read(b"[]").unwrap_err().code, ProblemCode::NotJson);
        assert_eq!(read(br#"{"Data":{"a""#).unwrap_err().code, ProblemCode::Truncated);
    }

    #[test]
    fn topics_lose_their_namespaces_and_sources() {
        assert_eq!(plain_topic("tns1:RuleEngine/tnsx:Gate/Plate/&VideoSource_1"), "RuleEngine/Gate/Plate");
        assert_eq!(plain_topic("RuleEngine/Motion"), "RuleEngine/Motion");
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in r#"[\[\]{}",:0-9DatSource ]{0,80}"#) {
            read(text.as_bytes()).ok();
        }
    }
}
