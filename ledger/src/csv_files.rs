//! CSV import and export of the registers that people keep in spreadsheets. UTF-8 (with or without BOM) and GBK are read;
//! headers are Chinese or English, in any order; a row whose code is known changes the columns it has and keeps the rest.
//! Export writes UTF-8 with BOM; a text cell that a spreadsheet would run as a formula gets a `'` in front, which import
//! takes away.

use crate::error::{LedgerError, Problem};
use crate::fleet_csv::{PASSWORD, TERMINAL};
use crate::object::all_of;
use crate::plan::Plan;
use crate::rows::{RawRow, by_code, get, read_protocol, read_time, set, to_fields};
use crate::store::{Author, Ledger};
use model::facts::Facts;
use model::register::Object;
use model::time::{BEIJING_OFFSET_MINUTES, EventTime, LocalStamp, parse_rfc3339};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

mod columns;

pub use columns::CsvKind;
use columns::{CODE, Cell, Column};

const ROWS_MAX: usize = 50_000;
const BYTES_MAX: usize = 32 * 1024 * 1024;

impl Ledger {
    /// What importing the table would do.
    pub fn plan_csv(&self, kind: CsvKind, bytes: &[u8]) -> Result<Plan, LedgerError> {
        if bytes.len() > BYTES_MAX {
            return Err(LedgerError::one("", "the table is larger than 32 MiB; split it"));
        }
        let (mut rows, mut problems) = (Vec::new(), Vec::new());
        self.read_csv(kind, bytes, &mut rows, &mut problems);
        Ok(self.plan(&rows, problems))
    }

    /// Imports the table whole, or tells every problem and changes nothing.
    pub async fn apply_csv(&self, author: &Author, kind: CsvKind, bytes: &[u8]) -> Result<Plan, LedgerError> {
        let plan = self.plan_csv(kind, bytes)?;
        self.carry_out(author, &plan).await?;
        Ok(plan)
    }

    /// The register as CSV with Chinese headers, UTF-8 with BOM.
    pub fn export_csv(&self, kind: CsvKind) -> Result<Vec<u8>, LedgerError> {
        let facts = self.facts_now();
        let corrupt = |error: csv::Error| LedgerError::Corrupt("table", error.to_string());
        let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
        writer.write_record(kind.columns().iter().map(|column| column.zh)).map_err(corrupt)?;
        for object in all_of(&facts, kind.register()).iter().filter(|object| kind.holds(object)) {
            let fields = to_fields(object, &facts);
            writer.write_record(kind.columns().iter().map(|column| write_cell(column, &fields))).map_err(corrupt)?;
        }
        writer.into_inner().map_err(|error| LedgerError::Corrupt("table", error.to_string()))
    }

