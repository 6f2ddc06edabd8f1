//! Forms that the YAML parser of Kubernetes takes and ours does not, written as ours takes them.
//!
//! A file is read as it is. Where our parser stumbles over such a form, that place alone is changed
//! in what it is given, and it reads again; what it then says of places is turned into those of the
//! file. Nothing but comments, blanks and breaks is ever touched.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use granit_parser::{ErrorKind, Marker, ScanError, Span as ParserSpan};

use crate::source::{Place, Span};

/// So many bytes may be read again, so that a file full of such forms costs no time that anybody
/// notices.
const BYTES_READ_AGAIN: usize = 1 << 20;

/// A break of lines in YAML 1.1 and none in YAML 1.2, nor to an editor.
const NEXT_LINE: char = '\u{85}';
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text as our parser is given it.
pub(crate) struct Mended<'text> {
    text: Cow<'text, str>,
    /// For each line where in the file it would begin, both numbers from zero; empty while all
    /// lines are those of the file.
    origins: Vec<(usize, isize)>,
    /// Lines, counted from one, that begin with spaces instead of these blanks. That is right in
    /// brackets alone, and whether they stand in some is known once those are closed.
    untabbed: BTreeMap<usize, String>,
    /// Lines whose tabs must stay.
    tabbed: BTreeSet<usize>,
    /// What could not be mended, by its place in bytes.
    given_up: BTreeSet<usize>,
    read_again: usize,
    /// Whether lines end with line feeds alone, so that all count them alike.
    has_plain_lines: bool,
    /// Whether lines of quoted texts are indented, and whether any was.
    indents: bool,
    is_indented: bool,
}

