//! What there is to say about a file, each with its place, all of it at once.

use std::fmt;

use crate::mask;
use crate::source::{Place, Source, Span};

/// After this many findings the rest is only counted.
const SHOWN: usize = 500;
/// The columns of a line that a snippet shows.
const SNIPPET_WIDTH: usize = 110;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is taken.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// One thing to say about the file.
///
/// Neither message nor hint ever holds a token or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is.
    pub place: Place,
    /// The field that it is about, as `networking.serviceSubnet`; empty for the file as such.
    pub path: String,
    /// What it is: a fragment in lower case without full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    end: Place,
}

impl Finding {
    pub(crate) fn new(severity: Severity, span: Span, message: String) -> Self {
        Self {
            severity,
            place: span.start,
            path: String::new(),
            message: mask::text(&message),
            hint: None,
            end: span.end,
        }
    }

    pub(crate) fn error(span: Span, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, span, message.into())
    }

    pub(crate) fn with_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(mask::text(&hint.into()));
        self
    }
}

/// All findings about a file, in the order of their places.
///
/// Displays as the whole report, each finding with the line that it is about.
#[derive(Debug, Clone)]
pub struct Findings {
    source: Source,
    findings: Vec<Finding>,
    left_out: usize,
}

impl Findings {
    /// No findings about a file.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            findings: Vec::new(),
            left_out: 0,
        }
    }

    pub(crate) fn with_source(&self, source: Source) -> Self {
        Self {
            source,
            findings: self.findings.clone(),
            left_out: self.left_out,
        }
    }

    pub(crate) fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Adds a finding at its place.
    pub fn push(&mut self, finding: Finding) {
        if self.findings.len() >= SHOWN {
            self.left_out += 1;
            return;
        }
        let position = self
            .findings
            .partition_point(|other| other.place <= finding.place);
        self.findings.insert(position, finding);
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.findings.len() + self.left_out
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// Each of them in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.findings.iter()
    }

    /// The file that they are about.
    pub fn source(&self) -> &Source {
        &self.source
    }

    fn write(&self, finding: &Finding, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}: {}: ",
            self.source.file_name(),
            finding.place,
            finding.severity
        )?;
        if !finding.path.is_empty() {
            write!(formatter, "{}: ", finding.path)?;
        }
        writeln!(formatter, "{}", finding.message)?;
        if let Some(line) = self.source.masked_line(finding.place.line) {
            write_snippet(formatter, finding, &line)?;
        }
        match &finding.hint {
            Some(hint) => writeln!(formatter, "  hint: {hint}"),
            None => Ok(()),
        }
    }
}

fn write_snippet(formatter: &mut fmt::Formatter<'_>, finding: &Finding, line: &str) -> fmt::Result {
    let characters: Vec<char> = line
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .collect();
    let column = (finding.place.column - 1).min(characters.len());
    let end = if finding.end.line == finding.place.line {
        finding.end.column - 1
    } else {
        column + 1
    };
    // Of a long line, such as a whole file of JSON, the part around the place is shown.
    let first = column.saturating_sub(SNIPPET_WIDTH / 2);
    let first = if characters.len() <= SNIPPET_WIDTH {
        0
    } else {
        first
    };
    let last = characters.len().min(first + SNIPPET_WIDTH);
    let shown: String = characters[first..last].iter().collect();
    let carets = end.min(last).saturating_sub(column).max(1);
    let number = finding.place.line.to_string();
    writeln!(formatter, "  {number} | {}", shown.trim_end())?;
    writeln!(
        formatter,
        "  {:width$} | {:indent$}{}",
        "",
        "",
        "^".repeat(carets),
        width = number.len(),
        indent = column - first
    )
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            self.write(finding, formatter)?;
        }
        if self.left_out > 0 {
            writeln!(formatter, "{} more findings are not shown", self.left_out)?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.findings.into_iter()
    }
}

impl<'findings> IntoIterator for &'findings Findings {
    type Item = &'findings Finding;
    type IntoIter = std::slice::Iter<'findings, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
