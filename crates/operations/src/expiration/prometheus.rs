//! The report in the text format of Prometheus, for the textfile collector of node_exporter.

use std::fmt::Write as _;

use super::{ExpirationReport, Row, State};

impl ExpirationReport {
    /// Two gauges a certificate with its end and its signer's, which in a file with several
    /// authorities has no row of its own, and two with what can be wrong beside that.
    ///
    /// A certificate that is missing or cannot be read has no end, so that an alert on its absence
    /// is needed: `rinit_certificate_readable == 0`.
    pub fn to_prometheus(&self) -> String {
        let mut text = String::new();
        metric(
            &mut text,
            self,
            "rinit_certificate_expiration_timestamp_seconds",
            "The last second of the certificate, in seconds since 1970.",
            |row| match &row.state {
                State::Present { not_after, .. } => Some(not_after.as_second()),
                State::Missing | State::Unreadable(_) | State::OtherCredentials(_) => None,
            },
        );
        metric(
            &mut text,
            self,
            "rinit_certificate_signer_expiration_timestamp_seconds",
            "The last second of the certificate that signed it, in seconds since 1970.",
            |row| Some(row.signed_by.as_ref()?.not_after.as_second()),
        );
        metric(
            &mut text,
            self,
            "rinit_certificate_readable",
            "Whether there is a certificate that can be read.",
            |row| Some(i64::from(matches!(row.state, State::Present { .. }))),
        );
        metric(
            &mut text,
            self,
            "rinit_certificate_externally_managed",
            "Whether the key that would renew it is not on this host.",
            |row| Some(i64::from(row.externally_managed)),
        );
        text
    }
}

fn metric(
    text: &mut String,
    report: &ExpirationReport,
    name: &str,
    help: &str,
    value: impl Fn(&Row) -> Option<i64>,
) {
    // Writing to a String does not fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge");
    for row in report.rows() {
        // What need not be there has nothing to say where it is not.
        if (row.optional && row.state == State::Missing)
            || matches!(row.state, State::OtherCredentials(_))
        {
            continue;
        }
        if let Some(value) = value(row) {
            let _ = writeln!(
                text,
                "{name}{{name=\"{}\",ca=\"{}\",path=\"{}\",kind=\"{}\"}} {value}",
                escaped(&row.name),
                row.signer.map_or("", rinit_plan::CaId::name),
                escaped(row.path.as_str()),
                row.kind.name(),
            );
        }
    }
}

/// A label's value: backslash, quote and line feed are the only ones that mean something.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_cannot_end_early() {
        assert_eq!(escaped("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