impl<'text> Mended<'text> {
    pub(crate) fn new(text: &'text str) -> Self {
        let mut mended = Self {
            text: Cow::Borrowed(text),
            origins: Vec::new(),
            untabbed: BTreeMap::new(),
            tabbed: BTreeSet::new(),
            given_up: BTreeSet::new(),
            read_again: 0,
            indents: true,
            is_indented: false,
            has_plain_lines: text.matches('\r').count() == text.matches("\r\n").count(),
        };
        if text.contains(NEXT_LINE) && !has_separators(text) {
            mended.origins = origins(text);
            mended.text = Cow::Owned(text.replace(NEXT_LINE, "\n"));
        }
        mended
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The place in the file.
    pub(crate) fn place(&self, marker: &Marker) -> Place {
        let (line, column) = (marker.line().max(1), marker.col() + 1);
        match self.origins.get(line - 1) {
            Some((first, before)) => Place {
                line: first + 1,
                column: column.saturating_add_signed(*before).max(1),
            },
            None => Place { line, column },
        }
    }

    /// The same of both ends.
    pub(crate) fn span(&self, span: &ParserSpan) -> Span {
        Span {
            start: self.place(&span.start),
            end: self.place(&span.end),
        }
    }

    /// Whether there is a chance to mend what the parser stumbled over.
    pub(crate) fn may_mend(&self, error: &ScanError) -> bool {
        let is_such = match error.kind() {
            ErrorKind::CommentNotSeparated | ErrorKind::BomInsideDocument => true,
            ErrorKind::TabInIndentation | ErrorKind::TabInBlockIndentation => self.has_plain_lines,
            ErrorKind::InvalidQuotedScalarIndent => self.has_plain_lines && self.indents,
            _ => false,
        };
        is_such
            && error.marker().byte_offset().is_some_and(|at| {
                self.read_again + at <= BYTES_READ_AGAIN && !self.given_up.contains(&at)
            })
    }

    /// Writes what the parser stumbled over as it takes it, if that is such a form.
    pub(crate) fn mend(&mut self, error: &ScanError) {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_default();
        self.read_again += at;
        let is_mended = match error.kind() {
            ErrorKind::CommentNotSeparated => self.separate_comment(at),
            ErrorKind::BomInsideDocument => self.drop_byte_order_mark(at, marker.line()),
            // In a quoted text, where it does not count what a line begins with.
            ErrorKind::TabInIndentation => self.replace_tabs(marker.line()),
            ErrorKind::InvalidQuotedScalarIndent => self.indent_more(marker.line()),
            ErrorKind::TabInBlockIndentation => self.untab(marker.line()),
            _ => false,
        };
        if !is_mended {
            self.given_up.insert(at);
        }
    }

    /// `"a"#c`
    fn separate_comment(&mut self, at: usize) -> bool {
        let is_comment = self
            .text
            .get(at..)
            .is_some_and(|rest| rest.starts_with('#'));
        if is_comment {
            self.text.to_mut().insert(at, ' ');
        }
        is_comment
    }

    /// The first character of a later document, as when files were put one after the other.
    fn drop_byte_order_mark(&mut self, at: usize, line: usize) -> bool {
        let (before, behind) = self.text.split_at_checked(at).unwrap_or_default();
        let separator = before
            .strip_suffix('\n')
            .and_then(|before| before.rsplit_once('\n'));
        let follows = separator.is_some_and(|(_, separator)| separator.starts_with("---"));
        if !follows || !behind.starts_with(BYTE_ORDER_MARK) {
            return false;
        }
        self.text.to_mut().remove(at);
        self.shift(line, 1);
        true
    }

    /// A line of a quoted text that begins left of what the text belongs to. How far it must go is
    /// not known here: it goes further each time.
    fn indent_more(&mut self, line: usize) -> bool {
        let Some(text) = self.text.lines().nth(line - 1) else {
            return false;
        };
        self.is_indented = true;
        let spaces = " ".repeat(8 + blanks(text).len());
        let at = text.as_ptr() as usize - self.text.as_ptr() as usize;
        self.text.to_mut().insert_str(at, &spaces);
        self.shift(line, -isize::try_from(spaces.len()).unwrap_or_default());
        true
    }

    /// Begins anew without indenting, if lines of quoted texts were indented and the file is wrong
    /// all the same: mostly a quote was not closed, and the first line behind it tells that best.
    pub(crate) fn without_indenting(&self, text: &'text str) -> Option<Self> {
        self.is_indented.then(|| Self {
            indents: false,
            ..Self::new(text)
        })
    }

    /// Notes that a line lacks so many characters of the file at its beginning.
    fn shift(&mut self, line: usize, by: isize) {
        if self.origins.is_empty() {
            self.origins = origins(&self.text);
        }
        if let Some((_, column)) = self.origins.get_mut(line - 1) {
            *column += by;
        }
    }

    /// Lines in `[…]` or `{…}` that begin with a tab: this one and those that follow.
    fn untab(&mut self, first: usize) -> bool {
        let mut last = None;
        let mut lines = Vec::new();
        for (number, line) in (1..).zip(self.text.lines()) {
            if number >= first {
                let blanks = blanks(line);
                if !blanks.contains('\t') {
                    break;
                }
                // A part of the text above, where Kubernetes' parser takes no tab.
                if !self.tabbed.contains(&number) && !last.is_some_and(may_go_on) {
                    lines.push((number, blanks.to_owned()));
                }
            }
            let line = line.trim();
            if !line.is_empty() {
                last = Some(line);
            }
        }
        let is_mended = lines.iter().any(|(number, _)| *number == first);
        if is_mended {
            let spaces = lines
                .iter()
                .map(|(line, blanks)| (*line, " ".repeat(blanks.len())));
            self.indent(&spaces.collect());
            self.untabbed.extend(lines);
        }
        is_mended
    }

    fn replace_tabs(&mut self, line: usize) -> bool {
        let blanks = self
            .text
            .lines()
            .nth(line - 1)
            .map(blanks)
            .unwrap_or_default();
        let (is_tabbed, spaces) = (blanks.contains('\t'), " ".repeat(blanks.len()));
        if is_tabbed {
            self.indent(&BTreeMap::from([(line, spaces)]));
        }
        is_tabbed
    }

    /// Puts other blanks, as many as before, in front of lines.
    fn indent(&mut self, lines: &BTreeMap<usize, String>) {
        let mut text = String::with_capacity(self.text.len());
        for (number, line) in (1..).zip(self.text.split_inclusive('\n')) {
            match lines.get(&number) {
                Some(blanks) => {
                    text.push_str(blanks);
                    text.push_str(&line[blanks.len()..]);
                }
                None => text.push_str(line),
            }
        }
        self.text = Cow::Owned(text);
    }

    /// Whether tabs were replaced as they may be in brackets alone.
    pub(crate) fn is_untabbed(&self) -> bool {
        !self.untabbed.is_empty()
    }

    /// Puts tabs back that stand in no brackets after all. `brackets` are the first and the last
    /// lines of those that stand in no others, in their order. Answers whether there are any such
    /// tabs, so that the parser should read again.
    pub(crate) fn restore_tabs(&mut self, brackets: &[(usize, usize)]) -> bool {
        let is_inside = |line: usize| {
            let behind = brackets.partition_point(|(first, _)| *first < line);
            behind
                .checked_sub(1)
                .is_some_and(|index| line <= brackets[index].1)
        };
        let (inside, outside): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.untabbed)
                .into_iter()
                .partition(|(line, _)| is_inside(*line));
        self.untabbed = inside;
        self.tabbed.extend(outside.keys());
        if !outside.is_empty() {
            self.indent(&outside);
        }
        !outside.is_empty()
    }
}

/// Whether a line may end in the middle of a plain text.
fn may_go_on(line: &str) -> bool {
    !line.ends_with([',', '[', ']', '{', '}', ':', '"', '\''])
        && !line.starts_with('#')
        && !line.contains(" #")
        && !line.contains("\t#")
}

/// What a line begins with.
fn blanks(line: &str) -> &str {
    let end = line.find(|character| !matches!(character, ' ' | '\t'));
    &line[..end.unwrap_or(line.len())]
}