    fn read_csv(&self, kind: CsvKind, bytes: &[u8], rows: &mut Vec<RawRow>, problems: &mut Vec<Problem>) {
        let text = decode(bytes, problems);
        let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
        let headers = match reader.headers() {
            Ok(headers) => headers.clone(),
            Err(error) => return problems.push(Problem::new("", format!("is no CSV table: {error}"))),
        };
        let columns = read_headers(kind, &headers, problems);
        let facts = self.facts_now();
        let codes = by_code(&facts, kind.register());
        let known = (facts, codes);
        for record in reader.records() {
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    let line = error.position().map_or(0, |position| u32::try_from(position.line()).unwrap_or(0));
                    problems.push(Problem { line, ..Problem::new("", format!("is no CSV row: {error}")) });
                    continue;
                }
            };
            let line = record.position().map_or(0, |position| u32::try_from(position.line()).unwrap_or(u32::MAX));
            if record.iter().all(str::is_empty) {
                continue;
            }
            if rows.len() >= ROWS_MAX {
                return problems
                    .push(Problem { line, ..Problem::new("", format!("more than {ROWS_MAX} rows; split it")) });
            }
            if record.len() != headers.len() {
                let told = format!(
                    "has {} cells, the header has {}; put cells with commas in quotes",
                    record.len(),
                    headers.len()
                );
                problems.push(Problem { line, ..Problem::new("", told) });
                continue;
            }
            rows.push(Self::read_record(&known, kind, &columns, &record, line, problems));
        }
    }

    fn read_record(
        known: &(Arc<Facts>, BTreeMap<String, Object>),
        kind: CsvKind,
        columns: &[Option<&'static Column>],
        record: &csv::StringRecord,
        line: u32,
        problems: &mut Vec<Problem>,
    ) -> RawRow {
        let mut row = RawRow { kind: kind.register(), line, ..RawRow::default() };
        let cell = |field: &str| {
            let place = columns.iter().position(|column| column.is_some_and(|column| column.field == field));
            place.and_then(|index| record.get(index)).map(unquoted).unwrap_or_default()
        };
        let code = kind.known_by(cell("code"), cell("source"));
        match known.1.get(code.as_ref()) {
            Some(old) if kind.holds(old) => row.fields = to_fields(old, &known.0),
            Some(_) => {
                row.columns.insert("code".into(), CODE.zh.into());
                problems.push(row.problem("code", format!("{code} is a subject of another kind; write another code")));
            }
            None => {}
        }
        if let Some(name) = kind.subject_kind() {
            set(&mut row.fields, "details.kind", json!(name));
        }
        for (column, cell) in
            columns.iter().zip(record).filter_map(|(column, cell)| column.map(|c| (c, unquoted(cell))))
        {
            row.columns.entry(column.field.into()).or_insert_with(|| column.zh.into());
            if cell.is_empty() {
                if column.needed {
                    problems.push(row.problem(column.field, "must not be empty"));
                }
                if !matches!(column.cell, Cell::Coordinate(_)) {
                    clear(&mut row.fields, column.field);
                }
                continue;
            }
            match (column.cell, read_cell(column.cell, cell)) {
                (Cell::Coordinate(index), Ok(value)) => set_coordinate(&mut row.fields, index, value),
                (_, Ok(value)) => set(&mut row.fields, column.field, value),
                (_, Err(told)) => {
                    problems.push(Problem { line, ..Problem::new(column.zh, format!("{cell:?}: {told}")) });
                    clear(&mut row.fields, column.field);
                }
            }
        }
        if kind == CsvKind::Trucks && get(&row.fields, "name").is_none() {
            let plate = get(&row.fields, "details.plate").cloned().unwrap_or_default();
            set(&mut row.fields, "name", plate);
        }
        if row.fields.get("place").and_then(Value::as_array).is_some_and(|place| place.iter().any(Value::is_null)) {
            problems.push(row.problem("place", "write both longitude and latitude, or neither"));
            clear(&mut row.fields, "place");
        }
        row
    }
}

/// UTF-8 with or without BOM, else GBK.
pub(crate) fn decode(bytes: &[u8], problems: &mut Vec<Problem>) -> String {
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let (text, _, broken) = encoding_rs::GB18030.decode(bytes);
    if broken {
        let line = text.split('\u{fffd}').next().unwrap_or_default().matches('\n').count() + 1;
        let line = u32::try_from(line).unwrap_or(0);
        problems.push(Problem { line, ..Problem::new("", "is neither UTF-8 nor GBK; save the table as CSV UTF-8") });
    }
    text.into_owned()
}

fn read_headers(
    kind: CsvKind,
    headers: &csv::StringRecord,
    problems: &mut Vec<Problem>,
) -> Vec<Option<&'static Column>> {
    let mut found: Vec<Option<&'static Column>> = Vec::new();
    for header in headers {
        let name = header.trim();
        let column = kind.columns().iter().find(|column| column.zh == name || column.en.eq_ignore_ascii_case(name));
        let credential = |(zh, en): (&str, &str)| name == zh || name.eq_ignore_ascii_case(en);
        if column.is_none() && kind == CsvKind::Devices && [PASSWORD, TERMINAL].into_iter().any(credential) {
            found.push(None);
            continue;
        }
        if column.is_none() {
            let both = |column: &Column| format!("{} ({})", column.zh, column.en);
            let names: Vec<String> = kind.columns().iter().map(both).collect();
            let told = format!("is no column of this table; there are {}", names.join(" "));
            problems.push(Problem { line: 1, ..Problem::new(name, told) });
        }
        if let Some(column) = column
            && found.iter().flatten().any(|other| other.zh == column.zh)
        {
            problems.push(Problem { line: 1, ..Problem::new(name, "stands twice; keep one") });
        }
        found.push(column);
    }
    for column in kind.columns().iter().filter(|column| column.needed) {
        if !found.iter().flatten().any(|other| other.zh == column.zh) {
            let told = format!("this column is missing (English: {})", column.en);
            problems.push(Problem { line: 1, ..Problem::new(column.zh, told) });
        }
    }
    found
}

