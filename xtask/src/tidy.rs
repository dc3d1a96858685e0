//! Repository rules as code. Each finding names its file and what to do.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Which crates a crate of ours may depend on in its product code. A new edge needs a sentence in ARCHITECTURE.md.
const EDGES: &[(&str, &[&str])] = &[
    ("lantian-model", &[]),
    ("lantian-protocol", &[]),
    ("lantian-database", &[]),
    ("lantian-tls", &["lantian-model"]),
    ("lantian-gateway", &["lantian-model", "lantian-protocol", "lantian-tls"]),
    ("lantian-ingest", &["lantian-model", "lantian-protocol", "lantian-database"]),
    ("lantian-rules", &["lantian-model"]),
    ("lantian-ledger", &["lantian-model", "lantian-database"]),
    ("lantian-cases", &["lantian-model", "lantian-rules", "lantian-database", "lantian-ledger"]),
    ("lantian-notify", &["lantian-model"]),
    ("lantian-web-embed", &[]),
    (
        "lantian-dashboards",
        &[
            "lantian-model",
            "lantian-protocol",
            "lantian-rules",
            "lantian-ledger",
            "lantian-cases",
            "lantian-ingest",
            "lantian-database",
            "lantian-web-embed",
            "lantian-tls",
        ],
    ),
    ("device-sim", &["lantian-model", "lantian-protocol"]),
];

/// Outside crates that have one home in the product.
const HOMES: &[(&str, &[&str])] = &[
    ("rumqttd", &["lantian-gateway"]),
    ("rumqttc", &["lantian-gateway", "device-sim", "e2e"]),
    ("tokio-modbus", &["lantian-gateway", "device-sim", "e2e"]),
    ("influxdb2", &["lantian-ingest", "e2e"]),
    ("tokio-rustls", &["lantian-tls"]),
    ("lettre", &["lantian-notify"]),
    ("chrono", &[]),
];

const LICENCES: &[&str] = &[
    "MIT",
    "MIT-0",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "0BSD",
    "CC0-1.0",
    "Unlicense",
    "Unicode-3.0",
    "MPL-2.0",
    "BSL-1.0",
    "OpenSSL",
    "CDLA-Permissive-2.0",
];

pub(crate) fn run() -> Result<()> {
    let mut findings = Vec::new();
    let files = tracked()?;
    for file in &files {
        text_rules(file, &mut findings);
    }
    lock_rules(&files, &mut findings);
    crate_rules(&mut findings)?;
    if findings.is_empty() {
        println!("tidy: {} files, nothing to mend", files.len());
        return Ok(());
    }
    for finding in &findings {
        println!("{finding}");
    }
    bail!("tidy: {} findings", findings.len());
}

fn tracked() -> Result<Vec<String>> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .output()
        .context("run git")?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().filter(|f| Path::new(f).is_file()).map(str::to_owned).collect())
}

fn extension(file: &str) -> &str {
    Path::new(file).extension().and_then(|e| e.to_str()).unwrap_or("")
}

fn text_rules(file: &str, findings: &mut Vec<String>) {
    const LINES_MAX: usize = 600;
    let code = matches!(extension(file), "rs" | "ts" | "vue");
    let generated = file.ends_with("schema.d.ts");
    let Ok(text) = std::fs::read_to_string(file) else { return };
    if extension(file) == "rs" && !text.starts_with("//!") {
        findings.push(format!("{file}: open it with //! and what it is for"));
    }
    if code && !generated && text.lines().count() > LINES_MAX {
        findings.push(format!("{file}: {} lines; over {LINES_MAX} it is two subjects", text.lines().count()));
    }
    if file.starts_with("xtask/") {
        return;
    }
    let banned: &[(&str, &str)] = &[
        ("#[ignore", "mend the test or delete it"),
        ("todo!(", "build it"),
        ("unimplemented!(", "build it"),
        ("dbg!(", "use tracing"),
        ("FIXME", "mend it or open an issue"),
        ("thread::sleep(", "wait for the event, not for time"),
    ];
    for (number, line) in text.lines().enumerate() {
        let place = number + 1;
        if code {
            for (word, instead) in banned {
                if line.contains(word) {
                    findings.push(format!("{file}:{place}: {word} — {instead}"));
                }
            }
        }
        if code && (line.ends_with(' ') || line.ends_with('\t')) {
            findings.push(format!("{file}:{place}: trailing space"));
        }
    }
}

/// Lock files name no registry host, so that any mirror serves.
fn lock_rules(files: &[String], findings: &mut Vec<String>) {
    for file in files.iter().filter(|f| f.ends_with("package-lock.json")) {
        if std::fs::read_to_string(file).is_ok_and(|text| text.contains("\"resolved\": \"http")) {
            findings.push(format!("{file}: holds download addresses; set omit-lockfile-registry-resolved"));
        }
    }
}

fn crate_rules(findings: &mut Vec<String>) -> Result<()> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .output()
        .context("run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).context("read cargo metadata")?;
    let empty = Vec::new();
    let packages = metadata["packages"].as_array().unwrap_or(&empty);
    let ours: BTreeSet<&str> =
        packages.iter().filter(|p| p["source"].is_null()).filter_map(|p| p["name"].as_str()).collect();
    for package in packages {
        let name = package["name"].as_str().unwrap_or("");
        if package["source"].is_null() {
            edges(package, name, &ours, findings);
        } else {
            licence(package, name, findings);
        }
    }
    Ok(())
}

fn edges(package: &Value, name: &str, ours: &BTreeSet<&str>, findings: &mut Vec<String>) {
    let allowed: BTreeMap<&str, &[&str]> = EDGES.iter().copied().collect();
    let empty = Vec::new();
    for dependency in package["dependencies"].as_array().unwrap_or(&empty) {
        let on = dependency["name"].as_str().unwrap_or("");
        let product = dependency["kind"].is_null();
        if product && ours.contains(on) && allowed.get(name).is_some_and(|list| !list.contains(&on)) {
            findings.push(format!("{name}: may not depend on {on} (ARCHITECTURE.md, folders)"));
        }
        if let Some((_, homes)) = HOMES.iter().find(|(crate_name, _)| *crate_name == on)
            && product
            && !homes.contains(&name)
        {
            findings.push(format!("{name}: {on} has its home in {homes:?}"));
        }
    }
}

fn licence(package: &Value, name: &str, findings: &mut Vec<String>) {
    let version = package["version"].as_str().unwrap_or("");
    let source = package["source"].as_str().unwrap_or("");
    if !source.starts_with("registry+") {
        findings.push(format!("{name} {version}: comes from {source}, not from the registry"));
    }
    let Some(expression) = package["license"].as_str() else {
        if package["license_file"].is_null() {
            findings.push(format!("{name} {version}: states no licence"));
        }
        return;
    };
    // `A OR B` needs one that is allowed; `A AND B` needs both.
    let fine = expression.replace('/', " OR ").split(" AND ").all(|part| {
        part.split(" OR ").any(|choice| LICENCES.contains(&choice.trim().trim_matches(|c| c == '(' || c == ')')))
    });
    if !fine {
        findings.push(format!("{name} {version}: licence {expression} is not on the list"));
    }
}
