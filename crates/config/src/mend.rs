//! Forms that the YAML parser of Kubernetes takes and ours does not, written as ours takes them.
//!
//! A file is read as it is. Where our parser stumbles over such a form, what it is given is changed
//! there and wherever the file seems to have the same form, and it reads again. A change that turns
//! out to lie in a text, where it would be a part of it, is taken back. What the parser says of
//! places is turned into those of the file. Nothing but blanks and breaks is ever touched.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use granit_parser::{
    ErrorKind, Event, Marker, ScalarStyle, ScanError, Span as ParserSpan, StructureStyle,
};

use crate::source::{Place, Span};

/// So many bytes may be read again, so that a file full of such forms costs no time that anybody
/// notices. It is a hundred times what a large configuration has.
const BYTES_READ_AGAIN: usize = 4 << 20;
/// Further than this nothing is indented.
const INDENTATION: usize = 1 << 10;

/// A break of lines in YAML 1.1 and none in YAML 1.2, nor to an editor.
const NEXT_LINE: char = '\u{85}';
const BYTE_ORDER_MARK: char = '\u{feff}';

/// A text as our parser is given it.
pub(crate) struct Mended<'text> {
    /// The file, with a line feed for each U+0085 that ends a line.
    source: Cow<'text, str>,
    /// Where in the file each line of that begins; empty where it is the file.
    lines: Vec<(usize, isize)>,
    text: Cow<'text, str>,
    /// What is changed, by its place in the source.
    edits: BTreeMap<usize, Edit>,
    /// Where it is changed because the same form was found elsewhere.
    guessed: BTreeSet<usize>,
    /// Whether more is changed than what the parser stumbled over.
    guesses: bool,
    /// Where nothing may be changed.
    refused: BTreeSet<usize>,
    /// For each line where in the file it would begin, both numbers from zero; empty while the text
    /// is the source.
    origins: Vec<(usize, isize)>,
    /// From where on the text is the source with another offset: places in the text and in it.
    offsets: Vec<(usize, usize)>,
    read_again: usize,
}

/// Other blanks in the place of those that are there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Edit {
    /// How many bytes they take the place of.
    length: usize,
    put: String,
    where_right: Right,
}

/// Where an edit changes nothing that the file says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Right {
    /// In a collection with brackets.
    InBrackets,
    /// In a quoted text, which lies around the line.
    InText,
    /// In no text.
    OutsideTexts,
}

