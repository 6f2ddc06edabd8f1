//! `docs/differences.md`: the differences that are ours on purpose. People and tests read the
//! same table.

use std::fs;
use std::path::Path;

use crate::{Difference, ParityError};

/// The columns, which a reader must find in this order.
const COLUMNS: [&str; 5] = [
    "what differs",
    "kubeadm",
    "rinit",
    "what you gain",
    "seen in",
];

/// Which part of an init a comparison looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The files that `--root` renders.
    Render,
    /// All that a whole init leaves on a node and in its cluster.
    Init,
    /// The files that are rendered from the configurations of `testdata/configs/rendered`.
    Cases,
}

impl Scope {
    /// By its name in the table.
    fn named(name: &str) -> Option<Self> {
        match name {
            "render" => Some(Self::Render),
            "init" => Some(Self::Init),
            "cases" => Some(Self::Cases),
            _ => None,
        }
    }
}

/// The table.
#[derive(Debug)]
pub struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    /// The title of a difference, in which `*` stands for any text.
    title: String,
    scopes: Vec<Scope>,
}

impl Table {
    /// Reads the table of a Markdown file.
    pub fn read(path: &Path) -> Result<Self, ParityError> {
        let text = fs::read_to_string(path).map_err(ParityError::io(path))?;
        Self::parse(&text)
            .map_err(|reason| ParityError::malformed(path.display().to_string(), reason))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut lines = text.lines().filter(|line| line.starts_with('|')).map(cells);
        let head = lines.next().ok_or("it has no table")?;
        if head != COLUMNS {
            return Err(format!("its table must have the columns {COLUMNS:?}"));
        }
        let mut rows: Vec<Row> = Vec::new();
        for cells in lines.filter(|cells| !cells.iter().all(|cell| cell.starts_with("---"))) {
            let [title, kubeadm, rinit, gain, seen] = cells.as_slice() else {
                return Err(format!("a row needs {} cells: {cells:?}", COLUMNS.len()));
            };
            let title = title
                .strip_prefix('`')
                .and_then(|title| title.strip_suffix('`'))
                .ok_or_else(|| format!("`what differs` must stand in backticks: {title}"))?;
            if [kubeadm, rinit, gain].iter().any(|cell| cell.is_empty()) {
                return Err(format!("a cell is empty in the row of {title}"));
            }
            let scopes = seen.split(", ").map(Scope::named).collect::<Option<_>>();
            let scopes = scopes.ok_or_else(|| {
                format!("`seen in` is `init`, `render` and `cases` in a list, not {seen}")
            })?;
            if rows.iter().any(|row| row.title == title) {
                return Err(format!("two rows for {title}"));
            }
            rows.push(Row {
                title: title.to_owned(),
                scopes,
            });
        }
        Ok(Self { rows })
    }

    /// What is wrong with these differences: those without a row, and rows without a difference.
    pub fn judge(&self, differences: &[Difference], scope: Scope) -> Vec<String> {
        let rows: Vec<&Row> = self
            .rows
            .iter()
            .filter(|row| row.scopes.contains(&scope))
            .collect();
        let unexpected = differences
            .iter()
            .filter(|difference| !rows.iter().any(|row| row.fits(difference)))
            .map(|difference| format!("no row of the table allows: {difference}"));
        let gone = rows
            .iter()
            .filter(|row| !differences.iter().any(|difference| row.fits(difference)))
            .map(|row| format!("this row of the table no longer occurs: {}", row.title));
        unexpected.chain(gone).collect()
    }
}

impl Row {
    fn fits(&self, difference: &Difference) -> bool {
        fits(&self.title, &difference.title())
    }
}

/// Whether a text is a pattern's, in which `*` stands for any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices()
                .map(|(place, _)| place)
                .chain([text.len()])
                .any(|place| fits(rest, &text[place..]))
        }),
    }
}

fn cells(line: &str) -> Vec<String> {
    let line = line.trim().trim_start_matches('|').trim_end_matches('|');
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    const HEAD: &str = "words\n\n| what differs | kubeadm | rinit | what you gain | seen in |\n\
        |---|---|---|---|---|\n";

    fn difference(place: &str) -> Difference {
        Difference {
            kind: Kind::File,
            place: place.to_owned(),
            recorded: None,
            ours: None,
        }
    }

    fn table(rows: &str) -> Result<Table, String> {
        Table::parse(&format!("{HEAD}{rows}"))
    }

    #[test]
    fn a_difference_needs_a_row_and_a_row_a_difference() {
        let rows = "| `file /a: mode` | 0600 | 0644 | more | init, render |\n\
            | `file /b*` | none | one | more | init |\n";
        let table = table(rows).unwrap();
        let both = [difference("/a: mode"), difference("/b/c")];
        assert_eq!(table.judge(&both, Scope::Init), [] as [&str; 0]);
        // A row of another scope allows nothing.
        let faults = table.judge(&both, Scope::Render);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("no row of the table allows: file /b/c"));
        let faults = table.judge(&[difference("/a: mode"), difference("/c")], Scope::Init);
        assert_eq!(faults.len(), 2, "{faults:?}");
        assert!(faults[0].contains("file /c"));
        assert!(faults[1].contains("no longer occurs: file /b*"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, expected) in [
            ("file /a", "file /a", true),
            ("file /a", "file /ab", false),
            ("file /*", "file /", true),
            ("file /*.conf: mode", "file /a.conf: mode", true),
            ("file /*.conf: mode", "file /a.conf: mode of it", false),
            ("*: issued_by[/b/*", "certificate /a: issued_by[/b/c]", true),
            ("*: issued_by[/b/*", "certificate /a: issued_by[/c]", false),
        ] {
            assert_eq!(fits(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_table_that_cannot_be_meant_is_refused() {
        for rows in [
            "| file /a | 1 | 2 | 3 | init |\n",
            "| `file /a` | 1 | 2 | | init |\n",
            "| `file /a` | 1 | 2 | 3 | sometimes |\n",
            "| `file /a` | 1 | 2 | init |\n",
            "| `file /a` | 1 | 2 | 3 | init |\n| `file /a` | 1 | 2 | 3 | init |\n",
        ] {
            assert!(table(rows).is_err(), "{rows}");
        }
        assert!(Table::parse("no table").is_err());
        assert!(Table::parse("| what differs |\n").is_err());
    }
}
