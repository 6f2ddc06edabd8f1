//! The report as text, JSON and YAML, in the forms of kubeadm 1.31 and later.

use std::io::Write as _;

use rinit_manifest::yaml;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use tabwriter::TabWriter;

use super::duration::human;
use rinit_pki::SignedBy;

use super::{ExpirationReport, Kind, Row, State};

impl ExpirationReport {
    /// kubeadm's two tables, below them one of the kubelet's own certificates, and where the file of
    /// an authority has several certificates, one that tells which of them has signed what; an empty
    /// line between them.
    ///
    /// A row that has no certificate begins with `!MISSING!` or, where kubeadm would give up,
    /// `!UNREADABLE!`; why, is in [`ExpirationReport::problems`]. Where a kubeconfig has other credentials,
    /// `<token>` or the like stands in the place of the date.
    pub fn to_text(&self) -> String {
        let certificates = table(
            "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED",
            &self.certificates,
        );
        let authorities = table(
            "CERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED",
            &self.authorities,
        );
        let mut text = format!("{certificates}\n{authorities}");
        if !self.kubelet.is_empty() {
            text.push('\n');
            text.push_str(&table(
                "KUBELET CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED",
                &self.kubelet,
            ));
        }
        if self.has_bundles() {
            text.push('\n');
            text.push_str(&self.signatures());
        }
        text
    }

    /// Which certificate of which authority's file has signed what.
    fn signatures(&self) -> String {
        let rows = self.rows().filter_map(|row| {
            let signed = row.signed_by.as_ref()?;
            let signer = row.signer?;
            Some(format!(
                "{}\t{signer}\t{} of {}\t{}\t{}",
                row.name,
                signed.position,
                signed.of,
                signed.not_after.strftime(DATE),
                signed.subject,
            ))
        });
        align("SIGNED\tCERTIFICATE AUTHORITY\tBY\tEXPIRES\tSUBJECT", rows)
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
        yaml::to_string(&self.to_value())
    }

    /// The same as a value.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(Output::of(self)).unwrap_or_default()
    }
}

/// How kubeadm writes a date.
const DATE: &str = "%b %d, %Y %H:%M UTC";

fn table(header: &str, rows: &[Row]) -> String {
    align(header, rows.iter().map(line))
}

/// Lines of cells that tabulators end, as columns.
fn align(header: &str, lines: impl Iterator<Item = String>) -> String {
    let mut writer = TabWriter::new(Vec::new()).minwidth(10).padding(3);
    let mut text = format!("{header}\n");
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    // Writing to memory does not fail.
    let _ = writer.write_all(text.as_bytes());
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

fn line(row: &Row) -> String {
    let signer = match (row.kind, row.signer) {
        (Kind::Authority, _) => None,
        // The kubelet signs its own serving certificate unless it is told to ask for one.
        (_, None) => Some("<itself>\t".to_owned()),
        (_, Some(signer)) => Some(format!("{signer}\t")),
    };
    let signer = signer.as_deref();
    let mark = match &row.state {
        State::Present {
            not_after,
            residual_seconds,
            ..
        } => {
            return format!(
                "{}\t{}\t{}\t{}{:<8}",
                row.name,
                not_after.strftime(DATE),
                human(*residual_seconds),
                signer.unwrap_or_default(),
                if row.externally_managed { "yes" } else { "no" },
            );
        }
        State::Missing => "!MISSING!",
        State::Unreadable(_) => "!UNREADABLE!",
        State::OtherCredentials(field) => {
            return format!("{}\t<{field}>\t\t\t{:<8}", row.name, "");
        }
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
    /// Not a field of kubeadm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    kubelet_certificates: Vec<Item<'a>>,
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
    /// Not a field of kubeadm: what the user of a kubeconfig has instead of a certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    other_credentials: Option<&'static str>,
    /// Not a field of kubeadm: which certificate of a file with several has signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<Signed<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Signed<'a> {
    position: usize,
    of: usize,
    subject: &'a str,
    expiration_date: String,
}

impl<'a> Signed<'a> {
    fn of(signed: &'a SignedBy) -> Self {
        Self {
            position: signed.position,
            of: signed.of,
            subject: &signed.subject,
            expiration_date: signed.not_after.to_string(),
        }
    }
}

impl<'a> Output<'a> {
    fn of(report: &'a ExpirationReport) -> Self {
        Self {
            kind: "CertificateExpirationInfo",
            api_version: "output.kubeadm.k8s.io/v1alpha3",
            certificates: report.certificates.iter().map(Item::of).collect(),
            certificate_authorities: report.authorities.iter().map(Item::of).collect(),
            kubelet_certificates: report.kubelet.iter().map(Item::of).collect(),
        }
    }
}

impl<'a> Item<'a> {
    fn of(row: &'a Row) -> Self {
        let (expiration_date, residual_time) = match &row.state {
            State::Present {
                not_after,
                residual_seconds,
                ..
            } => (Some(not_after.to_string()), *residual_seconds),
            State::Missing | State::Unreadable(_) | State::OtherCredentials(_) => (None, 0),
        };
        Self {
            name: &row.name,
            expiration_date,
            residual_time,
            externally_managed: row.externally_managed,
            ca_name: match row.state {
                // kubeadm names the authority of what is there.
                State::Missing | State::OtherCredentials(_) => None,
                State::Present { .. } | State::Unreadable(_) => {
                    row.signer.map(rinit_plan::CaId::name)
                }
            },
            missing: row.state == State::Missing,
            unreadable: match &row.state {
                State::Unreadable(reason) => Some(reason),
                State::Present { .. } | State::Missing | State::OtherCredentials(_) => None,
            },
            other_credentials: match row.state {
                State::OtherCredentials(field) => Some(field),
                State::Present { .. } | State::Missing | State::Unreadable(_) => None,
            },
            signed_by: row
                .signed_by
                .as_ref()
                .filter(|signed| signed.of > 1)
                .map(Signed::of),
        }
    }
}
