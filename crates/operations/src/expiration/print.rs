//! The report as text, JSON and YAML, in the forms of kubeadm 1.31 and later.

use std::io::Write as _;

use rinit_manifest::yaml;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use tabwriter::TabWriter;

use super::duration::human;
use super::{ExpirationReport, Row, State};

impl ExpirationReport {
    /// Two tables with an empty line between them.
    ///
    /// A row that has no certificate begins with `!MISSING!` or, where kubeadm would give up,
    /// `!UNREADABLE!`; why, is in [`ExpirationReport::problems`].
    pub fn to_text(&self) -> String {
        let certificates = table(
            "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED",
            &self.certificates,
        );
        let authorities = table(
            "CERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED",
            &self.authorities,
        );
        format!("{certificates}\n{authorities}")
    }

    /// The kind `CertificateExpirationInfo` of `output.kubeadm.k8s.io/v1alpha3` as JSON, indented
    /// by four spaces as kubeadm does it.
    pub fn to_json(&self) -> String {
        let mut text = Vec::new();
        let mut serializer =
            Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
        // Strings, numbers and a buffer in memory: nothing here can fail.
        let _ = Output::of(self).serialize(&mut serializer);
        text.push(b'\n');
        String::from_utf8_lossy(&text).into_owned()
    }

    /// The same as YAML.
    pub fn to_yaml(&self) -> String {
        yaml::to_string(&serde_json::to_value(Output::of(self)).unwrap_or_default())
    }
}

fn table(header: &str, rows: &[Row]) -> String {
    let mut writer = TabWriter::new(Vec::new()).minwidth(10).padding(3);
    let mut text = format!("{header}\n");
    for row in rows {
        text.push_str(&line(row));
        text.push('\n');
    }
    // Writing to memory does not fail.
    let _ = writer.write_all(text.as_bytes());
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

fn line(row: &Row) -> String {
    let signer = row.signer.map(|signer| format!("{signer}\t"));
    let signer = signer.as_deref();
    let mark = match &row.state {
        State::Present {
            not_after,
            residual_seconds,
        } => {
            return format!(
                "{}\t{}\t{}\t{}{:<8}",
                row.name,
                not_after.strftime("%b %d, %Y %H:%M UTC"),
                human(*residual_seconds),
                signer.unwrap_or_default(),
                if row.externally_managed { "yes" } else { "no" },
            );
        }
        State::Missing => "!MISSING!",
        State::Unreadable(_) => "!UNREADABLE!",
    };
    let cells = if signer.is_some() { 4 } else { 3 };
    format!("{mark} {}{}", row.name, "\t".repeat(cells))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Output<'a> {
    kind: &'static str,
    api_version: &'static str,
    certificates: Vec<Item<'a>>,
    certificate_authorities: Vec<Item<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    name: &'a str,
    expiration_date: Option<String>,
    residual_time: i64,
    externally_managed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_name: Option<&'static str>,
    missing: bool,
    /// Not a field of kubeadm, which fails as a whole then.
    #[serde(skip_serializing_if = "Option::is_none")]
    unreadable: Option<&'a str>,
}

impl<'a> Output<'a> {
    fn of(report: &'a ExpirationReport) -> Self {
        Self {
            kind: "CertificateExpirationInfo",
            api_version: "output.kubeadm.k8s.io/v1alpha3",
            certificates: report.certificates.iter().map(Item::of).collect(),
            certificate_authorities: report.authorities.iter().map(Item::of).collect(),
        }
    }
}

impl<'a> Item<'a> {
    fn of(row: &'a Row) -> Self {
        let (expiration_date, residual_time) = match &row.state {
            State::Present {
                not_after,
                residual_seconds,
            } => (Some(not_after.to_string()), *residual_seconds),
            State::Missing | State::Unreadable(_) => (None, 0),
        };
        Self {
            name: &row.name,
            expiration_date,
            residual_time,
            externally_managed: row.externally_managed,
            ca_name: match row.state {
                // kubeadm names the authority of what is there.
                State::Missing => None,
                State::Present { .. } | State::Unreadable(_) => {
                    row.signer.map(rinit_plan::CaId::name)
                }
            },
            missing: row.state == State::Missing,
            unreadable: match &row.state {
                State::Unreadable(reason) => Some(reason),
                State::Present { .. } | State::Missing => None,
            },
        }
    }
}
