//! What there is to say about a file, each with its place, all of it at once.

use std::fmt;

use rinit_diag::{on_one_line, redact};

use crate::rule::Rule;
use crate::source::{Place, Source, Span};

/// After this many errors, and after this many warnings, the rest is left out.
const SHOWN: u32 = 500;

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
/// Neither path nor message nor hint ever holds a token or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The rule that it is about.
    pub rule: Rule,
    /// Where it is.
    pub place: Place,
    /// The field that it is about, as `networking.serviceSubnet`; empty for the file as such.
    pub path: String,
    /// What it is: a fragment in lower case without full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    end: Place,
    /// The field that was probably meant by a name that is none.
    pub(crate) meant: Option<String>,
}

impl Finding {
    pub(crate) fn new(rule: Rule, severity: Severity, span: Span, message: &str) -> Self {
        Self {
            severity,
            rule,
            place: span.start,
            path: String::new(),
            message: redact::message(message),
            hint: None,
            end: span.end,
            meant: None,
        }
    }

    pub(crate) fn error(rule: Rule, span: Span, message: impl Into<String>) -> Self {
        Self::new(rule, Severity::Error, span, &message.into())
    }

    pub(crate) fn with_path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// The same with a way out.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(redact::message(&hint.into()));
        self
    }
}

/// All findings about a file, in the order of their places.
///
/// Displays as the whole report, each finding with the field that it is about, if that is harmless.
#[derive(Debug, Clone)]
pub struct Findings {
    source: Source,
    list: Vec<Finding>,
    /// Errors and warnings in the list.
    counts: [u32; 2],
    left_out: bool,
}

impl Findings {
    /// No findings about a file.
    pub fn new(source: Source) -> Self {
        Self {
            source,
            list: Vec::new(),
            counts: [0, 0],
            left_out: false,
        }
    }

    pub(crate) fn source_mut(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Adds a finding at its place.
    pub fn push(&mut self, finding: Finding) {
        if self.is_full_of(finding.severity) {
            self.leave_out();
            return;
        }
        self.counts[usize::from(finding.severity == Severity::Warning)] += 1;
        let position = self
            .list
            .partition_point(|other| other.place <= finding.place);
        self.list.insert(position, finding);
    }

    /// Whether looking for more of them is of no use, for no more are kept.
    pub fn is_full_of(&self, severity: Severity) -> bool {
        self.count(severity) >= SHOWN
    }

    pub(crate) fn count(&self, severity: Severity) -> u32 {
        self.counts[usize::from(severity == Severity::Warning)]
    }

    /// Says that there is more than the findings that are kept.
    pub fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// The same with every warning as an error, for those who want none.
    #[must_use]
    pub fn strict(mut self) -> Self {
        for finding in &mut self.list {
            finding.severity = Severity::Error;
        }
        self.counts = [self.counts[0] + self.counts[1], 0];
        self
    }

    /// Those that count, and no others.
    #[must_use]
    pub(crate) fn filtered(mut self, counts: impl Fn(&Finding) -> bool) -> Self {
        self.list.retain(counts);
        let count = |severity| {
            self.list
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        self.counts = [Severity::Error, Severity::Warning]
            // No more than a thousand are kept.
            .map(|severity| u32::try_from(count(severity)).unwrap_or(u32::MAX));
        self
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of them are kept.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.list
            .iter()
            .any(|finding| finding.severity == Severity::Error)
    }

    /// Each of them in the order of their places.
    pub fn iter(&self) -> std::slice::Iter<'_, Finding> {
        self.list.iter()
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
            write!(formatter, "{}: ", on_one_line(&finding.path))?;
        }
        writeln!(formatter, "{}", on_one_line(&finding.message))?;
        if let Some((start, text)) = self.source.shown(&finding.path, finding.place) {
            write_snippet(formatter, finding, start, &text)?;
        }
        match &finding.hint {
            Some(hint) => writeln!(formatter, "  hint: {}", on_one_line(hint)),
            None => Ok(()),
        }
    }
}

fn write_snippet(
    formatter: &mut fmt::Formatter<'_>,
    finding: &Finding,
    start: Place,
    text: &str,
) -> fmt::Result {
    let length = text.chars().count();
    let column = (finding.place.column - start.column).min(length);
    let carets = finding.end.column.saturating_sub(finding.place.column);
    let carets = carets.min(length - column).max(1);
    let number = start.line.to_string();
    writeln!(formatter, "  {number} | {text}")?;
    writeln!(
        formatter,
        "  {:width$} | {:column$}{}",
        "",
        "",
        "^".repeat(carets),
        width = number.len(),
    )
}

impl fmt::Display for Findings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.list {
            self.write(finding, formatter)?;
        }
        if self.left_out {
            writeln!(formatter, "more findings are not shown")?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

impl IntoIterator for Findings {
    type Item = Finding;
    type IntoIter = std::vec::IntoIter<Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

impl<'findings> IntoIterator for &'findings Findings {
    type Item = &'findings Finding;
    type IntoIter = std::slice::Iter<'findings, Finding>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
