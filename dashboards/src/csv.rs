//! CSV for Excel: UTF-8 with a byte order mark, quoted where needed, and no cell that a spreadsheet would run as a formula.

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};

#[derive(Debug)]
pub(crate) struct Csv {
    text: String,
    rows: usize,
}

impl Csv {
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut csv = Self { text: String::from('\u{feff}'), rows: 0 };
        csv.line(head.iter().copied());
        csv
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: &[String; N]) {
        self.rows += 1;
        self.line(cells.iter().map(String::as_str));
    }

    pub(crate) const fn rows(&self) -> usize {
        self.rows
    }

    fn line<'a>(&mut self, cells: impl Iterator<Item = &'a str>) {
        for (index, cell) in cells.enumerate() {
            if index > 0 {
                self.text.push(',');
            }
            push(&mut self.text, cell);
        }
        self.text.push_str("\r\n");
    }

    pub(crate) fn answer(self, name: &'static str) -> Response {
        let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""));
        let mut response = self.text.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Ok(disposition) = disposition {
            headers.insert(HeaderName::from_static("content-disposition"), disposition);
        }
        response
    }
}

fn push(text: &mut String, cell: &str) {
    // A number may begin with a sign; anything else that does is a formula to a spreadsheet.
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && cell.parse::<f64>().is_err();
    let quoted = formula || cell.contains(['"', ',', '\n', '\r']);
    if !quoted {
        text.push_str(cell);
        return;
    }
    text.push('"');
    if formula {
        text.push('\'');
    }
    for c in cell.chars() {
        if c == '"' {
            text.push('"');
        }
        text.push(c);
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_become_a_formula_or_break_out() {
        let mut csv = Csv::new(&["a", "b"]);
        csv.row(&["=HYPERLINK(\"x\")".into(), "-1.5".into()]);
        csv.row(&["一,二\n\"三\"".into(), "@x".into()]);
        assert_eq!(csv.text, "\u{feff}a,b\r\n\"'=HYPERLINK(\"\"x\"\")\",-1.5\r\n\"一,二\n\"\"三\"\"\",\"'@x\"\r\n");
    }
}
