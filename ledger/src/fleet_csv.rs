//! Many devices with their credentials out of one table, and the credentials as a table, once. The table is that of the devices
//! (`code, protocol, identity, profile, …`) with two more columns: `密码 password`, an HJ 212 password that the device has already,
//! and `终端 terminal`, the only JT/T 808 terminal that may ask for its code. Devices that are in the register already are changed
//! by their row and keep their credentials.

use crate::credentials::Issued;
use crate::csv_files::{CsvKind, decode, formula_safe};
use crate::error::{LedgerError, Problem};
use crate::issue::Wanted;
use crate::plan::Plan;
use crate::store::{Author, Ledger};
use model::envelope::ProtocolKind;
use model::register::{Device, Object};
use std::collections::BTreeMap;

/// Devices that were made and what to set on them.
#[derive(Debug, Clone)]
pub struct Fleet {
    pub plan: Plan,
    /// The credentials of the new devices as CSV, UTF-8 with BOM; shown this once.
    pub credentials: Vec<u8>,
    /// How many there are in it.
    pub issued: usize,
}

impl Ledger {
    /// What importing the table would do, with every problem at its line and column.
    pub fn plan_fleet(&self, bytes: &[u8]) -> Result<Plan, LedgerError> {
        Ok(self.read_fleet(bytes)?.0)
    }

    /// Makes and changes the devices of the table and issues credentials to the new ones, all in one transaction; or tells every
    /// problem and changes nothing.
    pub async fn apply_fleet(&self, author: &Author, bytes: &[u8]) -> Result<Fleet, LedgerError> {
        let (plan, wanted) = self.read_fleet(bytes)?;
        if !plan.problems.is_empty() {
            return Err(LedgerError::Invalid(plan.problems));
        }
        let seen = Some(plan.seen);
        let (_, issued) = self.edit_issuing(author, seen, plan.objects.clone(), &wanted).await?;
        let facts = self.facts_now();
        let rows = issued.iter().filter_map(|one| Some((&**facts.devices.get(&one.device?)?, one)));
        Ok(Fleet { credentials: table(rows)?, issued: issued.len(), plan })
    }

    fn read_fleet(&self, bytes: &[u8]) -> Result<(Plan, Vec<Wanted>), LedgerError> {
        let mut plan = self.plan_csv(CsvKind::Devices, bytes)?;
        let facts = self.facts_now();
        let fresh: Vec<&Device> = plan
            .objects
            .iter()
            .filter_map(|object| match object {
                Object::Device(device) if !facts.devices.contains_key(&device.id) => Some(device),
                _ => None,
            })
            .filter(|device| device.protocol != ProtocolKind::Modbus)
            .collect();
        let mut extras = read_extras(bytes);
        let mut wanted = Vec::with_capacity(fresh.len());
        for device in fresh {
            let (line, password, terminal) = extras.remove(&device.code).unwrap_or_default();
            let one = Wanted { code: device.code.clone(), password, terminal };
            if let Err(LedgerError::Invalid(problems)) = one.check(device.protocol) {
                plan.problems.extend(problems.into_iter().map(|problem| {
                    let column = if problem.place == "password" { PASSWORD.0 } else { TERMINAL.0 };
                    Problem { line, ..Problem::new(column, problem.message) }
                }));
            }
            wanted.push(one);
        }
        // What is left are devices that are there already.
        for (code, (line, password, terminal)) in extras {
            for (column, _) in
                [(PASSWORD.0, password), (TERMINAL.0, terminal)].into_iter().filter(|one| one.1.is_some())
            {
                let told = format!("{code} is in the register and keeps its credential; empty this cell, or rotate it");
                plan.problems.push(Problem { line, ..Problem::new(column, told) });
            }
        }
        plan.problems.sort_by_key(|problem| problem.line);
        Ok((plan, wanted))
    }
}

/// Line, password and terminal by code, of the rows that have one of the two. What is wrong with the table itself is told by the
/// plan.
fn read_extras(bytes: &[u8]) -> BTreeMap<String, (u32, Option<String>, Option<String>)> {
    let text = decode(bytes, &mut Vec::new());
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let Ok(headers) = reader.headers().cloned() else { return BTreeMap::new() };
    let place = |(zh, en): (&str, &str)| headers.iter().position(|name| name == zh || name.eq_ignore_ascii_case(en));
    let (Some(code), password, terminal) = (place(("编码", "code")), place(PASSWORD), place(TERMINAL)) else {
        return BTreeMap::new();
    };
    let mut extras = BTreeMap::new();
    for record in reader.records().flatten() {
        let line = record.position().map_or(0, |position| u32::try_from(position.line()).unwrap_or(u32::MAX));
        let cell = |place: Option<usize>| {
            let text = record.get(place?)?.trim_start_matches('\'');
            (!text.is_empty()).then(|| text.to_owned())
        };
        let (password, terminal) = (cell(password), cell(terminal));
        if let Some(code) = cell(Some(code)).filter(|_| password.is_some() || terminal.is_some()) {
            extras.insert(code, (line, password, terminal));
        }
    }
    extras
}

/// The credentials as a spreadsheet reads them.
fn table<'a>(rows: impl Iterator<Item = (&'a Device, &'a Issued)>) -> Result<Vec<u8>, LedgerError> {
    let corrupt = |error: csv::Error| LedgerError::Corrupt("table", error.to_string());
    let mut writer = csv::Writer::from_writer("\u{feff}".as_bytes().to_vec());
    writer.write_record(["编码", "协议", "标识", "密钥", "主题"]).map_err(corrupt)?;
    for (device, issued) in rows {
        let secret = issued.settings.iter().find(|setting| setting.secret).map_or("", |setting| setting.value.as_str());
        let topic = issued.value("topic").unwrap_or_default();
        let cells = [device.code.as_str(), device.protocol.code(), device.identity.as_str(), secret, topic];
        writer.write_record(cells.map(formula_safe)).map_err(corrupt)?;
    }
    writer.into_inner().map_err(|error| LedgerError::Corrupt("table", error.to_string()))
}

/// Columns of this table that are no field of a device.
pub(crate) const PASSWORD: (&str, &str) = ("密码", "password");
pub(crate) const TERMINAL: (&str, &str) = ("终端", "terminal");

#[cfg(test)]
mod tests;