/// Whether U+0085 stands where it would make or end a separator of documents. Kubernetes splits
/// files at line feeds.
fn has_separators(text: &str) -> bool {
    text.lines()
        .filter(|line| line.contains(NEXT_LINE))
        .flat_map(|line| line.split(NEXT_LINE))
        .any(|part| part.starts_with("---") || part.starts_with("..."))
}

/// Where each line begins in the file, if U+0085 ends one too.
fn origins(text: &str) -> Vec<(usize, isize)> {
    text.split('\n')
        .enumerate()
        .flat_map(|(number, line)| {
            line.split(NEXT_LINE).scan(0, move |column, part| {
                let origin = (number, *column);
                *column += isize::try_from(part.chars().count()).unwrap_or_default() + 1;
                Some(origin)
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::tree;

    /// What a file says, and where and what is wrong.
    fn read(text: &str) -> (Vec<Value>, Vec<String>) {
        let (documents, faults) = tree::read(text);
        (
            documents.iter().map(|one| one.to_value()).collect(),
            faults
                .iter()
                .map(|fault| format!("{} {}", fault.span.start, fault.message))
                .collect(),
        )
    }

    /// What each says was seen with kubeadm 1.37.1.
    #[test]
    fn what_kubernetes_takes_is_taken() {
        for (text, expected) in [
            ("a: \"b\"#c", json!({"a": "b"})),
            (
                "a: 'b'#c\nd: |-#e\n  f # g",
                json!({"a": "b", "d": "f # g"}),
            ),
            (
                "a: [b]#c\nd: {e: 'f'#g\n}#h",
                json!({"a": ["b"], "d": {"e": "f"}}),
            ),
            (
                "a:\n  b: [\n\tc,\n\t\t'd'\n \t]",
                json!({"a": {"b": ["c", "d"]}}),
            ),
            (
                "a: {\n\tb: {\n\tc: 1,\n\td: e #f\n\t}}",
                json!({"a": {"b": {"c": 1, "d": "e"}}}),
            ),
            ("a:\n  b: \"c\n\td\"", json!({"a": {"b": "c d"}})),
            (
                "a:\n  b:\n    - c: 'd\n e\nf'",
                json!({"a": {"b": [{"c": "d e f"}]}}),
            ),
            ("a: b\u{85}c: \"d\u{85} e\"", json!({"a": "b", "c": "d e"})),
        ] {
            assert_eq!(read(text), (vec![expected], Vec::new()), "{text:?}");
        }
        let parts = "a: 1\n---\n\u{feff}b: 2\n--- # c\n\u{feff}d: 3\n";
        let expected = vec![json!({"a": 1}), json!({"b": 2}), json!({"d": 3})];
        assert_eq!(read(parts), (expected, Vec::new()));
    }

    #[test]
    fn what_kubernetes_refuses_stays_refused_at_its_place() {
        for (text, line, column) in [
            ("a:\n\t- b", 2, 2),
            ("a:\n  b: [\n\tc\n\t]", 3, 2),
            // Brackets elsewhere are no excuse.
            ("a:\n  b: {\n\tc: 1}\nd:\n\te: 2\n", 5, 2),
            ("a: 1\n\u{feff}b: 2", 2, 1),
            // A quote that is not closed is told where it was forgotten.
            ("a:\n  b: \"c\nd: 1\ne: 2\n", 3, 1),
            ("a:\n  b: \"c\nd: 1\ne: \"2\"\n", 3, 1),
        ] {
            let (_, faults) = read(text);
            let place = format!("{line}:{column} ");
            assert!(
                faults.len() == 1 && faults[0].starts_with(&place),
                "{text:?}: {faults:?}"
            );
        }
    }

    #[test]
    fn places_are_those_of_the_file() {
        for (text, place) in [
            ("a: b\u{85}c: d\u{85}e: *f\ng: 1", "1:14"),
            ("a: b\u{85}c: d\ne: *f", "2:4"),
            ("a: 1\n---\n\u{feff}b: *f", "3:5"),
            ("a:\n  b: \"c\n d\"\ne: [\"f\n g\", *f]", "5:6"),
            ("a: {\n\tb: \"c\",#d\n\te: *f}", "3:5"),
        ] {
            let (_, faults) = read(text);
            let told = format!("{place} no anchor `&f` stands before this alias");
            assert_eq!(faults, [told], "{text:?}");
        }
    }

    /// Tabs in a text are a part of it.
    #[test]
    fn no_other_tab_is_touched() {
        let text = "a: {\n\tb: 1}\nc: |\n  d\n  \te\n\tf: 1\n";
        let (_, faults) = read(text);
        assert_eq!(faults.len(), 1, "{faults:?}");
        let text = "a: {\n\tb: 1}\nc: |\n  d\n  \te\n  \t[f\n";
        let expected = json!({"a": {"b": 1}, "c": "d\n\te\n\t[f\n"});
        assert_eq!(read(text), (vec![expected], Vec::new()));
    }
}