impl<'text> Mended<'text> {
    pub(crate) fn new(file: &'text str) -> Self {
        let breaks = file.contains(NEXT_LINE) && !has_separators(file);
        let (source, lines) = if breaks {
            (Cow::Owned(file.replace(NEXT_LINE, "\n")), lines_of(file))
        } else {
            (Cow::Borrowed(file), Vec::new())
        };
        Self {
            text: source.clone(),
            origins: lines.clone(),
            source,
            lines,
            edits: BTreeMap::new(),
            guessed: BTreeSet::new(),
            guesses: true,
            refused: BTreeSet::new(),
            offsets: Vec::new(),
            read_again: 0,
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn has_edits(&self) -> bool {
        !self.edits.is_empty()
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

    /// Writes what the parser stumbled over as it takes it. Answers whether it should read again.
    pub(crate) fn mend(&mut self, error: &ScanError) -> bool {
        let Some(at) = error.marker().byte_offset() else {
            return false;
        };
        if self.read_again + self.text.len() > BYTES_READ_AGAIN {
            return false;
        }
        let at = self.source_offset(at);
        let edits = match error.kind() {
            ErrorKind::CommentNotSeparated => self.separate_comments(at),
            ErrorKind::BomInsideDocument => self.drop_byte_order_marks(at),
            // In a quoted text, where it does not count what a line begins with.
            ErrorKind::TabInIndentation | ErrorKind::InvalidQuotedScalarIndent => {
                self.indent_text(at)
            }
            ErrorKind::TabInBlockIndentation => self.untab(at),
            _ => Vec::new(),
        };
        let mut is_new = false;
        for (place, edit) in edits {
            if !self.refused.contains(&place) && self.edits.get(&place) != Some(&edit) {
                if place != at && *error.kind() == ErrorKind::CommentNotSeparated {
                    self.guessed.insert(place);
                }
                self.edits.insert(place, edit);
                is_new = true;
            }
        }
        if is_new {
            self.read_again += self.text.len();
            self.build();
        }
        is_new
    }

    /// `"a"#c`: this one, and all that follow a quote, a bracket or a comma.
    fn separate_comments(&self, at: usize) -> Vec<(usize, Edit)> {
        let space = || Edit {
            length: 0,
            put: " ".to_owned(),
            where_right: Right::OutsideTexts,
        };
        let Some(rest) = self.source.get(at..).filter(|rest| rest.starts_with('#')) else {
            return Vec::new();
        };
        let mut edits = vec![(at, space())];
        if self.guesses {
            let others = rest.match_indices('#').skip(1).map(|(index, _)| index);
            let alike = others.filter(|at| rest[..*at].ends_with(['"', '\'', ']', '}', ',']));
            edits.extend(alike.map(|index| (at + index, space())));
        }
        edits
    }

    /// The first character of each later document, as when files were put one after the other.
    fn drop_byte_order_marks(&self, at: usize) -> Vec<(usize, Edit)> {
        let marks = self.source.get(at..).unwrap_or_default();
        marks
            .match_indices(BYTE_ORDER_MARK)
            .map(|(index, mark)| (at + index, mark))
            .filter(|(at, _)| {
                let separator = self.source[..*at]
                    .strip_suffix('\n')
                    .and_then(|before| before.rsplit_once('\n'));
                separator.is_some_and(|(_, separator)| separator.starts_with("---"))
            })
            .map(|(at, mark)| {
                let edit = Edit {
                    length: mark.len(),
                    put: String::new(),
                    where_right: Right::OutsideTexts,
                };
                (at, edit)
            })
            .collect()
    }

    /// Lines of a quoted text that begin with a tab, or left of what the text belongs to: this one
    /// and those that follow up to one with a quote.
    fn indent_text(&self, at: usize) -> Vec<(usize, Edit)> {
        let begin = self.line_begin(at);
        let further = self.edits.get(&begin).map(|edit| 2 * edit.put.len());
        let width = further.unwrap_or_else(|| {
            // What a text belongs to begins behind blanks, dashes and question marks.
            let before = self.source[..begin].lines();
            let columns = before.map(|line| {
                line.find(|character| !" -?\t".contains(character))
                    .unwrap_or_default()
            });
            columns.max().unwrap_or_default() + 8
        });
        if width > INDENTATION {
            return Vec::new();
        }
        let mut edits = Vec::new();
        let mut at = begin;
        for line in self.source[begin..].split_inclusive('\n') {
            // There Kubernetes' parser ends the document, whatever is open.
            let is_end = line
                .strip_prefix("...")
                .is_some_and(|rest| rest.starts_with([' ', '\t', '\n', '\r']) || rest.is_empty());
            if line.starts_with("---") || is_end {
                break;
            }
            let edit = Edit {
                length: blanks(line).len(),
                put: " ".repeat(width),
                where_right: Right::InText,
            };
            if !line.trim().is_empty() {
                edits.push((at, edit));
            } else if edit.length > 0 {
                let put = String::new();
                edits.push((at, Edit { put, ..edit }));
            }
            at += line.len();
            if line.contains(['"', '\'']) {
                return edits;
            }
        }
        // What nothing closes is told as it stands.
        Vec::new()
    }

    /// Lines in brackets that begin with a tab: this one and those that follow.
    fn untab(&self, at: usize) -> Vec<(usize, Edit)> {
        let mut edits = Vec::new();
        let begin = self.line_begin(at);
        let mut at = begin;
        let mut last = self.source[..begin]
            .lines()
            .rev()
            .map(str::trim)
            .find(|line| !line.is_empty());
        for line in self.source[begin..].split_inclusive('\n') {
            let blanks = blanks(line);
            if !blanks.contains('\t') {
                break;
            }
            // A part of the text above, where Kubernetes' parser takes no tab.
            if !last.is_some_and(may_go_on) {
                let edit = Edit {
                    length: blanks.len(),
                    put: " ".repeat(blanks.len()),
                    where_right: Right::InBrackets,
                };
                edits.push((at, edit));
            }
            at += line.len();
            last = Some(line.trim()).filter(|line| !line.is_empty()).or(last);
        }
        edits
    }

    fn line_begin(&self, at: usize) -> usize {
        let before = self.source.get(..at).unwrap_or_default();
        before.rfind('\n').map_or(0, |end| end + 1)
    }

    /// Takes edits back that are wrong where they are. Answers whether there are any, so that the
    /// parser should read again.
    pub(crate) fn take_back(&mut self, seen: &Seen) -> bool {
        let wrong: Vec<usize> = self
            .edits
            .iter()
            .filter(|(place, edit)| !seen.is_right(self.text_offset(**place), edit.where_right))
            .map(|(place, _)| *place)
            .collect();
        self.refuse(&wrong)
    }

    /// Changes nothing more than what the parser stumbled over, if the file is wrong all the same: a
    /// comment that is none hides brackets and quotes.
    pub(crate) fn stop_guessing(&mut self) -> bool {
        let guessed = std::mem::take(&mut self.guessed);
        self.guesses = false;
        for place in &guessed {
            self.edits.remove(place);
        }
        self.reread(!guessed.is_empty())
    }

    fn refuse(&mut self, wrong: &[usize]) -> bool {
        for place in wrong {
            self.edits.remove(place);
            self.guessed.remove(place);
            self.refused.insert(*place);
        }
        self.reread(!wrong.is_empty())
    }

    /// Indents no quoted text any more that ends where the file is wrong all the same: its quote was
    /// not closed, and the first line behind it tells that best.
    pub(crate) fn stop_indenting(&mut self, errors: &[ScanError]) -> bool {
        let mut wrong = Vec::new();
        for error in errors {
            let at = self.source_offset(error.marker().byte_offset().unwrap_or_default());
            let before = self.source.get(..at).unwrap_or_default();
            let document = before.rfind("\n---").map_or(0, |begin| begin + 1);
            let line = self.line_begin(at);
            let is_open = matches!(
                error.kind(),
                ErrorKind::UnclosedQuotedScalar
                    | ErrorKind::DocumentIndicatorInQuotedScalar
                    | ErrorKind::InvalidQuotedScalarIndent
                    | ErrorKind::TabInIndentation
            );
            let end = if is_open { self.source.len() } else { at + 1 };
            let texts: Vec<usize> = self
                .edits
                .range(document..end)
                .filter(|(_, edit)| edit.where_right == Right::InText)
                .map(|(place, _)| *place)
                .collect();
            if is_open || texts.contains(&line) {
                wrong.extend(texts);
            }
        }
        self.refuse(&wrong)
    }

    fn reread(&mut self, has_changed: bool) -> bool {
        if has_changed {
            self.build();
        }
        has_changed
    }

    /// Makes the text of the source and the edits.
    fn build(&mut self) {
        let mut text = String::with_capacity(self.source.len() + self.source.len() / 8);
        let mut offsets = Vec::new();
        self.origins.clear();
        let mut at = 0;
        for (number, line) in self.source.split_inclusive('\n').enumerate() {
            let shift = self.edits.get(&at).map_or(0, |edit| {
                let taken = self.source[at..at + edit.length].chars().count();
                signed(taken) - signed(edit.put.len())
            });
            let (number, column) = self.lines.get(number).copied().unwrap_or((number, 0));
            self.origins.push((number, column + shift));
            let end = at + line.len();
            self.copy(at..end, &mut text, &mut offsets);
            at = end;
        }
        // Behind the last line there may be a place too.
        let last = self.origins.last().map_or(0, |(number, _)| number + 1);
        self.origins.push((last, 0));
        self.offsets = offsets;
        self.text = Cow::Owned(text);
    }

    /// Copies a part of the source with its edits.
    fn copy(&self, part: Range<usize>, text: &mut String, offsets: &mut Vec<(usize, usize)>) {
        let mut at = part.start;
        for (place, edit) in self.edits.range(part.clone()) {
            text.push_str(&self.source[at..*place]);
            offsets.push((text.len(), *place));
            text.push_str(&edit.put);
            at = place + edit.length;
            offsets.push((text.len(), at));
        }
        text.push_str(&self.source[at..part.end]);
    }

    /// The place in the source of a place in the text.
    fn source_offset(&self, at: usize) -> usize {
        let behind = self.offsets.partition_point(|(text, _)| *text <= at);
        match behind.checked_sub(1).map(|index| self.offsets[index]) {
            Some((text, source)) => source + (at - text),
            None => at,
        }
    }

    /// The place in the text of a place in the source.
    fn text_offset(&self, at: usize) -> usize {
        let behind = self.offsets.partition_point(|(_, source)| *source < at);
        match self.offsets.get(behind) {
            Some((text, source)) if *source == at => *text,
            _ => match behind.checked_sub(1).map(|index| self.offsets[index]) {
                Some((text, source)) => text + (at - source),
                None => at,
            },
        }
    }
}

fn signed(count: usize) -> isize {
    isize::try_from(count).unwrap_or_default()
}

/// Where texts and brackets lie in what the parser was given, in their order.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    texts: Vec<Range<usize>>,
    /// Those that lie in no others.
    brackets: Vec<Range<usize>>,
    /// How many brackets are open, and where the first of them is.
    depth: usize,
    first: usize,
}

impl Seen {
    pub(crate) fn event(&mut self, event: &Event<'_>, span: &ParserSpan) {
        let (Some(start), Some(end)) = (span.start.byte_offset(), span.end.byte_offset()) else {
            return;
        };
        match event {
            // What follows a plain text at once would be a part of it.
            Event::Scalar(_, ScalarStyle::Plain, ..) => self.texts.push(start..end + 1),
            Event::Scalar(..) => self.texts.push(start..end),
            // Within brackets there is nothing without them.
            Event::SequenceStart(style, ..) | Event::MappingStart(style, ..) => {
                if self.depth == 0 {
                    self.first = start;
                }
                if self.depth > 0 || *style == StructureStyle::Flow {
                    self.depth += 1;
                }
            }
            Event::SequenceEnd | Event::MappingEnd if self.depth > 0 => {
                self.depth -= 1;
                if self.depth == 0 {
                    self.brackets.push(self.first..end);
                }
            }
            _ => {}
        }
    }

    /// The parser gave up, wherever it says: what was open may go on to the end.
    pub(crate) fn close(&mut self) {
        if std::mem::take(&mut self.depth) > 0 {
            self.brackets.push(self.first..usize::MAX);
        }
    }

    fn is_right(&self, at: usize, right: Right) -> bool {
        let is_in = |ranges: &[Range<usize>]| {
            let behind = ranges.partition_point(|range| range.start < at);
            let around = behind.checked_sub(1).map(|index| &ranges[index]);
            around.is_some_and(|range| at < range.end)
        };
        match right {
            Right::InBrackets => is_in(&self.brackets),
            Right::InText => is_in(&self.texts),
            Right::OutsideTexts => !is_in(&self.texts),
        }
    }
}

/// Whether a line may end in the middle of a plain text, and not in a comment.
fn may_go_on(line: &str) -> bool {
    let has_comment = line.match_indices('#').any(|(at, _)| {
        let before = &line[..at];
        before.is_empty() || before.ends_with([' ', '\t', ',', '[', ']', '{', '}', '"', '\''])
    });
    !has_comment && !line.ends_with([',', '[', ']', '{', '}', ':', '"', '\''])
}

/// What a line begins with.
fn blanks(line: &str) -> &str {
    let end = line.find(|character| !matches!(character, ' ' | '\t'));
    &line[..end.unwrap_or(line.len())]
}

/// Where in a file each line begins, if U+0085 ends one too: line and column, from zero.
fn lines_of(file: &str) -> Vec<(usize, isize)> {
    file.split('\n')
        .enumerate()
        .flat_map(|(number, line)| {
            line.split(NEXT_LINE).scan(0, move |column, part| {
                let begin = (number, *column);
                *column += signed(part.chars().count()) + 1;
                Some(begin)
            })
        })
        .collect()
}

/// Whether U+0085 stands where it would make or end a separator of documents. Kubernetes splits
/// files at line feeds.
fn has_separators(text: &str) -> bool {
    text.lines()
        .filter(|line| line.contains(NEXT_LINE))
        .flat_map(|line| line.split(NEXT_LINE))
        .any(|part| part.starts_with("---") || part.starts_with("..."))
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
            ("a:\n  - b: \"c\u{85}d\"\n", json!({"a": [{"b": "c d"}]})),
            (
                "a:\n  - {b: 'c',\u{85}\td: e}\n",
                json!({"a": [{"b": "c", "d": "e"}]}),
            ),
            ("a:\n  - b: 'c\u{85}d'#e", json!({"a": [{"b": "c d"}]})),
            (
                "a:\n  - b: \"c\n    \t\n    d\"",
                json!({"a": [{"b": "c\nd"}]}),
            ),
            (
                "a:\n  - {b: \"c\",#d\n\te: f'#g}",
                json!({"a": [{"b": "c", "e": "f'#g"}]}),
            ),
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
            ("a: \"b\n---\nc: \"d\"", 2, 1),
            ("a: \"b\n...\nc\"", 2, 1),
            // What is wrong elsewhere is told there.
            ("a:\n  - b: \"c\nd\"\n  - e: [\n", 4, 8),
            ("a:\n  - b: \"c\nd\"\n---\ne: f: g\n", 5, 5),
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

    /// As many as a large file may have, in files of any size.
    #[test]
    fn many_of_them_are_taken() {
        let names = "- \"node-000\"#rack 0\n".repeat(900);
        let head = "# a long header\n".repeat(6_000);
        for text in [
            names.clone(),
            format!("{head}{names}"),
            format!("a: [\n{}]", "\tb,#c\n".repeat(900)),
        ] {
            let (documents, faults) = read(&text);
            assert_eq!((documents.len(), faults), (1, Vec::new()));
        }
        let lines = format!("a:\n  b: \"c\n{}\"\n", "\td\n".repeat(900));
        let (documents, faults) = read(&lines);
        assert_eq!((documents.len(), faults), (1, Vec::new()));
        let text = documents[0]["a"]["b"].as_str().unwrap();
        assert_eq!(text.matches(" d").count(), 900);
    }

    /// What looks like a comment behind a quote is none within a text.
    #[test]
    fn a_comment_in_a_text_stays_as_it_is() {
        let text = "a: \"b\"#c\nd: |\n  echo \"e\"#f\n  [g]#h\ni: 'j\n  k\"#l'\nm: n\"#o\n";
        let expected = json!({
            "a": "b",
            "d": "echo \"e\"#f\n[g]#h\n",
            "i": "j k\"#l",
            "m": "n\"#o",
        });
        assert_eq!(read(text), (vec![expected], Vec::new()));
    }

    #[test]
    fn what_stands_behind_the_end_of_a_document_is_told() {
        let (documents, faults) = read("a: 1\n...\n# c\n---\nb: 2\n...\n");
        assert_eq!((documents.len(), faults.len()), (2, 0));
        let (documents, faults) = read("a: 1\n...\nb: 2\n---\nc: 3\n");
        assert_eq!(documents, [json!({"a": 1}), json!({"c": 3})]);
        assert_eq!(faults, ["3:1 what follows `...` is not read by Kubernetes"]);
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
