//! What there is to say before a run begins: findings about the file, problems and warnings beside
//! it. It is gathered, so that all of it is said at once, and in the form that was asked for.

use rinit_config::{Findings, Severity};
use rinit_diag::{ExitCode, Hint, Problem};
use rinit_workflow::Event;

use crate::printer;

/// Why a command ends before it has begun.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// The exit code that says so to scripts.
    pub(crate) code: ExitCode,
    /// All that is to be said.
    pub(crate) remarks: Remarks,
}

impl Trouble {
    /// One thing that is wrong.
    pub(crate) fn new(code: ExitCode, problem: Problem) -> Self {
        let mut remarks = Remarks::default();
        remarks.add(Severity::Error, problem);
        Self { code, remarks }
    }

    /// What an error says.
    pub(crate) fn of<E: std::error::Error + Hint>(code: ExitCode, error: &E) -> Self {
        Self::new(code, Problem::from_error(error))
    }

    /// The same with what else there is to say. The code is that of the first.
    pub(crate) fn and(mut self, more: Remarks) -> Self {
        self.remarks.append(more);
        self
    }

    /// The same with more that is wrong.
    pub(crate) fn beside(mut self, problems: &[Problem]) -> Self {
        for problem in problems {
            self.remarks.add(Severity::Error, problem.clone());
        }
        self
    }

    /// Something wrong with the configuration.
    pub(crate) fn configuration(problem: Problem) -> Self {
        Self::new(ExitCode::Configuration, problem)
    }
}

/// Findings about the file, and what there is to say beside it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Remarks {
    findings: Option<Box<Findings>>,
    problems: Vec<(Severity, Problem)>,
}

impl Remarks {
    /// Adds findings about the same file.
    pub(crate) fn find(&mut self, findings: Findings) {
        match &mut self.findings {
            None => self.findings = Some(Box::new(findings)),
            Some(known) => {
                for finding in findings {
                    known.push(finding);
                }
            }
        }
    }

    /// Adds something that has no place in the file.
    pub(crate) fn add(&mut self, severity: Severity, problem: Problem) {
        self.problems.push((severity, problem));
    }

    /// Adds what else there is to say.
    pub(crate) fn append(&mut self, more: Self) {
        if let Some(findings) = more.findings {
            self.find(*findings);
        }
        self.problems.extend(more.problems);
    }

    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.problems.is_empty() && self.findings.as_ref().is_none_or(|list| list.is_empty())
    }

    /// The same with every warning as an error, for those who want none.
    pub(crate) fn strict(self) -> Self {
        Self {
            findings: self.findings.map(|list| Box::new(list.strict())),
            problems: self
                .problems
                .into_iter()
                .map(|(_, problem)| (Severity::Error, problem))
                .collect(),
        }
    }

    /// Says it to people.
    pub(crate) fn print(&self) {
        if let Some(findings) = self.findings.as_ref().filter(|list| !list.is_empty()) {
            printer::report(&findings.to_string());
        }
        for (severity, problem) in &self.problems {
            match severity {
                Severity::Error => printer::problem(problem),
                Severity::Warning => printer::warning(problem),
            }
        }
    }

    /// The same for machines.
    pub(crate) fn events(&self) -> Vec<Event> {
        let findings = self.findings.iter().flat_map(|findings| {
            findings.iter().map(|finding| Event::Finding {
                severity: match finding.severity {
                    Severity::Error => rinit_workflow::Severity::Error,
                    Severity::Warning => rinit_workflow::Severity::Warning,
                },
                rule: finding.rule.name().to_owned(),
                file: findings.source().file_name().to_owned(),
                line: finding.place.line,
                column: finding.place.column,
                path: finding.path.clone(),
                message: finding.message.clone(),
                hint: finding.hint.clone(),
            })
        });
        let problems = self.problems.iter().map(|(severity, problem)| {
            let Problem { message, hint } = problem.clone();
            match severity {
                Severity::Error => Event::Problem {
                    phase: None,
                    message,
                    hint,
                },
                Severity::Warning => Event::Warning {
                    phase: None,
                    message,
                    hint,
                },
            }
        });
        findings.chain(problems).collect()
    }
}