fn read_cell(cell: Cell, text: &str) -> Result<Value, String> {
    let number = || text.parse::<f64>().ok().filter(|n| n.is_finite());
    match cell {
        Cell::Text => Ok(json!(text)),
        Cell::Number | Cell::Coordinate(_) => {
            number().map(|n| json!(n)).ok_or_else(|| "is no number; write digits and one point, no unit".into())
        }
        Cell::Whole => text.parse::<u32>().map(|n| json!(n)).map_err(|_why| "is no whole number".into()),
        Cell::Yes => match text.to_lowercase().as_str() {
            "1" | "true" | "yes" | "是" | "启用" => Ok(json!(true)),
            "0" | "false" | "no" | "否" | "停用" => Ok(json!(false)),
            _ => Err("write 是 or 否".into()),
        },
        Cell::Time => {
            let time = read_time(text).or_else(|| read_local(text));
            time.map(|time| json!(time.to_rfc3339()))
                .ok_or_else(|| "write a date as 2026-01-31 or 2026-01-31 08:00".into())
        }
        Cell::Protocol => read_protocol(text)
            .map(|protocol| json!(protocol.code()))
            .ok_or_else(|| "write mqtt, hj212, jt808 or modbus".into()),
        Cell::Word(words) => words
            .iter()
            .find(|(word, zh)| *word == text || *zh == text)
            .map(|(word, _)| json!(word))
            .ok_or_else(|| format!("write {}", words.iter().map(|(_, zh)| *zh).collect::<Vec<_>>().join(", "))),
        Cell::Words(words) => {
            let known =
                |text: &str| words.iter().find(|(word, zh)| *word == text || *zh == text).map(|(word, _)| *word);
            let found: Option<Vec<&str>> = split(text).map(known).collect();
            let names = || words.iter().map(|(_, zh)| *zh).collect::<Vec<_>>().join(", ");
            found.map(|found| json!(found)).ok_or_else(|| format!("write {}; several with ;", names()))
        }
        Cell::Codes => Ok(json!(split(text).collect::<Vec<_>>())),
        Cell::Line => {
            let point = |text: &str| {
                let mut parts = text.split_whitespace().map(str::parse::<f64>);
                let point = (parts.next()?.ok()?, parts.next()?.ok()?);
                parts.next().is_none().then_some(point)
            };
            let points: Option<Vec<(f64, f64)>> = split(text).map(point).collect();
            points.map(|points| json!(points)).ok_or_else(|| "write longitude latitude; longitude latitude; …".into())
        }
        Cell::Windows => {
            let windows: Option<Vec<Value>> = split(text).map(read_window).collect();
            windows.map(|windows| json!(windows)).ok_or_else(|| "write 22:00-06:00; several with ;".into())
        }
    }
}

fn split(text: &str) -> impl Iterator<Item = &str> {
    text.split([';', '；', '、']).map(str::trim).filter(|part| !part.is_empty())
}

fn read_window(text: &str) -> Option<Value> {
    let minute = |text: &str| {
        let (hour, minute) = text.trim().split_once([':', '：'])?;
        let (hour, minute) = (hour.parse::<u16>().ok()?, minute.parse::<u16>().ok()?);
        (minute < 60 && hour * 60 + minute <= 1440).then_some(hour * 60 + minute)
    };
    let (days, hours) = text.rsplit_once(' ').map_or((None, text), |(days, hours)| (Some(days), hours));
    let (from, to) = hours.split_once('-')?;
    let days = days.map(|days| days.split(',').map(|day| day.trim().parse::<u8>()).collect::<Result<Vec<_>, _>>());
    let days = days.transpose().ok()?.unwrap_or_default();
    Some(json!({ "weekdays": days, "from_minute": minute(from)?, "to_minute": minute(to)? }))
}

