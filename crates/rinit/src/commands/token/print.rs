//! Tokens as kubeadm prints them: a table, or documents of `output.kubeadm.k8s.io/v1alpha3`.

use jiff::Timestamp;
use rinit_cli::DataFormat;
use rinit_manifest::yaml;
use rinit_plan::BootstrapTokenSpec;
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};

const HEADER: [&str; 6] = [
    "TOKEN",
    "TTL",
    "EXPIRES",
    "USAGES",
    "DESCRIPTION",
    "EXTRA GROUPS",
];

/// Returns the text of a list of tokens, secrets included.
pub(super) fn tokens(tokens: &[BootstrapTokenSpec], format: DataFormat, now: Timestamp) -> String {
    match format {
        DataFormat::Text if tokens.is_empty() => String::new(),
        DataFormat::Text => table(tokens.iter().map(|token| row(token, now))),
        DataFormat::Json => tokens.iter().map(json).collect(),
        DataFormat::Yaml => {
            let documents: Vec<serde_json::Value> = tokens
                .iter()
                .map(|token| serde_json::to_value(Document::of(token)).unwrap_or_default())
                .collect();
            yaml::join_documents(&documents)
        }
    }
}

/// The fields of a document, in kubeadm's order.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    kind: &'static str,
    api_version: &'static str,
    token: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    usages: Vec<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    groups: &'a [String],
}

impl<'a> Document<'a> {
    fn of(token: &'a BootstrapTokenSpec) -> Self {
        Self {
            kind: "BootstrapToken",
            api_version: "output.kubeadm.k8s.io/v1alpha3",
            token: whole(token),
            description: token.description.as_deref(),
            expires: token.expires.map(date),
            usages: usages(token),
            groups: &token.groups,
        }
    }
}

fn json(token: &BootstrapTokenSpec) -> String {
    let mut text = Vec::new();
    let mut serializer =
        Serializer::with_formatter(&mut text, PrettyFormatter::with_indent(b"    "));
    // Strings in memory: this does not fail.
    let _ = Document::of(token).serialize(&mut serializer);
    text.push(b'\n');
    String::from_utf8_lossy(&text).into_owned()
}

fn whole(token: &BootstrapTokenSpec) -> String {
    format!("{}.{}", token.id, token.secret.expose())
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn usages(token: &BootstrapTokenSpec) -> Vec<&str> {
    let mut usages: Vec<&str> = token.usages.iter().map(String::as_str).collect();
    usages.sort_unstable();
    usages
}

fn row(token: &BootstrapTokenSpec, now: Timestamp) -> [String; 6] {
    let or_none = |text: String| {
        if text.is_empty() {
            "<none>".to_owned()
        } else {
            text
        }
    };
    let description = token.description.as_deref().unwrap_or_default();
    [
        whole(token),
        token.expires.map_or("<forever>".to_owned(), |end| {
            short(end.as_second() - now.as_second())
        }),
        token.expires.map_or("<never>".to_owned(), date),
        or_none(usages(token).join(",")),
        or_none(rinit_diag::on_one_line(description).into_owned()),
        or_none(token.groups.join(",")),
    ]
}

/// A time to come in its largest unit, as kubeadm shows it: `23h`.
fn short(seconds: i64) -> String {
    match seconds {
        ..-1 => "<invalid>".to_owned(),
        -1 => "0s".to_owned(),
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        86_400..31_536_000 => format!("{}d", seconds / 86_400),
        _ => format!("{}y", seconds / 31_536_000),
    }
}

fn table(rows: impl Iterator<Item = [String; 6]>) -> String {
    let rows: Vec<[String; 6]> = std::iter::once(HEADER.map(str::to_owned))
        .chain(rows)
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or_default()
    };
    let widths: [usize; 6] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths);
        let line = cells.fold(String::new(), |line, (cell, width)| {
            line + &format!("{cell:width$}   ")
        });
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use rinit_plan::Secret;

    use super::*;

    fn token(id: &str, expires: Option<&str>, description: Option<&str>) -> BootstrapTokenSpec {
        BootstrapTokenSpec {
            id: id.to_owned(),
            secret: Secret::new("0123456789abcdef".to_owned()),
            description: description.map(str::to_owned),
            expires: expires.map(|text| text.parse().unwrap()),
            usages: vec!["signing".to_owned(), "authentication".to_owned()],
            groups: vec!["system:bootstrappers:a".to_owned()],
            drawn: false,
            alike: 0,
        }
    }

    #[test]
    fn a_row_has_kubeadms_columns() {
        let now = "2026-11-30T10:00:00Z".parse().unwrap();
        let found = tokens(
            &[
                token("abcdef", Some("2026-12-01T09:59:59Z"), None),
                token("ghijkl", None, Some("for\nme")),
            ],
            DataFormat::Text,
            now,
        );
        insta::assert_snapshot!(found);
        assert_eq!(tokens(&[], DataFormat::Text, now), "");
    }

    #[test]
    fn a_time_is_shown_in_its_largest_unit() {
        for (seconds, text) in [
            (-2, "<invalid>"),
            (-1, "0s"),
            (59, "59s"),
            (60, "1m"),
            (86_399, "23h"),
            (86_400, "1d"),
            (31_536_000, "1y"),
        ] {
            assert_eq!(short(seconds), text);
        }
    }
}