/// `2026-01-31 08:00[:00]` in Beijing time.
fn read_local(text: &str) -> Option<EventTime> {
    let (date, time) = text.trim().split_once([' ', 'T'])?;
    let day = read_time(date)?;
    let mut parts = time.trim().split(':').map(str::parse::<i64>);
    let (hour, minute) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let second = parts.next().unwrap_or(Ok(0)).ok()?;
    let right =
        parts.next().is_none() && (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60).contains(&second);
    right.then(|| day.plus_ms(((hour * 60 + minute) * 60 + second) * 1000))
}

fn write_cell(column: &Column, fields: &Map<String, Value>) -> String {
    let Some(value) = get(fields, column.field) else { return String::new() };

    match (column.cell, value) {
        (Cell::Coordinate(index), value) => value.get(index).map(Value::to_string).unwrap_or_default(),
        (Cell::Word(words), Value::String(word)) => {
            words.iter().find(|(known, _)| known == word).map_or_else(|| word.clone(), |(_, zh)| (*zh).to_owned())
        }
        (Cell::Yes, value) => if value == &json!(true) { "是" } else { "否" }.to_owned(),
        (Cell::Words(words), Value::Array(items)) => {
            let name = |item: &Value| words.iter().find(|(known, _)| item == known).map(|(_, zh)| *zh);
            items.iter().filter_map(name).collect::<Vec<_>>().join(";")
        }
        (Cell::Codes, Value::Array(codes)) => codes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(";"),
        (Cell::Line, Value::Array(points)) => {
            let point = |point: &Value| format!("{} {}", point[0], point[1]);
            points.iter().map(point).collect::<Vec<_>>().join(";")
        }
        (Cell::Windows, Value::Array(windows)) => windows.iter().map(write_window).collect::<Vec<_>>().join(";"),
        (Cell::Time, Value::String(text)) => write_local(text),
        (_, Value::String(text)) => formula_safe(text),
        (_, value) => value.to_string(),
    }
}

/// A text that a spreadsheet would run as a formula with a `'` in front.
pub(crate) fn formula_safe(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\'', '\t', '\r']);
    if formula { format!("'{text}") } else { text.to_owned() }
}

fn write_window(window: &Value) -> String {
    let time = |field: &str| {
        let minutes = window.get(field).and_then(Value::as_u64).unwrap_or_default();
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    };
    let days = window.get("weekdays").and_then(Value::as_array).filter(|days| !days.is_empty());
    let days = days.map(|days| days.iter().map(Value::to_string).collect::<Vec<_>>().join(",") + " ");
    format!("{}{}-{}", days.unwrap_or_default(), time("from_minute"), time("to_minute"))
}

/// Beijing time as spreadsheets show it, when it has no milliseconds.
fn write_local(text: &str) -> String {
    let fields = parse_rfc3339(text).and_then(|ms| LocalStamp::of(EventTime(ms), BEIJING_OFFSET_MINUTES).fields());
    match fields {
        Some((year, month, day, 0, 0, 0, 0)) => format!("{year:04}-{month:02}-{day:02}"),
        Some((year, month, day, hour, minute, second, 0)) => {
            format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
        }
        _ => text.to_owned(),
    }
}

/// Takes away the `'` that export put before a formula.
fn unquoted(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\'']) => rest,
        _ => cell,
    }
}

fn set_coordinate(fields: &mut Map<String, Value>, index: usize, value: Value) {
    let place = fields.entry("place").or_insert_with(|| json!([null, null]));
    if let Some(slot) = place.get_mut(index) {
        *slot = value;
    }
}

fn clear(fields: &mut Map<String, Value>, path: &str) {
    match path.split_once('.') {
        Some((first, rest)) => {
            if let Some(inner) = fields.get_mut(first).and_then(Value::as_object_mut) {
                clear(inner, rest);
                if inner.is_empty() {
                    fields.remove(first);
                }
            }
        }
        None => drop(fields.remove(path)),
    }
}

#[cfg(test)]
mod tests;
